"""The active head: its photo's view, landmarks, another fit."""

from __future__ import annotations

import bpy

from ..backend.exchange.options import ABOUT
from ..operators import strings
from ..operators.landmarks import (
    RECONSTRUCT_FACE_OT_edit_landmarks,
    RECONSTRUCT_FACE_OT_forget_landmarks,
)
from ..operators.refit import RECONSTRUCT_FACE_OT_refit, RECONSTRUCT_FACE_OT_replace_photo
from ..operators.session import SESSION
from ..operators.view import RECONSTRUCT_FACE_OT_photo_view
from ..scene.context import area_of, head_of, view_of
from .sidebar import FacePanel


class RECONSTRUCT_FACE_PT_head(FacePanel, bpy.types.Panel):
    """What can be done with the active head as a whole."""

    bl_idname = "RECONSTRUCT_FACE_PT_head"
    bl_label = strings.HEAD_PANEL

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only for a head of ours."""
        from ..scene.mesh import is_head

        return is_head(context.active_object)

    def draw(self, context: bpy.types.Context) -> None:
        """Draw for the active head."""
        from ..scene import landmarks, photo_view

        head, settings = head_of(context), context.scene.reconstruct_face
        layout = self.layout
        layout.prop(head, "name", text="", icon="USER")
        area = area_of(context)
        shown = area is not None and photo_view.is_shown(head, view_of(area))
        layout.operator(RECONSTRUCT_FACE_OT_photo_view.bl_idname, icon="VIEW_CAMERA", depress=shown)
        row = layout.row()
        row.enabled = shown
        row.prop(settings, "overlay", slider=True)
        column = layout.column(align=True)
        column.enabled = SESSION.run is None
        column.operator(RECONSTRUCT_FACE_OT_edit_landmarks.bl_idname, icon="TRACKER")
        moved = landmarks.corrected(head)
        if moved:
            row = column.row(align=True)
            row.label(text=strings.corrections(len(moved)))
            row.operator(RECONSTRUCT_FACE_OT_forget_landmarks.bl_idname, text="", icon="X")
        column.operator(RECONSTRUCT_FACE_OT_refit.bl_idname, icon="FILE_REFRESH")
        row = column.row(align=True)  # what users change most for another fit
        row.enabled = settings.texture != "none"
        row.prop(settings, "texture_size", text=ABOUT["texture"].label)
        column.operator(RECONSTRUCT_FACE_OT_replace_photo.bl_idname, icon="FILE_IMAGE")


CLASSES = (RECONSTRUCT_FACE_PT_head,)
