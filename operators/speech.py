"""A mouth that says what a recording says: a thin shell around ``scene/speech.py``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty, StringProperty

from ..backend.errors import ModelError, PhotoError
from ..scene.context import head_of, scene_of
from . import strings
from . import strings_animation as texts
from .animation import put_motion
from .running import RunsJob
from .view import OnHead

if TYPE_CHECKING:
    from ..scene.jobs import Job


class RECONSTRUCT_FACE_OT_mouth_from_sound(RunsJob, OnHead, bpy.types.Operator):
    """Listen to a recording, and have the active head say it."""

    bl_idname = "reconstruct_face.mouth_from_sound"
    bl_label = texts.SPEECH
    bl_description = texts.SPEECH_TIP
    bl_options = {"UNDO"}
    doing = texts.SPEECH
    place = "animation"

    filepath: StringProperty(name=texts.SOUND_FILE, subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_sound: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_movie: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the file."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Do it: beside Blender where a file was chosen in a window, else wait for it."""
        if not bpy.app.background and self.options.is_invoke:
            return self.run_modal(context)
        return super().execute(context)

    def begin(self, context: bpy.types.Context) -> tuple[Job[Any], dict[str, Any]]:
        """Read the sound, and have it heard."""
        from ..scene.animation.apply import frame_rate
        from ..scene.speech import start_hearing

        path = Path(bpy.path.abspath(self.filepath))
        if not self.filepath or path.is_dir():
            raise PhotoError(texts.CHOOSE_SOUND)
        self._head, self._scene = head_of(context).name, scene_of(context).name
        job = start_hearing(path, frame_rate(scene_of(context)))
        return job, {"sound": str(path), "head": self._head}

    def take(self, context: bpy.types.Context, result: Any) -> None:
        """Keyframes of the mouth, and the sound as a strip."""
        from ..scene.mesh import is_head

        head = bpy.data.objects.get(self._head)
        if not is_head(head):
            raise ModelError(strings.head_gone(self._head))
        put_motion(self, bpy.data.scenes.get(self._scene) or scene_of(context), head, result)


CLASSES = (RECONSTRUCT_FACE_OT_mouth_from_sound,)
