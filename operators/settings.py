"""What the user chose in the sidebar, kept with the scene."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, IntProperty, PointerProperty, StringProperty

from . import strings


class FaceSettings(bpy.types.PropertyGroup):
    """Photo and options for the next reconstruction."""

    photo: StringProperty(name=strings.PHOTO, description=strings.PHOTO_TIP, subtype="FILE_PATH")
    face: IntProperty(name=strings.FACE, description=strings.FACE_TIP, default=1, min=0, max=99)
    texture: EnumProperty(
        name=strings.TEXTURE, description=strings.TEXTURE_TIP, items=strings.TEXTURE_MODES
    )
    quality: EnumProperty(
        name=strings.QUALITY,
        description=strings.QUALITY_TIP,
        items=strings.QUALITIES,
        default="balanced",
    )



CLASSES = (FaceSettings,)


def register_more() -> None:
    """Add ``scene.reconstruct_face``."""
    bpy.types.Scene.reconstruct_face = PointerProperty(type=FaceSettings)


def unregister_more() -> None:
    """Remove it."""
    del bpy.types.Scene.reconstruct_face
