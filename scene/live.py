"""Heads that follow faces heard over the network (:mod:`..backend.live`), and recordings of them.

No Blender data is kept between two steps: heads are known by their session's number, so that undo
and another file cannot break what goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import bpy
import numpy as np
from numpy.typing import NDArray

from ..backend.errors import FaceError
from ..backend.exchange.motion import Motion
from ..backend.exchange.names import ARKIT, matched
from ..backend.live.face import Calibration, Recorder
from ..backend.live.listener import SILENT_S, Frame, Key, Listener
from ..backend.live.packet import FacePacket
from .animation import pose
from .animation.bones import turn_bones, turns_of
from .armature.controls import Channel
from .armature.known import armature_of
from .armature.lead import BONES, Movable, lead_of, leave_target, movable
from .expression import set_values, values_of
from .mesh import is_head
from .shape_keys import driven_names, editable_keys

Float = NDArray[np.float64]

#: A weight that changed by less is not set again.
_LEAST = 1e-4


@dataclass
class Follower:
    """A head that follows a face."""

    head: int  #: its session's number
    key: Key | None  #: whom it follows; None: the first face that is heard and not yet followed
    names: dict[str, str]  #: ARKit's name to its shape key, drivers' left out
    before: dict[str, float]  #: its expression before it followed
    with_pose: bool
    #: how strongly each of ARKit's weights is taken; 1 where it is not named
    gains: dict[str, float] = field(default_factory=dict)
    calibration: Calibration = field(default_factory=Calibration)
    recorder: Recorder | None = None
    latest: Frame | None = None
    shown: dict[str, float] = field(default_factory=dict)  #: by shape key
    #: channels and names of what bones move, where they lead
    moved: tuple[tuple[Channel, ...], Mapping[str, str]] | None = None

    def heard(self, now: float) -> bool:
        """Whether its face was heard of lately; ``now`` by the listener's clock."""
        return self.latest is not None and now - self.latest.arrived < SILENT_S


class LiveFaces:
    """A listener and the heads that follow what it hears."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.followers: dict[int, Follower] = {}
        self.faces: dict[Key, Frame] = {}  #: the last of each that was heard
        self.counts: Counter[Key] = Counter()  #: how many were heard of each

    def follow(
        self, head: bpy.types.Object, key: Key | None = None, *, with_pose: bool = True
    ) -> Follower:
        """Have ``head`` follow the face ``key``, from now on.

        Raises :class:`FaceError` where it has none of ARKit's shape keys, or they cannot be set.
        """
        keys, driven = editable_keys(head), driven_names(head)
        moved = movable(head)
        driven -= set() if moved is None else set(moved.names.values())
        names = {name: own for name, own in matched(ARKIT, keys).items() if own not in driven}
        if not names:
            raise FaceError(
                f"{head.name} has none of ARKit's shape keys; apps send no others. Reconstruct it "
                "with ARKit expressions."
            )
        uid = head.session_uid
        known = self.followers.get(uid)
        before = known.before if known else values_of(head)
        self.followers[uid] = Follower(uid, key, names, before, with_pose)
        return self.followers[uid]

    def unfollow(self, head: bpy.types.Object) -> None:
        """Have ``head`` follow nobody, with the expression and pose that it had before."""
        follower = self.followers.pop(head.session_uid, None)
        if follower is not None:
            _put_back(head, follower)

    def stop(self) -> None:
        """End listening; all heads are as they were before."""
        self.listener.stop()
        for uid, follower in self.followers.items():
            head = _head(uid)
            if head is not None:
                _put_back(head, follower)
        self.followers.clear()

    def calibrate(self, head: bpy.types.Object) -> None:
        """Take what the face of ``head`` shows now for its rest.

        Raises :class:`FaceError` where nothing was heard of it yet.
        """
        follower = self._of(head)
        if follower.latest is None or not follower.latest.packet.weights:
            raise FaceError("No face has been heard yet; start the app that sends it first.")
        follower.calibration = Calibration.at(follower.latest.packet)

    def record(self, head: bpy.types.Object) -> None:
        """Begin to keep what ``head`` follows.  Raises :class:`FaceError`: it follows nobody."""
        self._of(head).recorder = Recorder("")

    def recorded(self, head: bpy.types.Object) -> Motion:
        """End that, and give what was kept.  Raises :class:`FaceError` where nothing was."""
        follower = self._of(head)
        recorder, follower.recorder = follower.recorder, None
        if recorder is None or not len(recorder):
            raise FaceError("Nothing was heard while it was recorded.")
        return recorder.motion()

    def step(self) -> int:
        """Take what has come and show the newest of it; how many heads have moved."""
        frames = self.listener.take()
        for frame in frames:
            self.faces[frame.key] = frame
            self.counts[frame.key] += 1
        moved = 0
        for uid in list(self.followers):
            head = _head(uid)
            if head is None:  # deleted
                del self.followers[uid]
                continue
            moved += self._show(head, self.followers[uid], frames)
        return moved

    def _of(self, head: bpy.types.Object) -> Follower:
        follower = self.followers.get(head.session_uid)
        if follower is None:
            raise FaceError(f"{head.name} follows no face; press Follow first.")
        return follower

    def _show(self, head: bpy.types.Object, follower: Follower, frames: list[Frame]) -> bool:
        if follower.key is None and frames:
            taken = {other.key for other in self.followers.values()}
            follower.key = next((one.key for one in frames if one.key not in taken), None)
        own = [frame for frame in frames if frame.key == follower.key]
        for frame in own:
            if follower.recorder is not None:
                _keep(follower, follower.recorder, frame)
        # Where the app sees no face, the head stays as it is.
        seen = [one for one in own if one.packet.weights or one.packet.rotation is not None]
        newest = next((one for one in reversed(seen) if not one.late), None)
        if newest is None:
            return False
        follower.latest = newest
        show_packet(head, follower, newest.packet)
        return True


def show_packet(head: bpy.types.Object, follower: Follower, packet: FacePacket) -> None:
    """Set expression and, where wanted, pose of ``head`` as ``packet`` tells them."""
    weights = follower.calibration.weights(packet, follower.gains)
    keys = head.data.shape_keys
    if keys is None:
        return
    blocks, changed = keys.key_blocks, {}
    for name, value in weights.items():
        own = follower.names.get(name)
        if own is None or abs(follower.shown.get(own, -1.0) - value) < _LEAST:
            continue
        if own in blocks:
            changed[own] = follower.shown[own] = value
    by_bones = _lead(head, follower, changed)
    for own, value in changed.items():
        if own not in by_bones:
            blocks[own].value = value
    rotation = follower.calibration.rotation(packet)
    armature = armature_of(head)
    if armature is not None and lead_of(head) == BONES:
        if any(name.startswith("eyeLook") for name in weights):
            leave_target(armature)  # or a turned head would have the eyes aside of it
        if follower.with_pose and rotation is not None:
            turn_bones(armature, turns_of(_still(rotation))[0])
    elif follower.with_pose and rotation is not None:
        empty = pose.make_carrier(head)
        place, turn = pose.to_channels(pose.places(_still(rotation), head, empty, "here"))
        empty.rotation_mode = "QUATERNION"
        empty.location, empty.rotation_quaternion = place[0].tolist(), turn[0].tolist()


def _lead(head: bpy.types.Object, follower: Follower, values: dict[str, float]) -> set[str]:
    """Pose the bones of ``head`` for ``values``, where they lead; which shape keys they moved."""
    armature = armature_of(head)
    if armature is None or lead_of(head) != BONES:
        follower.moved = None
        return set()
    if follower.moved is None:
        found = movable(head)
        follower.moved = None if found is None else (found.channels, found.names)
    if follower.moved is None:
        return set()
    return Movable(armature, *follower.moved).lead_with(head, values)


def _still(rotation: Float) -> Motion:
    """A motion of one moment, of the turn ``rotation`` (3, 3) alone."""
    return Motion(np.zeros(1), (), np.zeros((1, 0), np.float32), rotation[None])


def _keep(follower: Follower, recorder: Recorder, frame: Frame) -> None:
    packet = frame.packet
    host, subject = frame.key
    if not len(recorder):
        recorder.source = f"{subject} ({host})"
        recorder.of_day = packet.rate is not None
    rotation = follower.calibration.rotation(packet) if follower.with_pose else None
    recorder.take(frame.time, follower.calibration.weights(packet, follower.gains), rotation)


def _put_back(head: bpy.types.Object, follower: Follower) -> None:
    set_values(head, follower.before)
    empty, armature = pose.carrier_of(head), armature_of(head)
    if follower.with_pose and armature is not None and lead_of(head) == BONES:
        turn_bones(armature, np.eye(3))
    elif follower.with_pose and empty is not None:
        place, turn = pose.to_channels(pose.local_rest(head, empty)[None])
        empty.location, empty.rotation_quaternion = place[0].tolist(), turn[0].tolist()


def _head(uid: int) -> bpy.types.Object | None:
    return next((x for x in bpy.data.objects if x.session_uid == uid and is_head(x)), None)
