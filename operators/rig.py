"""The rig of the active head and its parts: thin shells around ``scene/armature``."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty

from ..backend.errors import FaceError
from ..scene.context import head_of, scene_of
from . import strings_rig as texts
from .view import OnHead

LEAD_ITEMS = tuple((key, *told) for key, told in texts.LEADS.items())


class OnRig(OnHead):
    """Base of operators that need a head with a rig."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether the head in question has one."""
        from ..scene.armature.known import armature_of

        if not super().poll(context):
            return False
        cls.poll_message_set(texts.NO_RIG)  # pyright: ignore[reportAttributeAccessIssue]
        return armature_of(head_of(context)) is not None


class RECONSTRUCT_FACE_OT_add_rig(OnHead, bpy.types.Operator):
    """Give the active head a rig."""

    bl_idname = "reconstruct_face.add_rig"
    bl_label = texts.ADD
    bl_description = texts.ADD_TIP
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add it."""
        from ..scene.armature.build import add_armature

        try:
            add_armature(head_of(context))
        except FaceError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_remove_rig(OnRig, bpy.types.Operator):
    """Take the rig of the active head away."""

    bl_idname = "reconstruct_face.remove_rig"
    bl_label = texts.REMOVE
    bl_description = texts.REMOVE_TIP
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove it."""
        from ..scene.armature.build import remove_armature

        head = head_of(context)
        if context.mode == "POSE":
            bpy.ops.object.mode_set(mode="OBJECT")
        remove_armature(head)
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_hand_over(OnRig, bpy.types.Operator):
    """Let bones or shape keys drive the other."""

    bl_idname = "reconstruct_face.hand_over"
    bl_label = texts.LEAD
    bl_description = texts.HAND_OVER_TIP
    bl_options = {"REGISTER", "UNDO"}

    lead: EnumProperty(name=texts.LEAD, items=LEAD_ITEMS)

    @classmethod
    def description(
        cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties
    ) -> str:
        """The tooltip."""
        return f"{texts.LEADS[properties.lead][1]}. {texts.HAND_OVER_TIP}"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Change it."""
        from ..scene.animation.hand_over import hand_over

        try:
            count = hand_over(head_of(context), self.lead, scene_of(context))
        except FaceError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, texts.handed_over(count, self.lead))
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_pose_rig(OnRig, bpy.types.Operator):
    """Go to the rig's pose mode, or leave it."""

    bl_idname = "reconstruct_face.pose_rig"
    bl_label = texts.POSE
    bl_description = texts.POSE_TIP
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Switch the mode."""
        from ..scene.armature.known import armature_of

        head, layer = head_of(context), context.view_layer
        armature = armature_of(head)
        assert armature is not None and layer is not None
        if armature.mode == "POSE":
            bpy.ops.object.mode_set(mode="OBJECT")
            return {"FINISHED"}
        if context.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        for thing in list(context.selected_objects):
            thing.select_set(False)
        armature.hide_set(False)
        armature.select_set(True)
        layer.objects.active = armature
        bpy.ops.object.mode_set(mode="POSE")
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_parts(OnHead, bpy.types.Operator):
    """Make the parts of the active head objects, or put them back."""

    bl_idname = "reconstruct_face.parts"
    bl_label = texts.PARTS
    bl_description = texts.PARTS_TIP
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Switch it."""
        from ..scene import parts

        head = head_of(context)
        try:
            if parts.parts_of(head):
                parts.remove_parts(head)
            else:
                parts.add_parts(head)
        except FaceError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_metarig(OnHead, bpy.types.Operator):
    """Lay Rigify's face metarig out on the active head."""

    bl_idname = "reconstruct_face.metarig"
    bl_label = texts.METARIG
    bl_description = texts.METARIG_TIP
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """For a head of ours, where Rigify is on."""
        from ..scene.armature.rigify import is_on

        if not super().poll(context):
            return False
        cls.poll_message_set(texts.RIGIFY_OFF)  # pyright: ignore[reportCallIssue]
        return is_on()

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add it."""
        from ..scene.armature.rigify import add_metarig

        try:
            metarig = add_metarig(head_of(context))
        except FaceError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, texts.metarig_added(metarig.name))
        return {"FINISHED"}


CLASSES = (
    RECONSTRUCT_FACE_OT_add_rig,
    RECONSTRUCT_FACE_OT_remove_rig,
    RECONSTRUCT_FACE_OT_hand_over,
    RECONSTRUCT_FACE_OT_pose_rig,
    RECONSTRUCT_FACE_OT_parts,
    RECONSTRUCT_FACE_OT_metarig,
)
