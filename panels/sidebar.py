"""The "Face" tab in the sidebar of the 3D view."""

from __future__ import annotations

import bpy

from ..operators import strings
from ..operators.reconstruct import RECONSTRUCT_FACE_OT_neutral, RECONSTRUCT_FACE_OT_reconstruct
from ..scene.mesh import expression_keys, is_head


class _FacePanel:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = strings.TAB


class RECONSTRUCT_FACE_PT_reconstruct(_FacePanel, bpy.types.Panel):
    """Photo, options and the button."""

    bl_idname = "RECONSTRUCT_FACE_PT_reconstruct"
    bl_label = strings.PANEL

    def draw(self, context: bpy.types.Context) -> None:
        """Draw from the scene's settings."""
        settings = context.scene.reconstruct_face
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(settings, "photo")
        layout.prop(settings, "face")
        layout.prop(settings, "texture")
        layout.prop(settings, "quality")
        row = layout.row()
        row.scale_y = 1.4
        # Without a photo the button asks for one.
        row.operator_context = "EXEC_DEFAULT" if settings.photo else "INVOKE_DEFAULT"
        button = row.operator(RECONSTRUCT_FACE_OT_reconstruct.bl_idname, icon="USER")
        button.filepath = settings.photo
        button.face = settings.face
        button.texture = settings.texture
        button.quality = settings.quality


class RECONSTRUCT_FACE_PT_expression(_FacePanel, bpy.types.Panel):
    """The active head's expression, a slider per shape key."""

    bl_idname = "RECONSTRUCT_FACE_PT_expression"
    bl_label = strings.EXPRESSION_PANEL

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the sliders, or say what is missing."""
        layout = self.layout
        head = context.active_object
        if not is_head(head):
            layout.label(text=strings.NO_HEAD, icon="INFO")
            return
        layout.operator(RECONSTRUCT_FACE_OT_neutral.bl_idname, icon="LOOP_BACK")
        column = layout.column(align=True)
        for key in expression_keys(head):
            column.prop(key, "value", text=key.name, slider=True)


CLASSES = (RECONSTRUCT_FACE_PT_reconstruct, RECONSTRUCT_FACE_PT_expression)
