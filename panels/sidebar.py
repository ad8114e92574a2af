"""The "Face" tab in the sidebar of the 3D view: photo, button, progress, settings."""

from __future__ import annotations

import bpy

from ..backend.exchange.options import DEFAULT_MODEL
from ..operators import strings
from ..operators import strings_photos as texts
from ..operators.photo import (
    RECONSTRUCT_FACE_OT_choose_face,
    RECONSTRUCT_FACE_OT_choose_photo,
    RECONSTRUCT_FACE_OT_find_faces,
    RECONSTRUCT_FACE_OT_paste_photo,
    RECONSTRUCT_FACE_OT_use_image,
)
from ..operators.reconstruct import RECONSTRUCT_FACE_OT_reconstruct
from ..operators.session import SESSION, InspectedPhoto
from .photos import draw_photos
from .presets import RECONSTRUCT_FACE_PT_presets
from .progress import draw_failure, draw_progress
from .text import draw_sentence, layout_of


class FacePanel:
    """Base of the tab's panels."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = strings.TAB


class RECONSTRUCT_FACE_PT_reconstruct(FacePanel, bpy.types.Panel):
    """Photo, faces and the button."""

    bl_idname = "RECONSTRUCT_FACE_PT_reconstruct"
    bl_label = strings.PANEL

    def draw(self, context: bpy.types.Context) -> None:
        """Draw from the scene's settings and the session."""
        from .repair import draw_repair  # and what knows of installations

        layout = layout_of(self)
        if not draw_repair(layout):
            return
        settings = context.scene.reconstruct_face
        line = layout.split(factor=0.2)
        line.enabled = not SESSION.busy
        line.label(text=strings.PHOTO)
        row = line.row(align=True)
        row.prop(settings, "photo", text="", placeholder=strings.NO_PHOTO)
        row.operator(RECONSTRUCT_FACE_OT_choose_photo.bl_idname, text="", icon="FILEBROWSER")
        row.operator(RECONSTRUCT_FACE_OT_use_image.bl_idname, text="", icon="IMAGE_DATA")
        row.operator(RECONSTRUCT_FACE_OT_paste_photo.bl_idname, text="", icon="PASTEDOWN")
        _draw_look(layout, settings)
        draw_photos(layout, settings)
        if SESSION.run is not None:
            row = layout.column()
            row.scale_y = 1.5
            draw_progress(row)
        else:
            row = layout.row()
            row.scale_y, row.enabled = 1.5, not SESSION.busy
            count = len(settings.photos())
            text = strings.RECONSTRUCT if count < 2 else texts.from_photos(count)
            button = row.operator(RECONSTRUCT_FACE_OT_reconstruct.bl_idname, text=text, icon="USER")
            button.show = True
        told = SESSION.look.failure if SESSION.look is not None else ""
        draw_failure(layout, "reconstruct", told)


def _draw_look(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    """The photo's thumbnail and the faces to pick from; not another scene's photo."""
    look = SESSION.look
    if look is not None and look.photo != bpy.path.abspath(settings.photo):
        look = None
    if look is None or look.failure:
        if look is not None:
            draw_sentence(layout, look.failure, icon="ERROR")
        if settings.photo:
            layout.operator(RECONSTRUCT_FACE_OT_find_faces.bl_idname, icon="VIEWZOOM")
        return
    if look.found is None:
        layout.progress(text=strings.FINDING, factor=look.job.fraction)
    else:
        column = layout.column(align=True)
        # Beside a list it takes less of the room that this needs.
        column.template_icon(icon_value=look.icon, scale=5.0 if settings.further else 9.0)
        if not look.faces:
            draw_sentence(layout, strings.NO_FACE, icon="ERROR")
        elif len(look.faces) > 1 and not settings.further:  # there it is told by the others
            _draw_faces(column, look, settings.face)
        if not (look.thorough or settings.further):
            button = column.operator(
                RECONSTRUCT_FACE_OT_find_faces.bl_idname, text=strings.LOOK_CLOSER, icon="VIEWZOOM"
            )
            button.thorough = True


def _draw_faces(layout: bpy.types.UILayout, look: InspectedPhoto, chosen: int) -> None:
    grid = layout.grid_flow(row_major=True, columns=min(4, len(look.faces)), align=True)
    for number, icon in enumerate(look.faces, start=1):
        cell = grid.column(align=True)
        cell.template_icon(icon_value=icon, scale=3.0)
        button = cell.operator(
            RECONSTRUCT_FACE_OT_choose_face.bl_idname, text=str(number), depress=number == chosen
        )
        button.number = number
    button = layout.operator(
        RECONSTRUCT_FACE_OT_choose_face.bl_idname,
        text=strings.ALL_FACES,
        icon="COMMUNITY",
        depress=chosen == 0,
    )
    button.number = 0


class RECONSTRUCT_FACE_PT_settings(FacePanel, bpy.types.Panel):
    """What the next reconstruction is made with."""

    bl_idname = "RECONSTRUCT_FACE_PT_settings"
    bl_label = strings.SETTINGS_PANEL
    bl_parent_id = RECONSTRUCT_FACE_PT_reconstruct.bl_idname
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        """The presets' menu."""
        RECONSTRUCT_FACE_PT_presets.draw_panel_header(self.layout)

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the scene's settings."""
        settings = context.scene.reconstruct_face
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.enabled = not SESSION.busy
        layout.prop(settings, "quality")
        layout.prop(settings, "texture")
        row = layout.row()
        row.enabled = settings.texture != "none"
        row.prop(settings, "texture_size")
        layout.prop(settings, "hair")
        column = layout.column()
        column.enabled = settings.hair != "none"
        column.prop(settings, "hair_density", slider=True)
        column.prop(settings, "hair_length", slider=True)
        column.prop(settings, "hair_colour")
        column = layout.column()
        column.enabled = "none" not in (settings.hair, settings.texture)  # which shows them
        column.prop(settings, "brows")
        column.prop(settings, "beard")
        layout.prop(settings, "estimate")
        row = layout.row()
        row.enabled = settings.estimate != "landmarks"
        row.prop(settings, "use_landmarks")
        layout.prop(settings, "model")
        row = layout.row()
        row.enabled = settings.model not in ("", DEFAULT_MODEL)  # whose own are ARKit's
        row.prop(settings, "expressions")
        row = layout.row()
        row.enabled = settings.estimate != "landmarks"
        row.prop(settings, "network")
        row = layout.row()
        row.enabled = settings.model in ("", DEFAULT_MODEL)  # which alone has one
        row.prop(settings, "bust")
        layout.prop(settings, "rig")
        layout.prop(settings, "parts")
        row = layout.row()
        row.enabled = settings.texture != "none"  # which it is seen in
        row.prop(settings, "detail")


CLASSES = (RECONSTRUCT_FACE_PT_reconstruct, RECONSTRUCT_FACE_PT_settings)
