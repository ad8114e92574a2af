"""Sentences in panels, whose labels are one line each."""

from __future__ import annotations

import textwrap
from typing import Any, cast

import bpy

#: Of the interface's font at its default size, on average.
_CHARACTER_PX = 6.2


def layout_of(panel: bpy.types.Panel) -> bpy.types.UILayout:
    """Where ``panel`` draws: there while it is drawn, which type stubs do not know."""
    return cast(bpy.types.UILayout, panel.layout)


def draw_sentence(
    layout: bpy.types.UILayout, sentence: str, *, icon: Any = "NONE", width: float | None = None
) -> None:
    """Draw ``sentence`` in as many lines as fit into ``width`` pixels (the region's)."""
    context = bpy.context
    if width is None:
        width = context.region.width - 20 if context.region is not None else 300
    scale = context.preferences.system.ui_scale or 1.0  # none without a window
    room = max(18, int((width / scale - 24) / _CHARACTER_PX))
    column = layout.column(align=True)
    for number, line in enumerate(textwrap.wrap(sentence, room)):
        column.label(
            text=line, icon=icon if number == 0 else "BLANK1" if icon != "NONE" else "NONE"
        )
