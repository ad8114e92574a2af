"""The turntable of the active head, on and off."""

from __future__ import annotations

import bpy

from ..scene.context import head_of, scene_of
from . import strings
from .view import OnHead


class RECONSTRUCT_FACE_OT_turntable(OnHead, bpy.types.Operator):
    """Put the active head on a turntable, or take it off."""

    bl_idname = "reconstruct_face.turntable"
    bl_label = strings.TURNTABLE
    bl_description = strings.TURNTABLE_TIP
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Switch it."""
        from ..scene import turntable

        head, scene = head_of(context), scene_of(context)
        if turntable.turntable_of(head) is None:
            turntable.add_turntable(head, scene)
        else:
            turntable.remove_turntable(head, scene)
        return {"FINISHED"}


CLASSES = (RECONSTRUCT_FACE_OT_turntable,)
