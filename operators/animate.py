"""A video to an animated head: a thin shell around ``scene/jobs.py`` and ``scene/animation``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty

from ..backend.errors import FaceError, ModelError, PhotoError
from ..scene.context import scene_of
from . import strings
from . import strings_animation as texts
from .animation import put_motion
from .running import RunsJob

if TYPE_CHECKING:
    from ..scene.jobs import Job


class RECONSTRUCT_FACE_OT_animate_video(RunsJob, bpy.types.Operator):
    """Follow the face in a video with the settings of the scene."""

    bl_idname = "reconstruct_face.animate_video"
    bl_label = texts.ANIMATE_VIDEO
    bl_description = texts.ANIMATE_VIDEO_TIP
    bl_options = {"UNDO"}
    doing = texts.ANIMATE_VIDEO
    place = "animation"

    filepath: StringProperty(name=texts.VIDEO, subtype="FILE_PATH", options={"SKIP_SAVE"})
    start_frame: IntProperty(name=texts.START_FRAME, options={"SKIP_SAVE", "HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Run beside Blender."""
        return self.run_modal(context)

    def begin(self, context: bpy.types.Context) -> tuple[Job[Any], dict[str, Any]]:
        """Start with the operator's video, or else the scene's."""
        from ..scene import jobs
        from ..scene.animation.apply import frame_rate
        from ..scene.animation.video import motion_path
        from ..scene.current import current_head

        settings = scene_of(context).reconstruct_face_animation
        video = bpy.path.abspath(self.filepath or settings.video)
        if not video:
            raise PhotoError(texts.CHOOSE_VIDEO)
        active = current_head(context)
        if settings.target == "active" and active is None:
            raise ModelError(f"{strings.NO_HEAD}, or choose a new one to be made.")
        self._head = active.name if settings.target == "active" and active is not None else ""
        self._scene = scene_of(context).name
        given = self.properties.is_property_set("start_frame")
        self._first = self.start_frame if given else None
        # Pictures in a folder do not say how fast they follow one another.
        rate = frame_rate(scene_of(context)) if Path(video).is_dir() else None
        out = motion_path(video, rate)
        job = jobs.start_animation(video, out, frame_rate=rate)
        return job, {"video": video, "out": str(out)}

    def take(self, context: bpy.types.Context, result: Any) -> None:
        """Animate the head that was active at the start, or a new one."""
        from ..backend.exchange import load_reconstruction
        from ..backend.exchange.motion import load_motion
        from ..scene import api
        from ..scene.mesh import is_head

        motion = load_motion(result["motion"])
        scene = bpy.data.scenes.get(self._scene) or scene_of(context)
        if self._head:
            head = bpy.data.objects.get(self._head)
            if not is_head(head):
                raise ModelError(strings.head_gone(self._head))
        else:
            found = load_reconstruction(result["reconstruction"])
            free = scene == scene_of(context) and not self.editing
            head = api.add_heads([found], scene, set_active=free)[0]
        put_motion(self, scene, head, motion, start_frame=self._first)
        told = set(motion.header.get("notes", ()))
        for note in result.get("notes", ()):
            if note not in told:
                self.report({"WARNING"}, str(note))


#: Blender keeps no reference to an enumeration's texts: they must live on here.
_videos: list[tuple[str, str, str]] = []


def _open_videos(_self: object, context: bpy.types.Context | None) -> list[tuple[str, str, str]]:
    from ..scene.animation.video import open_videos

    found = open_videos(scene_of(context or bpy.context))
    _videos[:] = [(key, label, "") for key, label in found.items()]
    return _videos


class RECONSTRUCT_FACE_OT_take_clip(bpy.types.Operator):
    """Take a movie clip or a strip that is open in Blender as the video."""

    bl_idname = "reconstruct_face.take_clip"
    bl_label = texts.TAKE_CLIP
    bl_description = texts.TAKE_CLIP_TIP
    bl_options = {"UNDO", "INTERNAL"}
    bl_property = "video"

    video: EnumProperty(name=texts.VIDEO, items=_open_videos, options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is any."""
        cls.poll_message_set(texts.NO_CLIP)  # pyright: ignore[reportCallIssue]
        return bool(_open_videos(None, context))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Let the user search among them."""
        context.window_manager.invoke_search_popup(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make it the scene's video, beginning where it begins there."""
        from ..scene.animation.video import source_of

        scene = scene_of(context)
        try:
            source = source_of(self.video, scene)
        except FaceError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        settings = scene.reconstruct_face_animation
        settings.video = str(source.path)
        if source.start_frame is not None:
            settings.start_frame = source.start_frame
        return {"FINISHED"}


CLASSES = (RECONSTRUCT_FACE_OT_animate_video, RECONSTRUCT_FACE_OT_take_clip)
