"""The list of presets in the header of the settings: ``RECONSTRUCT_FACE_PT_presets``.

A panel shows it by ``RECONSTRUCT_FACE_PT_presets.draw_panel_header(self.layout)`` in its
``draw_header_preset``.
"""

from __future__ import annotations

import bpy
from bl_ui.utils import PresetPanel

from ..operators import strings
from ..operators.presets import SUBDIR, RECONSTRUCT_FACE_OT_add_preset


class RECONSTRUCT_FACE_PT_presets(PresetPanel, bpy.types.Panel):
    """Shipped presets and the user's."""

    bl_idname = "RECONSTRUCT_FACE_PT_presets"
    bl_label = strings.PRESETS
    preset_subdir = SUBDIR
    preset_operator = "script.execute_preset"
    preset_add_operator = RECONSTRUCT_FACE_OT_add_preset.bl_idname


CLASSES = (RECONSTRUCT_FACE_PT_presets,)
