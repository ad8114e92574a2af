"""The photo's view of the active head, on and off."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, IntProperty

from ..scene.context import head_of
from . import strings
from . import strings_photos as texts
from .session import SESSION


class OnHead:
    """Base of operators that need a head of ours: see ``scene/current.py``."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it is clear which head is meant."""
        from ..scene.current import current_head

        cls.poll_message_set(strings.NO_HEAD)  # pyright: ignore[reportCallIssue]
        return current_head(context) is not None


class RECONSTRUCT_FACE_OT_photo_view(OnHead, bpy.types.Operator):
    """See the active head as its photo does, or leave that view."""

    bl_idname = "reconstruct_face.photo_view"
    bl_label = strings.PHOTO_VIEW
    bl_description = strings.PHOTO_VIEW_TIP

    leave: BoolProperty(default=False, options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def description(
        cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties
    ) -> str:
        """The tooltip."""
        return strings.LEAVE_VIEW_TIP if properties.leave else strings.PHOTO_VIEW_TIP

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Switch it."""
        from ..scene import photo_view
        from ..scene.mesh import photo_count

        head, space = head_of(context), context.space_data
        shown = isinstance(space, bpy.types.SpaceView3D) and photo_view.is_shown(head, space)
        if self.leave or shown:
            photo_view.leave(context)
        elif not photo_view.show(head, context):
            self.report({"ERROR"}, strings.no_camera(head.name))
            return {"CANCELLED"}
        if photo_count(head) > 1 and not bpy.app.background:  # its sliders may have moved
            bpy.ops.ed.undo_push(message=self.bl_label)
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_step_photo(OnHead, bpy.types.Operator):
    """See the active head as its next photo does, or the one before."""

    bl_idname = "reconstruct_face.step_photo"
    bl_label = texts.STEP_PHOTO
    bl_description = texts.NEXT_PHOTO_TIP
    bl_options = {"UNDO"}

    step: IntProperty(default=1, min=-1, max=1, options={"SKIP_SAVE"})

    @classmethod
    def description(
        cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties
    ) -> str:
        """The tooltip."""
        return texts.NEXT_PHOTO_TIP if properties.step > 0 else texts.PREVIOUS_PHOTO_TIP

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Not while landmarks are dragged, which are those of the photo that is shown."""
        return super().poll(context) and SESSION.editing is None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Show it, with as much of it over the head; photos whose camera is gone are passed."""
        from ..scene import photo_view
        from ..scene.mesh import photo_count

        head = head_of(context)
        count, number = photo_count(head), photo_view.current_number(head, context)
        for ahead in range(1, count + 1):
            wanted = (number + (ahead if self.step > 0 else -ahead)) % count
            if photo_view.show(head, context, wanted):
                photo_view.set_overlay(head, context.scene.reconstruct_face.overlay)
                return {"FINISHED"}
        self.report({"ERROR"}, strings.no_camera(head.name))
        return {"CANCELLED"}


CLASSES = (RECONSTRUCT_FACE_OT_photo_view, RECONSTRUCT_FACE_OT_step_photo)


def unregister_more() -> None:
    """Forget how the views were."""
    import sys

    module = sys.modules.get(f"{__package__.rpartition('.')[0]}.scene.photo_view")
    if module is not None:
        module.forget()
