"""Expressions saved and applied as assets: thin shells around ``scene/pose_asset.py``."""

from __future__ import annotations

import bpy
from bpy.props import FloatProperty, StringProperty

from ..backend.errors import FaceError
from . import strings
from .expression import ChangesExpression


class RECONSTRUCT_FACE_OT_save_expression(ChangesExpression, bpy.types.Operator):
    """The sliders as an asset of this file."""

    bl_idname = "reconstruct_face.save_expression"
    bl_label = strings.SAVE_EXPRESSION
    bl_description = strings.SAVE_EXPRESSION_TIP
    bl_options = {"REGISTER", "UNDO"}

    name: StringProperty(
        name=strings.ASSET_NAME, description=strings.ASSET_NAME_TIP, default=strings.NEW_EXPRESSION
    )
    tags: StringProperty(name=strings.ASSET_TAGS, description=strings.ASSET_TAGS_TIP)
    description: StringProperty(
        name=strings.ASSET_DESCRIPTION, description=strings.ASSET_DESCRIPTION_TIP
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the name first."""
        return context.window_manager.invoke_props_dialog(self)

    def change(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Save it."""
        from ..scene.pose_asset import save_expression

        action = save_expression(
            head, self.name, tags=self.tags.split(","), description=self.description
        )
        self.report({"INFO"}, strings.saved_expression(action.name))


class RECONSTRUCT_FACE_OT_apply_expression(ChangesExpression, bpy.types.Operator):
    """A saved expression for the active head."""

    bl_idname = "reconstruct_face.apply_expression"
    bl_label = strings.APPLY_EXPRESSION
    bl_description = strings.APPLY_EXPRESSION_TIP
    bl_options = {"REGISTER", "UNDO"}

    action: StringProperty(name=strings.EXPRESSIONS, description=strings.APPLY_EXPRESSION_TIP)
    blend: FloatProperty(
        name=strings.BLEND,
        description=strings.BLEND_TIP,
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )

    def change(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Apply it."""
        from ..scene.pose_asset import apply_expression

        action = bpy.data.actions.get(self.action)
        if action is None:
            raise FaceError(strings.no_such_expression(self.action))
        apply_expression(action, head, self.blend)


class RECONSTRUCT_FACE_MT_expressions(bpy.types.Menu):
    """The expressions that are saved in this file."""

    bl_idname = "RECONSTRUCT_FACE_MT_expressions"
    bl_label = strings.EXPRESSIONS
    bl_description = strings.APPLY_EXPRESSION_TIP

    def draw(self, context: bpy.types.Context) -> None:
        """One entry an expression, with its picture."""
        from ..scene.pose_asset import saved_expressions

        saved = saved_expressions()
        for action in saved:
            icon = action.preview.icon_id if action.preview is not None else 0
            entry = self.layout.operator(
                RECONSTRUCT_FACE_OT_apply_expression.bl_idname, text=action.name, icon_value=icon
            )
            entry.action = action.name
        if not saved:
            self.layout.label(text=strings.NO_EXPRESSIONS)


CLASSES = (
    RECONSTRUCT_FACE_OT_save_expression,
    RECONSTRUCT_FACE_OT_apply_expression,
    RECONSTRUCT_FACE_MT_expressions,
)
