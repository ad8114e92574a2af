"""How the backend's installation stands, with the button that repairs it."""

from __future__ import annotations

import bpy

from ..operators import strings
from ..operators.installation import (
    RECONSTRUCT_FACE_OT_cancel_setup,
    RECONSTRUCT_FACE_OT_check_backend,
    RECONSTRUCT_FACE_OT_open_preferences,
    RECONSTRUCT_FACE_OT_open_setup_log,
    RECONSTRUCT_FACE_OT_setup_backend,
    watch,
)
from ..scene.installation import status as codes
from ..scene.installation.blender import preferences, read_preferences
from ..scene.installation.requirements import gpu_found, gpu_offered
from ..scene.installation.status import Status, installation_status
from .text import draw_sentence

#: What the set-up's button is called where it is the repair.
_SET_UP = {
    codes.MISSING: strings.SET_UP,
    codes.UNFINISHED: strings.SET_UP_AGAIN,
    codes.OUTDATED: strings.UPDATE_BACKEND,
    codes.BROKEN: strings.REPAIR_BACKEND,
}
#: Where another Python can be chosen, or the path of the chosen one be corrected.
_CHOOSE = (
    codes.MISSING, codes.BROKEN, codes.PYTHON_MISSING, codes.PYTHON_LACKS, codes.OFFLINE,
    codes.UNSUPPORTED,
)  # fmt: skip


def draw_repair(layout: bpy.types.UILayout, *, in_preferences: bool = False) -> bool:
    """Draw what is wrong with the backend and what repairs it; nothing when all is well.

    Whether the backend can be used.  ``in_preferences`` leaves out the button that leads there.
    """
    read_preferences()
    status = installation_status()
    if status.code in (codes.INSTALLING, codes.CHECKING):
        watch()
    if status.code == codes.READY:
        _draw_failure(layout, status)
        return True
    if status.code == codes.CHECKING:
        layout.label(text=status.sentence, icon="SORTTIME")
        return True
    box = layout.box()
    if status.code == codes.INSTALLING:
        _draw_progress(box, status)
        return False
    first = status.code == codes.MISSING and not status.failure
    draw_sentence(box, status.sentence, icon="INFO" if first else "ERROR", width=_width_inside())
    _draw_failure(box, status)
    if status.code in _SET_UP and status.source not in ("preferences", "variable"):
        draw_hardware(box, in_preferences=in_preferences)
    column = box.column(align=True)
    _draw_buttons(column, status, in_preferences)
    return False


def draw_hardware(layout: bpy.types.UILayout, *, in_preferences: bool) -> None:
    """Draw what the next set-up is for, where there is a choice.

    The sidebar offers a choice only to those who have such a GPU.
    """
    wanted = preferences()
    column = layout.column(align=True)
    if gpu_offered() and wanted is not None and (in_preferences or gpu_found()):
        column.row(align=True).prop(wanted, "hardware", expand=True)
        if gpu_found():
            draw_sentence(column, strings.GPU_FOUND, width=_width_inside())


def _draw_buttons(column: bpy.types.UILayout, status: Status, in_preferences: bool) -> None:
    ours = status.source not in ("preferences", "variable")
    if status.code in _SET_UP and ours:
        column.scale_y = 1.2
        column.operator(
            RECONSTRUCT_FACE_OT_setup_backend.bl_idname, text=_SET_UP[status.code], icon="IMPORT"
        )
    if status.code == codes.OFFLINE and not bpy.app.online_access_override:
        # Blender's own operator has no label.
        column.operator(
            "extensions.userpref_allow_online", text=strings.ALLOW_ONLINE, icon="INTERNET"
        )
    if not ours and status.python:
        column.operator(RECONSTRUCT_FACE_OT_check_backend.bl_idname, icon="FILE_REFRESH")
    if status.code in _CHOOSE and status.source != "variable" and not in_preferences:
        column.operator(
            RECONSTRUCT_FACE_OT_open_preferences.bl_idname,
            text=strings.CHOOSE_PYTHON if ours else strings.OPEN_PREFERENCES,
            icon="PREFERENCES",
        )


def _draw_progress(layout: bpy.types.UILayout, status: Status) -> None:
    if not status.step:  # another Blender's
        draw_sentence(layout, status.sentence, icon="SORTTIME", width=_width_inside())
        return
    layout.label(text=strings.SETTING_UP, icon="IMPORT")
    row = layout.row(align=True)
    row.progress(text=status.step, factor=status.progress)
    row.operator(RECONSTRUCT_FACE_OT_cancel_setup.bl_idname, text="", icon="CANCEL")


def _draw_failure(layout: bpy.types.UILayout, status: Status) -> None:
    """Why the last set-up failed, until the next one."""
    if status.failure:
        column = layout.column(align=True)
        draw_sentence(column, status.failure, icon="ERROR", width=_width_inside())
        column.operator(RECONSTRUCT_FACE_OT_open_setup_log.bl_idname, icon="TEXT")


def _width_inside() -> float | None:
    """Of a box, in pixels; its margins differ a little between Blenders."""
    region = bpy.context.region
    return region.width - 56 if region is not None else None
