"""How a run goes, where it was started: how far it is, or why it failed; also in the status bar."""

from __future__ import annotations

import bpy

from ..operators.running import (
    RECONSTRUCT_FACE_OT_cancel,
    RECONSTRUCT_FACE_OT_dismiss,
    RECONSTRUCT_FACE_OT_open_report,
    RECONSTRUCT_FACE_OT_restart_backend,
)
from ..operators.session import SESSION
from .text import draw_sentence


def draw_progress(layout: bpy.types.UILayout, place: str = "") -> None:
    """Draw the run's progress, of any run or, with ``place``, of one that was started there."""
    run = SESSION.run
    if run is None or place not in ("", SESSION.place):
        return
    row = layout.row(align=True)
    row.progress(text=run.step, factor=run.fraction)
    row.operator(RECONSTRUCT_FACE_OT_cancel.bl_idname, text="", icon="CANCEL")


def draw_failure(layout: bpy.types.UILayout, place: str, told: str = "") -> None:
    """Draw why the last run failed that was started at ``place``, with what repairs it.

    Not what is ``told`` there already.
    """
    failure, region = SESSION.failure, bpy.context.region
    if failure is None or failure.place != place or failure.sentence == told:
        return
    box = layout.box()
    width = None if region is None else region.width - 40
    draw_sentence(box, failure.sentence, icon="ERROR", width=width)
    row = box.row(align=True)
    if failure.code == "worker":
        row.operator(RECONSTRUCT_FACE_OT_restart_backend.bl_idname, icon="FILE_REFRESH")
    if failure.report is not None:
        row.operator(RECONSTRUCT_FACE_OT_open_report.bl_idname, icon="TEXT")
    row.operator(RECONSTRUCT_FACE_OT_dismiss.bl_idname, text="", icon="X")


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
