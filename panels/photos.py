"""The list of further photos of one person, in the panel of the photo."""

from __future__ import annotations

import os
from typing import Any

import bpy

from ..operators import strings_photos as texts
from ..operators.person import (
    RECONSTRUCT_FACE_OT_add_photos,
    RECONSTRUCT_FACE_OT_clear_photos,
    RECONSTRUCT_FACE_OT_move_photo,
    RECONSTRUCT_FACE_OT_remove_photo,
)
from ..operators.session import SESSION
from .text import draw_sentence

_ICONS: dict[str, Any] = {"NEW": "IMAGE_DATA", "USED": "CHECKMARK", "LEFT_OUT": "CANCEL"}


class RECONSTRUCT_FACE_UL_photos(bpy.types.UIList):
    """A photo's file name, and whether the last head was made from it."""

    bl_idname = "RECONSTRUCT_FACE_UL_photos"

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: object,
        item: bpy.types.PropertyGroup,
        icon: int,
        active_data: object,
        active_property: str,
    ) -> None:
        """Draw one."""
        row = layout.row(align=True)
        row.alert = item.state == "LEFT_OUT"
        row.label(text=os.path.basename(item.path), icon=_ICONS[item.state])

    def filter_items(
        self, context: bpy.types.Context, data: object, property_: str
    ) -> tuple[list[int], list[int]]:
        """By file name, in the list's own order."""
        words = self.filter_name.lower()
        items = getattr(data, property_)
        shown = [words in os.path.basename(item.path).lower() for item in items]
        return [self.bitflag_filter_item if one else 0 for one in shown], []


def draw_photos(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    """The list with its buttons; without a further photo only the button that begins it."""
    column = layout.column()
    column.enabled = not SESSION.busy
    if not settings.further:
        if settings.photo:
            column.operator(RECONSTRUCT_FACE_OT_add_photos.bl_idname, icon="ADD")
        return
    column.label(text=texts.more_of_same(len(settings.further)), icon="USER")
    row = column.row()
    row.template_list(
        RECONSTRUCT_FACE_UL_photos.bl_idname, "",
        settings, "further", settings, "further_index",
        rows=5,
    )  # fmt: skip
    buttons = row.column(align=True)
    buttons.operator(RECONSTRUCT_FACE_OT_add_photos.bl_idname, text="", icon="ADD")
    buttons.operator(RECONSTRUCT_FACE_OT_remove_photo.bl_idname, text="", icon="REMOVE")
    buttons.separator()
    buttons.operator(RECONSTRUCT_FACE_OT_move_photo.bl_idname, text="", icon="TRIA_UP").step = -1
    buttons.operator(RECONSTRUCT_FACE_OT_move_photo.bl_idname, text="", icon="TRIA_DOWN").step = 1
    buttons.separator()
    buttons.operator(RECONSTRUCT_FACE_OT_clear_photos.bl_idname, text="", icon="TRASH")
    region = bpy.context.region
    width = None if region is None else region.width - 45  # names of files are of wide letters
    for sentence in (settings.photo_told, *(photo.told for photo in settings.further)):
        if sentence:
            draw_sentence(column, sentence, icon="INFO", width=width)
    column.prop(settings, "force_person")


CLASSES = (RECONSTRUCT_FACE_UL_photos,)
