"""The landmarks of the active head as handles over its photo, to be dragged where they belong."""

from __future__ import annotations

from typing import Any

import bpy

from ..scene.context import head_of
from . import strings
from .view import OnHead

#: Pixels on the screen, before the interface's scale.
REACH_PX = 14.0
_NAVIGATION = {"MIDDLEMOUSE", "WHEELUPMOUSE", "WHEELDOWNMOUSE", "TRACKPADPAN", "TRACKPADZOOM"}


class RECONSTRUCT_FACE_OT_edit_landmarks(OnHead, bpy.types.Operator):
    """Drag landmarks over the photo; Enter fits the head to them."""

    bl_idname = "reconstruct_face.edit_landmarks"
    bl_label = strings.EDIT_LANDMARKS
    bl_description = strings.EDIT_LANDMARKS_TIP
    bl_options = {"UNDO"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Show the photo's view and the handles."""
        from ..scene import landmarks, photo_view
        from ..scene.landmark_handles import Handles

        head = head_of(context)
        points = landmarks.shown(head)
        if not points:
            self.report({"ERROR"}, strings.no_landmarks(head.name))
            return {"CANCELLED"}
        camera = photo_view.camera_of(head)
        if camera is None or not photo_view.show(head, context):
            self.report({"ERROR"}, strings.no_camera(head.name))
            return {"CANCELLED"}
        moved = {index: (x, y) for index, x, y in landmarks.corrected(head)}
        self._head = head.name
        self._handles = Handles(points, landmarks.fitted(head), moved, camera)
        self._drawn = bpy.types.SpaceView3D.draw_handler_add(
            self._handles.draw, (context.area,), "WINDOW", "POST_PIXEL"
        )
        context.window_manager.modal_handler_add(self)
        context.workspace.status_text_set(strings.LANDMARK_KEYS)
        context.area.tag_redraw()
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Drag, put back, undo, confirm, cancel; moving the view is left to Blender."""
        if context.area is None or bpy.data.objects.get(self._head) is None:
            self.cancel(context)
            return {"CANCELLED"}
        context.area.tag_redraw()
        region = next(region for region in context.area.regions if region.type == "WINDOW")
        place = (event.mouse_x - region.x, event.mouse_y - region.y)
        handles = self._handles
        reach = REACH_PX * context.preferences.system.ui_scale
        if event.type == "MOUSEMOVE":
            handles.move(context, region, place, reach)
            return {"RUNNING_MODAL"} if handles.dragged is not None else {"PASS_THROUGH"}
        if event.type == "LEFTMOUSE":
            return self._button(event, handles)
        if event.value != "PRESS":
            return {"PASS_THROUGH"}
        if event.type in {"RET", "NUMPAD_ENTER"}:
            return self._confirm(context)
        if event.type in {"ESC", "RIGHTMOUSE"}:
            self.cancel(context)
            return {"CANCELLED"}
        if event.type in {"X", "DEL", "BACK_SPACE"}:
            handles.put_back(handles.hovered)
            return {"RUNNING_MODAL"}
        if event.type == "Z" and (event.ctrl or event.oskey):
            handles.undo()
            return {"RUNNING_MODAL"}
        return {"PASS_THROUGH"} if event.type in _NAVIGATION else {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Take the handles away."""
        bpy.types.SpaceView3D.draw_handler_remove(self._drawn, "WINDOW")
        context.workspace.status_text_set(None)
        if context.area is not None:
            context.area.tag_redraw()

    def _button(self, event: bpy.types.Event, handles: Any) -> set[str]:
        if event.value == "RELEASE":
            if handles.dragged is None:
                return {"PASS_THROUGH"}
            handles.drop()
            return {"RUNNING_MODAL"}
        if event.value == "PRESS" and handles.hovered is not None:
            handles.grab()
            return {"RUNNING_MODAL"}
        return {"PASS_THROUGH"}  # the sidebar's buttons

    def _confirm(self, context: bpy.types.Context) -> set[str]:
        from ..scene.landmarks import set_corrected

        self.cancel(context)
        head = bpy.data.objects[self._head]
        set_corrected(head, self._handles.moved)
        bpy.ops.reconstruct_face.refit("INVOKE_DEFAULT")
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_forget_landmarks(OnHead, bpy.types.Operator):
    """Drop the corrections of the active head's landmarks."""

    bl_idname = "reconstruct_face.forget_landmarks"
    bl_label = strings.FORGET_LANDMARKS
    bl_description = strings.FORGET_LANDMARKS_TIP
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """The next fit is without them."""
        from ..scene.landmarks import set_corrected

        set_corrected(head_of(context), {})
        return {"FINISHED"}


CLASSES = (RECONSTRUCT_FACE_OT_edit_landmarks, RECONSTRUCT_FACE_OT_forget_landmarks)
