"""The expression of the active head: sliders by group, and what is done with all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from ..operators import strings
from ..operators.expression import (
    PAIRED,
    RECONSTRUCT_FACE_MT_copy_expression,
    RECONSTRUCT_FACE_OT_delete_keys,
    RECONSTRUCT_FACE_OT_key_expression,
    RECONSTRUCT_FACE_OT_mirror_expression,
    RECONSTRUCT_FACE_OT_neutral,
    RECONSTRUCT_FACE_OT_photo_expression,
    RECONSTRUCT_FACE_OT_random_expression,
    RECONSTRUCT_FACE_OT_reset_group,
    label_of,
)
from ..operators.pose_asset import (
    RECONSTRUCT_FACE_MT_expressions,
    RECONSTRUCT_FACE_OT_save_expression,
)
from ..scene.context import head_of, scene_of
from .sidebar import FacePanel
from .text import draw_sentence, layout_of

if TYPE_CHECKING:
    from ..scene.expression import Row

Keys = dict[str, bpy.types.ShapeKey]


class RECONSTRUCT_FACE_PT_expression(FacePanel, bpy.types.Panel):
    """Buttons, search and the groups of sliders."""

    bl_idname = "RECONSTRUCT_FACE_PT_expression"
    bl_label = strings.EXPRESSION_PANEL
    bl_order = 20

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only for a head of ours."""
        from ..scene.current import current_head

        return current_head(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the active head's shape keys."""
        from ..scene.mesh import expression_keys
        from ..scene.wrinkles import wrinkle_depth

        head, layout = head_of(context), layout_of(self)
        settings = scene_of(context).reconstruct_face_expression
        keys = {key.name: key for key in expression_keys(head)}
        if not keys:
            draw_sentence(layout, strings.EMPTY_HEAD, icon="ERROR")
            return
        if head.data.shape_keys.library is not None:
            draw_sentence(layout, strings.LINKED, icon="LINKED")
            layout.enabled = False
        if head.show_only_shape_key:
            column = layout.column(align=True)
            shown = head.active_shape_key.name if head.active_shape_key is not None else "Basis"
            draw_sentence(column, strings.PINNED.format(shown), icon="PINNED")
            column.prop(head, "show_only_shape_key", text=strings.UNPIN, toggle=True)
        _draw_buttons(layout)
        row = layout.row(align=True)
        row.prop(settings, "search", text="", icon="VIEWZOOM")
        row.prop(settings, "symmetric", text="", icon="MOD_MIRROR")
        draw_groups(layout, keys, settings)
        depth = wrinkle_depth(head)
        if depth is not None:
            layout.prop(depth, "default_value", text=strings.WRINKLES, slider=True)


def _draw_buttons(layout: bpy.types.UILayout) -> None:
    column = layout.column(align=True)
    row = column.row(align=True)
    row.operator(RECONSTRUCT_FACE_OT_neutral.bl_idname, icon="LOOP_BACK")
    row.operator(RECONSTRUCT_FACE_OT_photo_expression.bl_idname, icon="IMAGE_DATA")
    row = column.row(align=True)
    row.operator(RECONSTRUCT_FACE_OT_mirror_expression.bl_idname, icon="ARROW_LEFTRIGHT")
    row.operator(RECONSTRUCT_FACE_OT_random_expression.bl_idname, icon="FILE_REFRESH")
    row = column.row(align=True)
    row.operator(RECONSTRUCT_FACE_OT_key_expression.bl_idname, icon="KEY_HLT")
    row.operator(RECONSTRUCT_FACE_OT_delete_keys.bl_idname, icon="KEY_DEHLT")
    column = layout.column(align=True)
    column.menu(RECONSTRUCT_FACE_MT_copy_expression.bl_idname, icon="COMMUNITY")
    row = column.row(align=True)
    row.menu(RECONSTRUCT_FACE_MT_expressions.bl_idname, icon="ASSET_MANAGER")
    row.operator(RECONSTRUCT_FACE_OT_save_expression.bl_idname, text="", icon="ADD")


def shown_rows(keys: Keys, search: str) -> dict[str, list[Row]]:
    """The rows of each group with all words of ``search`` in label, group or shape key name."""
    from ..scene.expression import matches, rows_of

    out = {}
    for group, rows in rows_of(keys).items():
        name = strings.GROUP_NAMES[group]
        found = [row for row in rows if matches(search, [*row, label_of(row[0]), name])]
        if found:
            out[group] = found
    return out


def draw_groups(layout: bpy.types.UILayout, keys: Keys, settings: bpy.types.PropertyGroup) -> None:
    """Draw the groups, each a panel that Blender remembers as open or closed.

    While something is searched for, all that is found is open: Blender's memory is left alone.
    """
    from ..scene.expression import is_set

    groups = shown_rows(keys, settings.search)
    if not groups:
        layout.label(text=strings.NOTHING_FOUND, icon="INFO")
    for group, rows in groups.items():
        busy = any(is_set(keys[name]) for row in rows for name in row)
        if settings.search:
            header, body = layout.row(), layout.column()
        else:
            # The first group is open at first, so that there are sliders to be seen.
            header, body = layout.panel(
                f"RECONSTRUCT_FACE_expression_{group}", default_closed=group != "brows"
            )
        header.label(
            text=strings.GROUP_NAMES[group], icon="RADIOBUT_ON" if busy else "RADIOBUT_OFF"
        )
        reset = header.row()
        reset.enabled = busy
        button = reset.operator(
            RECONSTRUCT_FACE_OT_reset_group.bl_idname, text="", icon="LOOP_BACK", emboss=False
        )
        button.group = group
        if body is None:
            continue
        if group == "eyes" and not settings.search and "eyeLookUpLeft" in keys:
            gaze = body.column(align=True)
            gaze.prop(settings, "gaze_across", slider=True)
            gaze.prop(settings, "gaze_up", slider=True)
        column = body.column(align=True)
        if any(len(row) == 2 for row in rows):
            _draw_sides(column)
        for row in rows:
            _draw_row(column, row, keys, settings)


def _draw_row(
    layout: bpy.types.UILayout, names: Row, keys: Keys, settings: bpy.types.PropertyGroup
) -> None:
    """One slider, or left and right in one line: the head's left is on the right, as it is seen."""
    label = label_of(names[0])
    if len(names) == 1:
        _draw_slider(layout.row(align=True), names[0], label + _side(names[0]), keys, settings)
        return
    cells = _split(layout, label)
    for name in reversed(names):
        _draw_slider(cells.row(align=True), name, "", keys, settings)


def _draw_sides(layout: bpy.types.UILayout) -> None:
    """The heading over the pairs."""
    cells = _split(layout, "")
    for side in (strings.RIGHT, strings.LEFT):
        cell = cells.row()
        cell.alignment = "CENTER"
        cell.label(text=side)


def _split(layout: bpy.types.UILayout, label: str) -> bpy.types.UILayout:
    """Where a pair goes, after its label: within the sliders it would be cut off."""
    line = layout.split(factor=0.42, align=True)
    line.label(text=label)
    return line.row(align=True)


def _side(name: str) -> str:
    if name.endswith("Left"):
        return f" {strings.LEFT}"
    return f" {strings.RIGHT}" if name.endswith("Right") else ""


def _draw_slider(
    row: bpy.types.UILayout, name: str, text: str, keys: Keys, settings: bpy.types.PropertyGroup
) -> None:
    key: Any = keys[name]
    row.active = not key.mute
    if settings.symmetric and name in PAIRED:
        row.prop(settings, name, text=text, slider=True)
    else:
        row.prop(key, "value", text=text, slider=True)
    if key.mute:
        row.prop(key, "mute", text="", icon="HIDE_ON", emboss=False, toggle=True)


CLASSES = (RECONSTRUCT_FACE_PT_expression,)
