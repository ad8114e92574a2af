"""Animation of the active head, or of a new one: video, motion files, the animator's tools."""

from __future__ import annotations

import bpy

from ..operators import strings
from ..operators import strings_animation as texts
from ..operators.animate import RECONSTRUCT_FACE_OT_animate_video, RECONSTRUCT_FACE_OT_take_clip
from ..operators.animation import (
    RECONSTRUCT_FACE_MT_retarget,
    RECONSTRUCT_FACE_OT_add_presets,
    RECONSTRUCT_FACE_OT_blend_and_hold,
    RECONSTRUCT_FACE_OT_export_animation,
    RECONSTRUCT_FACE_OT_export_motion,
    RECONSTRUCT_FACE_OT_import_motion,
    RECONSTRUCT_FACE_OT_key_group,
    RECONSTRUCT_FACE_OT_mirror_animation,
    RECONSTRUCT_FACE_OT_symmetrise_animation,
    draw_settings,
)
from ..operators.session import SESSION
from ..operators.speech import RECONSTRUCT_FACE_OT_mouth_from_sound
from ..scene.context import scene_of
from .progress import draw_failure, draw_progress
from .sidebar import FacePanel
from .text import draw_sentence, layout_of


class RECONSTRUCT_FACE_PT_animation(FacePanel, bpy.types.Panel):
    """From a video or a file, and out again."""

    bl_idname = "RECONSTRUCT_FACE_PT_animation"
    bl_label = texts.ANIMATION_PANEL
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 25

    def draw(self, context: bpy.types.Context) -> None:
        """Draw from the scene's settings."""
        from ..scene.current import current_head

        layout = layout_of(self)
        settings = scene_of(context).reconstruct_face_animation
        head = current_head(context) is not None
        column = layout.column(align=True)
        column.enabled = not SESSION.busy
        row = column.row(align=True)
        row.prop(settings, "video", text="", placeholder=texts.VIDEO)
        row.operator(RECONSTRUCT_FACE_OT_take_clip.bl_idname, text="", icon="SEQUENCE")
        row = column.row(align=True)
        row.prop(settings, "target", expand=True)
        row = column.row(align=True)
        row.enabled = bool(settings.video) and (head or settings.target == "new")
        row.operator(RECONSTRUCT_FACE_OT_animate_video.bl_idname, icon="CAMERA_DATA")
        draw_progress(layout, "animation")
        draw_failure(layout, "animation")
        if not head:
            draw_sentence(layout, f"{strings.NO_HEAD}.", icon="INFO")
        column = layout.column(align=True)
        column.operator(RECONSTRUCT_FACE_OT_import_motion.bl_idname, icon="IMPORT")
        column.operator(RECONSTRUCT_FACE_OT_mouth_from_sound.bl_idname, icon="SPEAKER")
        draw_settings(layout.column(align=True), settings)
        column = layout.column(align=True)
        column.operator(RECONSTRUCT_FACE_OT_export_motion.bl_idname, icon="EXPORT")
        column.operator(RECONSTRUCT_FACE_OT_export_animation.bl_idname, icon="FILE_3D")


class RECONSTRUCT_FACE_PT_curves(FacePanel, bpy.types.Panel):
    """What an animator does by hand."""

    bl_idname = "RECONSTRUCT_FACE_PT_curves"
    bl_label = texts.MORE_ANIMATION
    bl_parent_id = RECONSTRUCT_FACE_PT_animation.bl_idname
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only for a head of ours."""
        from ..scene.current import current_head

        return current_head(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the tools."""
        layout = layout_of(self)
        settings = scene_of(context).reconstruct_face_animation
        flow = layout.grid_flow(columns=2, align=True, even_columns=True)
        flow.prop(settings, "groups")
        layout.operator(RECONSTRUCT_FACE_OT_key_group.bl_idname, icon="KEY_HLT")
        column = layout.column(align=True)
        column.operator(RECONSTRUCT_FACE_OT_blend_and_hold.bl_idname, icon="IPO_EASE_IN_OUT")
        column.operator(RECONSTRUCT_FACE_OT_add_presets.bl_idname, icon="ASSET_MANAGER")
        column = layout.column(align=True)
        column.operator(RECONSTRUCT_FACE_OT_mirror_animation.bl_idname, icon="ARROW_LEFTRIGHT")
        column.operator_menu_enum(
            RECONSTRUCT_FACE_OT_symmetrise_animation.bl_idname, "side", icon="MOD_MIRROR"
        )
        column.menu(RECONSTRUCT_FACE_MT_retarget.bl_idname, icon="COMMUNITY")


CLASSES = (RECONSTRUCT_FACE_PT_animation, RECONSTRUCT_FACE_PT_curves)
