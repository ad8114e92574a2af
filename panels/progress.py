"""How far a run is, with the button that ends it: where it was started, and in the status bar."""

from __future__ import annotations

import bpy

from ..operators.running import RECONSTRUCT_FACE_OT_cancel
from ..operators.session import SESSION


def draw_progress(layout: bpy.types.UILayout, place: str = "") -> None:
    """Draw the run's progress, of any run or, with ``place``, of one that was started there."""
    run = SESSION.run
    if run is None or place not in ("", SESSION.place):
        return
    row = layout.row(align=True)
    row.progress(text=run.step, factor=run.fraction)
    row.operator(RECONSTRUCT_FACE_OT_cancel.bl_idname, text="", icon="CANCEL")


def _draw_in_status_bar(header: bpy.types.Header, context: bpy.types.Context) -> None:
    if SESSION.run is not None:
        row = header.layout.row()
        row.ui_units_x = 16
        draw_progress(row)


CLASSES = ()


def register_more() -> None:
    """Have the status bar show it, whatever panels are open."""
    bpy.types.STATUSBAR_HT_header.append(_draw_in_status_bar)


def unregister_more() -> None:
    """Take it away."""
    bpy.types.STATUSBAR_HT_header.remove(_draw_in_status_bar)
