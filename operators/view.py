"""The photo's view of the active head, on and off."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty

from ..scene.context import head_of
from . import strings


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

        head, space = head_of(context), context.space_data
        shown = isinstance(space, bpy.types.SpaceView3D) and photo_view.is_shown(head, space)
        if self.leave or shown:
            photo_view.leave(context)
        elif not photo_view.show(head, context):
            self.report({"ERROR"}, strings.no_camera(head.name))
            return {"CANCELLED"}
        return {"FINISHED"}


CLASSES = (RECONSTRUCT_FACE_OT_photo_view,)


def unregister_more() -> None:
    """Forget how the views were."""
    import sys

    module = sys.modules.get(f"{__package__.rpartition('.')[0]}.scene.photo_view")
    if module is not None:
        module.forget()
