"""The add-on's preferences: the backend, and where it runs."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty

from ..operators import strings
from ..operators.face_models import draw_models
from ..operators.installation import (
    RECONSTRUCT_FACE_OT_check_backend,
    RECONSTRUCT_FACE_OT_open_setup_log,
    RECONSTRUCT_FACE_OT_remove_backend,
    RECONSTRUCT_FACE_OT_setup_backend,
)
from .text import draw_sentence


def _changed(self: bpy.types.AddonPreferences, context: bpy.types.Context) -> None:
    """The next job finds what was chosen now."""
    from ..scene.installation.blender import read_preferences, release_backend

    read_preferences()
    release_backend()


class RECONSTRUCT_FACE_preferences(bpy.types.AddonPreferences):
    """Set up, repair or remove the backend; or use a Python that is there."""

    bl_idname = __package__.rpartition(".")[0]

    python: StringProperty(
        name=strings.PYTHON,
        description=strings.PYTHON_TIP,
        subtype="FILE_PATH",
        default="",
        update=_changed,
    )
    device: EnumProperty(
        name=strings.DEVICE, description=strings.DEVICE_TIP, items=strings.DEVICES, update=_changed
    )
    idle_minutes: IntProperty(
        name=strings.IDLE_MINUTES,
        description=strings.IDLE_MINUTES_TIP,
        default=10,
        min=0,
        soft_max=120,
        max=10_000,
        update=_changed,
    )
    # These are read when a set-up starts: no reason to end a backend that runs.
    index: StringProperty(name=strings.INDEX, description=strings.INDEX_TIP, default="")
    hardware: EnumProperty(
        name=strings.HARDWARE, description=strings.HARDWARE_TIP, items=strings.HARDWARES
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draw state, buttons and settings."""
        from ..scene.installation.blender import backend_folder
        from ..scene.installation.choices import choices
        from ..scene.installation.environment import LOG, environment_of, made_for
        from ..scene.installation.status import INSTALLING, installation_status
        from .repair import draw_hardware, draw_repair

        layout = self.layout
        draw_repair(layout, in_preferences=True)
        status = installation_status()
        folder = backend_folder()
        there = environment_of(folder).is_dir()
        column = layout.column(align=True)
        if status.usable:
            draw_sentence(column, status.sentence, icon="CHECKMARK")
            column.label(text=f"{strings.PYTHON}: {status.python}", icon="BLANK1")
            if status.device:
                column.label(text=f"{strings.DEVICE}: {status.device}", icon="BLANK1")
        chosen = choices()
        other = made_for(chosen) not in (None, chosen.wanted)
        if there and status.usable:  # otherwise these stand beside the repair
            draw_hardware(layout, in_preferences=True)
            if other:
                draw_sentence(layout, chosen.wanted.cost)
        row = layout.row(align=True)
        row.enabled = status.code != INSTALLING
        if there and status.usable:  # otherwise it is the repair
            row.operator(
                RECONSTRUCT_FACE_OT_setup_backend.bl_idname,
                text=strings.set_up_for(chosen.wanted.name) if other else strings.REPAIR_BACKEND,
                icon="IMPORT" if other else "FILE_REFRESH",
            )
        if status.usable:
            row.operator(RECONSTRUCT_FACE_OT_check_backend.bl_idname, icon="VIEWZOOM")
        if there:
            row.operator(RECONSTRUCT_FACE_OT_remove_backend.bl_idname, icon="TRASH")
        if status.usable:
            layout.label(text=strings.FACE_MODELS)
            draw_models(layout)
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column()
        column.enabled = status.code != INSTALLING
        column.prop(self, "python")
        column.prop(self, "device")
        column.prop(self, "idle_minutes")
        column.prop(self, "index")
        if (folder / LOG).is_file():
            row = layout.row()
            row.label(text=str(folder / LOG))
            row.operator(RECONSTRUCT_FACE_OT_open_setup_log.bl_idname, text="", icon="TEXT")


CLASSES = (RECONSTRUCT_FACE_preferences,)


def register_more() -> None:
    """Have what was chosen in earlier sessions used from the start."""
    from ..scene.installation.blender import read_preferences

    read_preferences()
