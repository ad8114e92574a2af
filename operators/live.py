"""Heads that follow a phone or a tracker: thin shells around ``scene/live.py``."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ..backend.errors import FaceError
from ..scene.context import head_of, scene_of
from . import strings_live as texts
from .animation import put_motion
from .session import redraw
from .view import OnHead

if TYPE_CHECKING:
    from ..backend.live.listener import Listener
    from ..scene.live import Follower, LiveFaces
    from ..scene.webcam import Webcam

#: Seconds between two looks at what has come: 60 frames a second, as apps send.
STEP_S = 1 / 60
#: Seconds between two drawings of the panel.
_DRAWN_S = 0.5
PORTS = {"LIVE_LINK": 11111, "IFACIALMOCAP": 49983, "VMC": 39539}


class Live:
    """What goes on; nothing of it is saved with the file."""

    def __init__(self) -> None:
        self.faces: LiveFaces | None = None
        self.webcam: Webcam | None = None  #: the camera that is listened to, if any
        self.rates: dict[tuple[str, str], float] = {}  #: frames a second by face, lately
        self._counted: Counter[tuple[str, str]] = Counter()
        self._drawn = 0.0

    def begin(self, faces: LiveFaces, webcam: Webcam | None = None) -> None:
        """Show what ``faces`` hears, of the ``webcam`` where there is one, until :meth:`end`."""
        self.end()
        self.faces, self.webcam = faces, webcam
        self.rates, self._counted, self._drawn = {}, Counter(), 0.0
        bpy.app.timers.register(_step, first_interval=STEP_S, persistent=True)

    def end(self) -> None:
        """Stop listening."""
        faces, self.faces = self.faces, None
        if bpy.app.timers.is_registered(_step):
            bpy.app.timers.unregister(_step)
        webcam, self.webcam = self.webcam, None
        if webcam is not None:
            webcam.stop()
        if faces is not None:
            faces.stop()
        redraw()

    def step(self) -> float | None:
        """Show what has come; the seconds until it should be asked again."""
        from time import monotonic

        if self.faces is None:
            return None
        self.faces.step()
        if self.webcam is not None:
            self.webcam.look()
        now = monotonic()
        if now - self._drawn > _DRAWN_S:
            new, seconds = self.faces.counts - self._counted, now - self._drawn
            self.rates = {key: count / seconds for key, count in new.items()}
            self._counted, self._drawn = self.faces.counts.copy(), now
            redraw()
        return STEP_S

    def follower(self, head: bpy.types.Object) -> Follower | None:
        """What ``head`` follows."""
        return None if self.faces is None else self.faces.followers.get(head.session_uid)


LIVE = Live()


def _step() -> float | None:
    return LIVE.step()


def _other_app(settings: Any, _context: object) -> None:
    settings.port = PORTS.get(settings.app, settings.port)


def _gains_changed(_row: Any, context: bpy.types.Context) -> None:
    if LIVE.faces is not None:
        gains = _gains(scene_of(context).reconstruct_face_live)
        for follower in LIVE.faces.followers.values():
            follower.gains = gains


def _gains(settings: Any) -> dict[str, float]:
    return {row.name: row.gain for row in settings.gains if row.gain != 1.0}


class LiveGain(bpy.types.PropertyGroup):
    """How strongly one of ARKit's weights, by its ``name``, is taken."""

    gain: FloatProperty(
        name=texts.GAINS, description=texts.GAINS_TIP, default=1.0, min=0.0, max=4.0,
        soft_max=2.0, update=_gains_changed,
    )  # fmt: skip


class LiveSettings(bpy.types.PropertyGroup):
    """Where faces come from; with the scene, because that is what undo knows."""

    app: EnumProperty(
        name=texts.APP, description=texts.APP_TIP, items=texts.APP_ITEMS, update=_other_app
    )
    port: IntProperty(
        name=texts.PORT, description=texts.PORT_TIP, default=PORTS["LIVE_LINK"], min=1, max=65535
    )
    address: StringProperty(name=texts.ADDRESS, description=texts.ADDRESS_TIP, default="0.0.0.0")
    only: StringProperty(name=texts.ONLY, description=texts.ONLY_TIP)
    camera: IntProperty(name=texts.CAMERA, description=texts.CAMERA_TIP, default=0, min=0, max=99)
    phone: StringProperty(name=texts.PHONE, description=texts.PHONE_TIP)
    with_pose: BoolProperty(name=texts.WITH_POSE, description=texts.WITH_POSE_TIP, default=True)
    gains: CollectionProperty(type=LiveGain)
    active_gain: IntProperty()


def needs_gains(settings: Any) -> None:
    """Give ``settings`` a row for each of ARKit's weights."""
    from ..backend.exchange.names import ARKIT

    if len(settings.gains) != len(ARKIT):
        settings.gains.clear()
        for name in ARKIT:
            settings.gains.add().name = name


def _listener(settings: Any) -> Listener:
    """As the settings say; for a camera's packets any port that is free, of this machine alone."""
    from ..backend.live.listener import Listener

    if settings.app == "WEBCAM":
        return Listener("127.0.0.1", 0, ["127.0.0.1"])
    only = [one for one in settings.only.replace(";", ",").split(",") if one.strip()]
    return Listener(settings.address, settings.port, only)


class RECONSTRUCT_FACE_OT_live_start(OnHead, bpy.types.Operator):
    """Listen, and let the active head follow."""

    bl_idname = "reconstruct_face.live_start"
    bl_label = texts.START
    bl_description = texts.START_TIP
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Open the port."""
        from ..scene.live import LiveFaces
        from ..scene.webcam import Webcam

        settings = scene_of(context).reconstruct_face_live
        LIVE.end()
        webcam = None
        try:
            listener = _listener(settings)
            listener.start()
            faces = LiveFaces(listener)
            try:
                follower = faces.follow(head_of(context), with_pose=settings.with_pose)
                if settings.app == "IFACIALMOCAP" and settings.phone.strip():
                    listener.ask(settings.phone)
                if settings.app == "WEBCAM":
                    webcam = Webcam(settings.camera, listener.port)
            except BaseException:
                faces.stop()
                raise
        except FaceError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        needs_gains(settings)
        follower.gains = _gains(settings)
        LIVE.begin(faces, webcam)
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_live_stop(bpy.types.Operator):
    """Close the port."""

    bl_idname = "reconstruct_face.live_stop"
    bl_label = texts.STOP
    bl_description = texts.STOP_TIP
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it is open."""
        return LIVE.faces is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Stop, and tell of a recording that goes with it."""
        assert LIVE.faces is not None
        if any(one.recorder is not None for one in LIVE.faces.followers.values()):
            self.report({"WARNING"}, texts.STILL_RECORDING)
        LIVE.end()
        return {"FINISHED"}


class OnLive(OnHead):
    """Base of operators on the active head while it is listened."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether anything is listened to."""
        if LIVE.faces is None:
            cls.poll_message_set(texts.NOT_LISTENING)  # pyright: ignore[reportAttributeAccessIssue]
            return False
        return super().poll(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Do it, and tell why not."""
        try:
            assert LIVE.faces is not None
            self.do(context, LIVE.faces, head_of(context))
        except FaceError as error:
            self.report({"ERROR"}, str(error))  # pyright: ignore[reportAttributeAccessIssue]
            return {"CANCELLED"}
        redraw()
        return {"FINISHED"}

    def do(self, context: bpy.types.Context, faces: LiveFaces, head: bpy.types.Object) -> None:
        """The work.  Raises :class:`FaceError`."""
        raise AssertionError("for the operators derived from this")


#: Blender keeps no reference to an enumeration's texts: they must live on here.
_heard: list[tuple[str, str, str]] = []


def _heard_faces(_self: object, _context: object) -> list[tuple[str, str, str]]:
    keys = [] if LIVE.faces is None else list(LIVE.faces.faces)
    _heard[:] = [("", texts.FIRST_HEARD, "")]
    _heard.extend(("\t".join(key), f"{key[1]} ({key[0]})", "") for key in keys)
    return _heard


class RECONSTRUCT_FACE_OT_live_follow(OnLive, bpy.types.Operator):
    """The active head follows a face."""

    bl_idname = "reconstruct_face.live_follow"
    bl_label = texts.FOLLOW
    bl_description = texts.FOLLOW_TIP
    bl_options = {"INTERNAL"}

    face: EnumProperty(name=texts.FOLLOW, items=_heard_faces)

    def do(self, context: bpy.types.Context, faces: LiveFaces, head: bpy.types.Object) -> None:
        """Follow it."""
        settings = scene_of(context).reconstruct_face_live
        host, _, subject = self.face.partition("\t")
        key = (host, subject) if host else None
        follower = faces.follow(head, key, with_pose=settings.with_pose)
        follower.gains = _gains(settings)
        self.report({"INFO"}, texts.follows(head.name, subject or texts.FIRST_HEARD.lower()))


class RECONSTRUCT_FACE_OT_live_unfollow(OnLive, bpy.types.Operator):
    """The active head is as it was."""

    bl_idname = "reconstruct_face.live_unfollow"
    bl_label = texts.UNFOLLOW
    bl_description = texts.UNFOLLOW_TIP
    bl_options = {"INTERNAL"}

    def do(self, context: bpy.types.Context, faces: LiveFaces, head: bpy.types.Object) -> None:
        """Follow nobody."""
        faces.unfollow(head)


class RECONSTRUCT_FACE_OT_live_rest(OnLive, bpy.types.Operator):
    """The face rests now."""

    bl_idname = "reconstruct_face.live_rest"
    bl_label = texts.REST
    bl_description = texts.REST_TIP
    bl_options = {"INTERNAL"}

    def do(self, context: bpy.types.Context, faces: LiveFaces, head: bpy.types.Object) -> None:
        """Take its rest."""
        faces.calibrate(head)


class RECONSTRUCT_FACE_OT_live_record(OnLive, bpy.types.Operator):
    """Begin to record."""

    bl_idname = "reconstruct_face.live_record"
    bl_label = texts.RECORD
    bl_description = texts.RECORD_TIP
    bl_options = {"INTERNAL"}

    def do(self, context: bpy.types.Context, faces: LiveFaces, head: bpy.types.Object) -> None:
        """Begin."""
        faces.record(head)


class RECONSTRUCT_FACE_OT_live_keyframes(OnLive, bpy.types.Operator):
    """Keyframes of what was recorded, in one undo step."""

    bl_idname = "reconstruct_face.live_keyframes"
    bl_label = texts.END_RECORD
    bl_description = texts.END_RECORD_TIP
    bl_options = {"UNDO"}

    def do(self, context: bpy.types.Context, faces: LiveFaces, head: bpy.types.Object) -> None:
        """The head plays it then and follows no longer."""
        motion = faces.recorded(head)
        faces.unfollow(head)
        put_motion(self, scene_of(context), head, motion)


@bpy.app.handlers.persistent
def _before_load(*_: object) -> None:
    """Another file is opened: its heads are others."""
    with suppress(ReferenceError):
        LIVE.end()


CLASSES = (
    LiveGain,
    LiveSettings,
    RECONSTRUCT_FACE_OT_live_start,
    RECONSTRUCT_FACE_OT_live_stop,
    RECONSTRUCT_FACE_OT_live_follow,
    RECONSTRUCT_FACE_OT_live_unfollow,
    RECONSTRUCT_FACE_OT_live_rest,
    RECONSTRUCT_FACE_OT_live_record,
    RECONSTRUCT_FACE_OT_live_keyframes,
)


def register_more() -> None:
    """The scene's settings."""
    bpy.types.Scene.reconstruct_face_live = PointerProperty(type=LiveSettings)
    bpy.app.handlers.load_pre.append(_before_load)


def unregister_more() -> None:
    """Stop, and take the settings away."""
    LIVE.end()
    bpy.app.handlers.load_pre.remove(_before_load)
    del bpy.types.Scene.reconstruct_face_live
