"""The landmarks of the active head as handles over its photo, to be dragged where they belong."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import BoolProperty

from ..backend.errors import FaceError
from ..scene.context import area_of, head_of, scene_of
from . import strings
from .session import INTERVAL_S, SESSION, LandmarkEditing
from .view import OnHead

#: Pixels on the screen, before the interface's scale.
REACH_PX = 14.0
_NAVIGATION = {"MIDDLEMOUSE", "WHEELUPMOUSE", "WHEELDOWNMOUSE", "TRACKPADPAN", "TRACKPADZOOM"}


class RECONSTRUCT_FACE_OT_edit_landmarks(OnHead, bpy.types.Operator):
    """Drag landmarks over the photo; Enter, or a button of the panel, fits the head to them."""

    bl_idname = "reconstruct_face.edit_landmarks"
    bl_label = strings.EDIT_LANDMARKS
    bl_description = strings.EDIT_LANDMARKS_TIP
    bl_options = {"UNDO"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Show the photo's view, the photo over the head, and the handles."""
        from ..scene import landmarks, photo_view
        from ..scene.landmark_handles import Handles
        from ..scene.update import check_can_update

        head, settings = head_of(context), scene_of(context).reconstruct_face
        if SESSION.busy:
            self.report({"ERROR"}, strings.BUSY if SESSION.editing is None else strings.EDITING)
            return {"CANCELLED"}
        try:
            check_can_update(head, settings.options())
        except FaceError as error:  # not only after all has been dragged
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self._number = number = photo_view.current_number(head, context)
        points = landmarks.shown(head, number)
        if not points:
            self.report({"ERROR"}, strings.no_landmarks(head.name))
            return {"CANCELLED"}
        camera = photo_view.camera_of(head, number)
        if camera is None or not photo_view.show(head, context, number):
            self.report({"ERROR"}, strings.no_camera(head.name))
            return {"CANCELLED"}
        moved = {index: (x, y) for index, x, y in landmarks.corrected(head, number)}
        self._head, self._scene, self._overlay = head.name, scene_of(context).name, settings.overlay
        settings.overlay = 1.0  # the photo is what is marked; the slider shows the head as well
        self._handles = Handles(points, landmarks.fitted(head, number), moved, camera)
        self._drawn = bpy.types.SpaceView3D.draw_handler_add(
            self._handles.draw, (context.area,), "WINDOW", "POST_PIXEL"
        )
        self._editing = SESSION.editing = LandmarkEditing()
        manager = context.window_manager
        self._timer = manager.event_timer_add(INTERVAL_S, window=context.window)
        manager.modal_handler_add(self)
        context.area.tag_redraw()
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Drag, put back, undo, confirm, cancel; moving the view is left to Blender."""
        gone = SESSION.editing is not self._editing or bpy.data.objects.get(self._head) is None
        area = area_of(context)
        if area is None or gone or self._editing.wanted == "cancel":
            self.cancel(context)
            return {"CANCELLED"}
        if self._editing.wanted == "fit":
            return self._confirm(context)
        if event.type == "TIMER":
            context.workspace.status_text_set(strings.LANDMARK_KEYS)  # others clear it
            return {"PASS_THROUGH"}
        area.tag_redraw()
        region = next(region for region in area.regions if region.type == "WINDOW")
        place = (event.mouse_x - region.x, event.mouse_y - region.y)
        handles = self._handles
        reach = REACH_PX * context.preferences.system.ui_scale
        if handles.dragged is None and not _over_the_view(area, event):
            handles.hovered = None
            return {"PASS_THROUGH"}  # the sidebar's buttons, other editors
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
        """Take the handles away, and the photo off the head."""
        bpy.types.SpaceView3D.draw_handler_remove(self._drawn, "WINDOW")
        context.window_manager.event_timer_remove(self._timer)
        if SESSION.editing is self._editing:
            SESSION.editing = None
        scene = bpy.data.scenes.get(self._scene)
        if scene is not None:
            scene.reconstruct_face.overlay = self._overlay
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
        return {"RUNNING_MODAL"}  # a click beside the points selects nothing else

    def _confirm(self, context: bpy.types.Context) -> set[str]:
        from ..scene.landmarks import set_corrected

        self.cancel(context)
        head = bpy.data.objects[self._head]
        set_corrected(head, self._handles.moved, self._number)
        bpy.ops.reconstruct_face.refit("INVOKE_DEFAULT")
        return {"FINISHED"}


def _over_the_view(area: bpy.types.Area, event: bpy.types.Event) -> bool:
    """Whether the mouse is over what ``area`` shows, not over a sidebar or header of it."""

    def holds(region: bpy.types.Region) -> bool:
        across, up = event.mouse_x - region.x, event.mouse_y - region.y
        return 0 <= across < region.width and 0 <= up < region.height

    over = {region.type for region in area.regions if region.width > 1 and holds(region)}
    return "WINDOW" in over and not over & {"UI", "TOOLS", "HEADER", "TOOL_HEADER"}


class RECONSTRUCT_FACE_OT_end_landmarks(bpy.types.Operator):
    """What Enter and Esc do while landmarks are dragged."""

    bl_idname = "reconstruct_face.end_landmarks"
    bl_label = strings.END_LANDMARKS
    bl_options = {"INTERNAL"}

    fit: BoolProperty(default=True, options={"SKIP_SAVE"})

    @classmethod
    def description(
        cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties
    ) -> str:
        """The tooltip."""
        return strings.FIT_LANDMARKS_TIP if properties.fit else strings.CANCEL_LANDMARKS_TIP

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether any are."""
        return SESSION.editing is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Tell the operator that drags them."""
        assert SESSION.editing is not None
        SESSION.editing.wanted = "fit" if self.fit else "cancel"
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_forget_landmarks(OnHead, bpy.types.Operator):
    """Drop the corrections of the active head's landmarks in the photo that is shown."""

    bl_idname = "reconstruct_face.forget_landmarks"
    bl_label = strings.FORGET_LANDMARKS
    bl_description = strings.FORGET_LANDMARKS_TIP
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """The next fit is without them."""
        from ..scene.landmarks import set_corrected
        from ..scene.photo_view import current_number

        head = head_of(context)
        set_corrected(head, {}, current_number(head, context))
        return {"FINISHED"}


CLASSES = (
    RECONSTRUCT_FACE_OT_edit_landmarks,
    RECONSTRUCT_FACE_OT_end_landmarks,
    RECONSTRUCT_FACE_OT_forget_landmarks,
)
