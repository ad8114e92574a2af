"""What the user chose in the sidebar, kept with the scene."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from . import strings
from .session import SESSION


def _photo_changed(settings: FaceSettings, _context: bpy.types.Context) -> None:
    settings.face = 1
    SESSION.failure = None
    SESSION.look_at(bpy.path.abspath(settings.photo) if settings.photo else "")


def _overlay_changed(settings: FaceSettings, context: bpy.types.Context) -> None:
    from ..scene.photo_view import set_overlay

    set_overlay(context.active_object, settings.overlay)


def _models(settings: FaceSettings, context: bpy.types.Context, edited: str) -> list[str]:
    from .face_models import suggestions

    return suggestions(settings, context, edited)


class FaceSettings(bpy.types.PropertyGroup):
    """Photo and options for the next reconstruction."""

    photo: StringProperty(
        name=strings.PHOTO,
        description=strings.PHOTO_TIP,
        subtype="FILE_PATH",
        update=_photo_changed,
    )
    face: IntProperty(name=strings.FACE, description=strings.FACE_TIP, default=1, min=0, max=99)
    texture: EnumProperty(
        name=strings.TEXTURE, description=strings.TEXTURE_TIP, items=strings.TEXTURE_MODES
    )
    texture_size: EnumProperty(
        name=strings.TEXTURE_SIZE,
        description=strings.TEXTURE_SIZE_TIP,
        items=strings.TEXTURE_SIZES,
        default="2048",
    )
    quality: EnumProperty(
        name=strings.QUALITY,
        description=strings.QUALITY_TIP,
        items=strings.QUALITIES,
        default="balanced",
    )
    estimate: EnumProperty(
        name=strings.ESTIMATE, description=strings.ESTIMATE_TIP, items=strings.ESTIMATES
    )
    use_landmarks: BoolProperty(
        name=strings.USE_LANDMARKS, description=strings.USE_LANDMARKS_TIP, default=True
    )
    model: StringProperty(
        name=strings.MODEL,
        description=strings.MODEL_TIP,
        search=_models,
        search_options={"SUGGESTION"},
    )
    expressions: EnumProperty(
        name=strings.EXPRESSIONS,
        description=strings.EXPRESSIONS_TIP,
        items=strings.EXPRESSION_SETS,
    )
    overlay: FloatProperty(
        name=strings.OVERLAY,
        description=strings.OVERLAY_TIP,
        default=0.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        update=_overlay_changed,
    )

    def options(self) -> dict[str, Any]:
        """As ``scene.jobs.start_reconstruction`` takes them, but for the face."""
        return {
            "texture": self.texture,
            "texture_size": int(self.texture_size),
            "quality": self.quality,
            "estimate": self.estimate,
            # A fit to landmarks alone cannot do without them.
            "landmarks": self.use_landmarks or self.estimate == "landmarks",
            "model": bpy.path.abspath(self.model or "default"),
            "expressions": self.expressions,
        }


CLASSES = (FaceSettings,)


def register_more() -> None:
    """Add ``scene.reconstruct_face``."""
    bpy.types.Scene.reconstruct_face = PointerProperty(type=FaceSettings)


def unregister_more() -> None:
    """Remove it."""
    del bpy.types.Scene.reconstruct_face
