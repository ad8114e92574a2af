"""Expressions for a mesh that is not ours."""

from __future__ import annotations

import bpy

from ..operators import strings_own_mesh as texts
from ..operators.own_mesh import (
    PLACE,
    RECONSTRUCT_FACE_OT_own_mesh_discard,
    RECONSTRUCT_FACE_OT_own_mesh_find,
    RECONSTRUCT_FACE_OT_own_mesh_keep,
    RECONSTRUCT_FACE_OT_own_mesh_make,
    RECONSTRUCT_FACE_OT_own_mesh_place,
    RECONSTRUCT_FACE_OT_own_mesh_try,
    RECONSTRUCT_FACE_OT_own_mesh_unplace,
    mesh_of,
)
from ..scene.context import scene_of
from .progress import draw_failure, draw_progress
from .sidebar import FacePanel
from .text import draw_sentence, layout_of

#: Poses in a row of buttons.
_IN_A_ROW = 3


class RECONSTRUCT_FACE_PT_own_mesh(FacePanel, bpy.types.Panel):
    """Landmarks, the button, and what was made."""

    bl_idname = "RECONSTRUCT_FACE_PT_own_mesh"
    bl_label = texts.PANEL
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 27

    def draw(self, context: bpy.types.Context) -> None:
        """Draw for the active mesh."""
        from ..scene.own_mesh import landmark_objects, made

        layout, mesh = layout_of(self), mesh_of(context)
        if mesh is None:
            draw_sentence(layout, texts.CLICK, icon="INFO")
            draw_failure(layout, PLACE)
            return
        draw_sentence(layout, texts.ABOUT.format(mesh.name))
        if made(mesh) is not None:
            _draw_made(layout, mesh)
            return
        set_ = len(landmark_objects(mesh))
        column = layout.column(align=True)
        column.label(text=texts.SET.format(set_) if set_ else texts.NONE_SET)
        column.operator(RECONSTRUCT_FACE_OT_own_mesh_find.bl_idname, icon="VIEWZOOM")
        column.operator(RECONSTRUCT_FACE_OT_own_mesh_place.bl_idname, icon="EMPTY_DATA")
        if set_:
            column.operator(RECONSTRUCT_FACE_OT_own_mesh_unplace.bl_idname, icon="X")
        layout.operator(RECONSTRUCT_FACE_OT_own_mesh_make.bl_idname, icon="SHAPEKEY_DATA")
        layout.prop(scene_of(context), "reconstruct_face_replace_keys")
        draw_progress(layout, PLACE)
        draw_failure(layout, PLACE)


def _draw_made(layout: bpy.types.UILayout, mesh: bpy.types.Object) -> None:
    """What was found, poses to try, and the two buttons."""
    from ..scene.own_mesh import made

    known = made(mesh) or {}
    fit, covered = known.get("fit_mm"), known.get("covered")
    if isinstance(fit, int | float) and isinstance(covered, int | float):
        draw_sentence(layout, texts.FIT.format(fit, covered), icon="CHECKMARK")
    for note in known.get("notes", []):
        draw_sentence(layout, str(note), icon="INFO")
    column = layout.column(align=True)
    for start in range(0, len(texts.POSES), _IN_A_ROW):
        row = column.row(align=True)
        for pose, name, _ in texts.POSES[start : start + _IN_A_ROW]:
            button = row.operator(RECONSTRUCT_FACE_OT_own_mesh_try.bl_idname, text=name)
            button.pose = pose
    row = layout.row(align=True)
    row.operator(RECONSTRUCT_FACE_OT_own_mesh_keep.bl_idname, icon="CHECKMARK")
    row.operator(RECONSTRUCT_FACE_OT_own_mesh_discard.bl_idname, icon="X")
    draw_failure(layout, PLACE)


CLASSES = (RECONSTRUCT_FACE_PT_own_mesh,)
