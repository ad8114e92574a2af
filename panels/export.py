"""The active head to files."""

from __future__ import annotations

import bpy

from ..backend.exchange.formats import FORMATS
from ..backend.exchange.targets import TARGETS, choices_of
from ..operators import strings
from ..operators.export import RECONSTRUCT_FACE_OT_export
from ..operators.targets import TargetSettings
from ..scene.context import head_of, scene_of
from .sidebar import FacePanel
from .text import layout_of


class RECONSTRUCT_FACE_PT_export(FacePanel, bpy.types.Panel):
    """Formats, folder, name and the button."""

    bl_idname = "RECONSTRUCT_FACE_PT_export"
    bl_label = strings.EXPORT_PANEL
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 40

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only for a head of ours."""
        from ..scene.current import current_head

        return current_head(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the scene's settings."""
        settings = scene_of(context).reconstruct_face_export
        layout = layout_of(self)
        chosen = scene_of(context).reconstruct_face_target
        layout.prop(chosen, "target")
        if chosen.target in TARGETS:
            _draw_target(layout, chosen)
        else:
            layout.row(align=True).prop(settings, "formats", expand=True)
            if "glb" in settings.formats:
                layout.prop(settings, "compact")
        layout.prop(settings, "folder", text="", placeholder=strings.EXPORT_FOLDER)
        layout.prop(settings, "name", text="", placeholder=head_of(context).name)
        layout.operator(RECONSTRUCT_FACE_OT_export.bl_idname, icon="EXPORT")


def _draw_target(layout: bpy.types.UILayout, chosen: TargetSettings) -> None:
    """The files of a target, and what of them can be changed."""
    target = TARGETS[chosen.target]
    kinds = ", ".join(FORMATS[key].suffix for key in target.formats)
    layout.label(text=f"{target.label}: {kinds}", icon="FILE")
    column = layout.column(align=True)
    column.use_property_split, column.use_property_decorate = True, False
    for key in choices_of(target):
        column.prop(chosen, key)


CLASSES = (RECONSTRUCT_FACE_PT_export,)
