"""The rig of the active head, and its parts."""

from __future__ import annotations

import bpy

from ..operators import strings_rig as texts
from ..operators.rig import (
    LEAD_ITEMS,
    RECONSTRUCT_FACE_OT_add_rig,
    RECONSTRUCT_FACE_OT_hand_over,
    RECONSTRUCT_FACE_OT_metarig,
    RECONSTRUCT_FACE_OT_parts,
    RECONSTRUCT_FACE_OT_pose_rig,
    RECONSTRUCT_FACE_OT_remove_rig,
)
from ..scene.context import head_of
from .sidebar import FacePanel
from .text import layout_of


class RECONSTRUCT_FACE_PT_rig(FacePanel, bpy.types.Panel):
    """Bones, what they drive, parts."""

    bl_idname = "RECONSTRUCT_FACE_PT_rig"
    bl_label = texts.PANEL
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 22

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only for a head of ours."""
        from ..scene.current import current_head

        return current_head(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draw for the active head."""
        from ..scene.armature.known import FOLLOW, GAZE, armature_of
        from ..scene.armature.lead import lead_of
        from ..scene.parts import parts_of

        head, layout = head_of(context), layout_of(self)
        armature = armature_of(head)
        if armature is None:
            layout.operator(RECONSTRUCT_FACE_OT_add_rig.bl_idname, icon="ARMATURE_DATA")
        else:
            row = layout.row(align=True)
            row.label(text=texts.LEAD)
            for lead, label, _ in LEAD_ITEMS:
                button = row.operator(
                    RECONSTRUCT_FACE_OT_hand_over.bl_idname,
                    text=label,
                    depress=lead_of(head) == lead,
                )
                button.lead = lead
            row = layout.row(align=True)
            row.operator(
                RECONSTRUCT_FACE_OT_pose_rig.bl_idname,
                icon="POSE_HLT",
                depress=armature.mode == "POSE",
            )
            row.operator(RECONSTRUCT_FACE_OT_remove_rig.bl_idname, text="", icon="X")
            target = armature.pose.bones.get(GAZE)
            if target is not None and FOLLOW in target:
                layout.prop(target, f'["{FOLLOW}"]', text=texts.FOLLOW, slider=True)
        layout.operator(
            RECONSTRUCT_FACE_OT_parts.bl_idname, icon="MOD_MASK", depress=bool(parts_of(head))
        )
        layout.operator(RECONSTRUCT_FACE_OT_metarig.bl_idname, icon="OUTLINER_OB_ARMATURE")


CLASSES = (RECONSTRUCT_FACE_PT_rig,)
