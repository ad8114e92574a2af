"""The active head: its photo's view, landmarks, another fit."""

from __future__ import annotations

import bpy

from ..backend.exchange.options import ABOUT
from ..operators import strings
from ..operators import strings_photos as texts
from ..operators.landmarks import (
    RECONSTRUCT_FACE_OT_edit_landmarks,
    RECONSTRUCT_FACE_OT_end_landmarks,
    RECONSTRUCT_FACE_OT_forget_landmarks,
)
from ..operators.refit import (
    RECONSTRUCT_FACE_OT_add_to_head,
    RECONSTRUCT_FACE_OT_refit,
    RECONSTRUCT_FACE_OT_replace_photo,
)
from ..operators.session import SESSION
from ..operators.turntable import RECONSTRUCT_FACE_OT_turntable
from ..operators.view import RECONSTRUCT_FACE_OT_photo_view, RECONSTRUCT_FACE_OT_step_photo
from ..scene.context import area_of, head_of, view_of
from .progress import draw_failure, draw_progress
from .sidebar import FacePanel
from .text import draw_sentence, layout_of


class RECONSTRUCT_FACE_PT_head(FacePanel, bpy.types.Panel):
    """What can be done with the active head as a whole."""

    bl_idname = "RECONSTRUCT_FACE_PT_head"
    bl_label = strings.HEAD_PANEL

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only for a head of ours."""
        from ..scene.current import current_head

        return current_head(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draw for the active head."""
        from ..scene import hair, landmarks, photo_view, turntable
        from ..scene.mesh import left_out, photo_count, photo_name

        head, settings = head_of(context), context.scene.reconstruct_face
        layout = layout_of(self)
        layout.prop(head, "name", text="", icon="USER")
        area = area_of(context)
        shown = area is not None and photo_view.is_shown(head, view_of(area))
        layout.operator(RECONSTRUCT_FACE_OT_photo_view.bl_idname, icon="VIEW_CAMERA", depress=shown)
        count, number = photo_count(head), photo_view.current_number(head, context)
        if count > 1:
            _draw_steps(layout, number, count, photo_name(head, number))
        told = {settings.photo_told, *(photo.told for photo in settings.further)}
        for sentence in left_out(head):
            if sentence not in told:  # under the list already
                draw_sentence(layout, sentence, icon="INFO")
        if photo_view.is_turned_away(context):
            button = layout.operator(
                RECONSTRUCT_FACE_OT_photo_view.bl_idname, text=strings.LEAVE_VIEW, icon="LOOP_BACK"
            )
            button.leave = True
        row = layout.row()
        row.enabled = shown
        row.prop(settings, "overlay", slider=True)
        turning = turntable.turntable_of(head) is not None
        layout.operator(
            RECONSTRUCT_FACE_OT_turntable.bl_idname, icon="CON_ROTLIKE", depress=turning
        )
        for thing in hair.hair_of(head):
            node = hair.viewport_share(thing)
            if node is not None:
                layout.prop(node.outputs[0], "default_value", text=strings.HAIR_IN_VIEWPORT)
        draw_progress(layout, "head")
        draw_failure(layout, "head")
        if SESSION.editing is not None:
            _draw_editing(layout.box())
        column = layout.column(align=True)
        column.enabled = not SESSION.busy
        column.operator(RECONSTRUCT_FACE_OT_edit_landmarks.bl_idname, icon="TRACKER")
        moved = landmarks.corrected(head, number)
        if moved:
            row = column.row(align=True)
            told = strings.corrections if count == 1 else texts.corrections
            row.label(text=told(len(moved)))
            row.operator(RECONSTRUCT_FACE_OT_forget_landmarks.bl_idname, text="", icon="X")
        column.operator(RECONSTRUCT_FACE_OT_refit.bl_idname, icon="FILE_REFRESH")
        row = column.row(align=True)  # what users change most for another fit
        row.enabled = settings.texture != "none"
        row.prop(settings, "texture_size", text=ABOUT["texture"].label)
        column.operator(RECONSTRUCT_FACE_OT_replace_photo.bl_idname, icon="FILE_IMAGE")
        row = column.row(align=True)
        row.operator(RECONSTRUCT_FACE_OT_add_to_head.bl_idname, icon="ADD")
        if count > 1:
            row.operator(
                RECONSTRUCT_FACE_OT_refit.bl_idname, text=texts.LEAVE_OUT, icon="REMOVE"
            ).leave_out = True


def _draw_steps(layout: bpy.types.UILayout, number: int, count: int, name: str) -> None:
    """Which photo of the person is shown, between buttons to the one before and the next."""
    row = layout.row(align=True)
    row.operator(RECONSTRUCT_FACE_OT_step_photo.bl_idname, text="", icon="TRIA_LEFT").step = -1
    middle = row.row()
    middle.alignment = "CENTER"
    middle.label(text=texts.photo_of(number + 1, count, name))
    row.operator(RECONSTRUCT_FACE_OT_step_photo.bl_idname, text="", icon="TRIA_RIGHT").step = 1


def _draw_editing(box: bpy.types.UILayout) -> None:
    """What can be done while landmarks are dragged, and how it ends."""
    draw_sentence(box, strings.LANDMARK_HELP, icon="INFO")
    row = box.row(align=True)
    row.scale_y = 1.3
    row.operator(
        RECONSTRUCT_FACE_OT_end_landmarks.bl_idname, text=strings.FIT_LANDMARKS, icon="CHECKMARK"
    ).fit = True
    row.operator(
        RECONSTRUCT_FACE_OT_end_landmarks.bl_idname, text=strings.CANCEL, icon="CANCEL"
    ).fit = False


CLASSES = (RECONSTRUCT_FACE_PT_head,)
