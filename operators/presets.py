"""Presets of the settings, in Blender's own preset system.

The shipped ones lie in ``assets/presets``; those of the user are files in Blender's folder of
presets and stay there when the add-on is removed.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import bpy
from bl_operators.presets import AddPresetBase

from . import strings
from .settings import PROPERTIES

SUBDIR = "reconstruct_face/settings"
#: Blender looks for ``presets/SUBDIR`` in it.
SHIPPED = Path(__file__).resolve().parents[1] / "assets"
VALUES = tuple(PROPERTIES.values())


class RECONSTRUCT_FACE_OT_add_preset(AddPresetBase, bpy.types.Operator):
    """Keep the settings as a preset, or remove one."""

    bl_idname = "reconstruct_face.add_preset"
    bl_label = strings.ADD_PRESET
    bl_description = strings.ADD_PRESET_TIP
    preset_menu = "RECONSTRUCT_FACE_PT_presets"
    # Whole paths: the short names that presets may define fail in Blender 4.3 with Python 3.13.
    preset_values = [f"bpy.context.scene.reconstruct_face.{value}" for value in VALUES]
    preset_subdir = SUBDIR

    def execute(self, context: bpy.types.Context) -> set[str]:
        """As Blender's own, but for the add-on's files: those it would delete."""
        if self.remove_name or self.remove_active:
            name = self.name or bpy.types.RECONSTRUCT_FACE_PT_presets.bl_label
            path = bpy.utils.preset_find(name, SUBDIR, display_name=True)
            if path and Path(path).is_relative_to(SHIPPED):
                self.report({"ERROR"}, strings.shipped_preset(name))
                return {"CANCELLED"}
        return cast(set[str], super().execute(context))  # the stubs know no result


CLASSES = (RECONSTRUCT_FACE_OT_add_preset,)


def register_more() -> None:
    """Have the shipped presets listed; Blender 4.2 lists the user's alone."""
    if hasattr(bpy.utils, "register_preset_path"):
        bpy.utils.register_preset_path(str(SHIPPED))


def unregister_more() -> None:
    """Not any more."""
    if hasattr(bpy.utils, "unregister_preset_path"):
        bpy.utils.unregister_preset_path(str(SHIPPED))
