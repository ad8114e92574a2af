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

from ..backend.exchange.options import ABOUT, DEFAULT_MODEL, Options, phrase
from . import strings
from .session import SESSION

#: The properties that hold an option, by the option's name.  The face has one of its own, and
#: what is left depends on the photo and the head.
PROPERTIES = {
    "texture": "texture",
    "texture_size": "texture_size",
    "quality": "quality",
    "estimate": "estimate",
    "landmarks": "use_landmarks",
    "model": "model",
    "expressions": "expressions",
    "network": "network",
    "bust": "bust",
    "detail": "detail",
    "hair": "hair",
    "hair_density": "hair_density",
    "hair_length": "hair_length",
    "hair_colour": "hair_colour",
}


def _photo_changed(settings: FaceSettings, _context: bpy.types.Context) -> None:
    settings.face = 1
    SESSION.failure = None
    SESSION.look_at(bpy.path.abspath(settings.photo) if settings.photo else "")


def _overlay_changed(settings: FaceSettings, context: bpy.types.Context) -> None:
    from ..scene.current import current_head
    from ..scene.photo_view import set_overlay

    set_overlay(current_head(context), settings.overlay)


def _models(settings: FaceSettings, context: bpy.types.Context, edited: str) -> list[str]:
    from .face_models import suggestions

    return suggestions(settings, context, edited)


def _about(option: str) -> dict[str, Any]:
    """Name, tooltip, default and items of the property for ``option``."""
    about, default = ABOUT[option], getattr(Options(), option)
    if isinstance(default, bool):
        tip = f"Off: {phrase(about.tip)}" if default else about.tip
        return {"name": about.label, "description": tip, "default": default}
    texts: dict[str, Any] = {"name": about.label, "description": about.tip, "default": str(default)}
    items = about.choices or about.offered
    if about.between is not None and not items:
        low, high = about.between
        return texts | {"default": default, "min": low, "max": high}
    if items:
        texts["items"] = tuple((item.value, item.label, item.tip) for item in items)
    return texts


class FaceSettings(bpy.types.PropertyGroup):
    """Photo and options for the next reconstruction."""

    photo: StringProperty(
        name=strings.PHOTO,
        description=strings.PHOTO_TIP,  # no FILE_PATH: its own browser has no thumbnails
        update=_photo_changed,
    )
    face: IntProperty(name=strings.FACE, description=strings.FACE_TIP, default=1, min=0, max=99)
    texture: EnumProperty(**_about("texture"))
    texture_size: EnumProperty(**_about("texture_size"))
    quality: EnumProperty(**_about("quality"))
    estimate: EnumProperty(**_about("estimate"))
    use_landmarks: BoolProperty(**_about("landmarks"))
    model: StringProperty(**_about("model"), search=_models, search_options={"SUGGESTION"})
    expressions: EnumProperty(**_about("expressions"))
    network: StringProperty(**_about("network"))
    bust: BoolProperty(**_about("bust"))
    detail: BoolProperty(**_about("detail"))
    hair: EnumProperty(**_about("hair"))
    hair_density: IntProperty(**_about("hair_density"), subtype="PERCENTAGE")
    hair_length: IntProperty(**_about("hair_length"), subtype="PERCENTAGE")
    hair_colour: EnumProperty(**_about("hair_colour"))
    overlay: FloatProperty(
        name=strings.OVERLAY,
        description=strings.OVERLAY_TIP,
        default=0.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        update=_overlay_changed,
    )

    def options(self, **named: Any) -> Options:
        """The options that are chosen here, and those of ``named``.

        Raises :class:`OptionError`.
        """
        values = {option: getattr(self, name) for option, name in PROPERTIES.items()}
        values["texture_size"] = int(self.texture_size)
        values["model"] = bpy.path.abspath(self.model or DEFAULT_MODEL)
        if self.estimate == "landmarks":  # which needs them, and asks no network
            values |= {"landmarks": True, "network": ""}
        values |= named
        if values["model"] != DEFAULT_MODEL:  # which alone has one
            values["bust"] = False
        return Options.from_dict(values)


CLASSES = (FaceSettings,)


def register_more() -> None:
    """Add ``scene.reconstruct_face``."""
    bpy.types.Scene.reconstruct_face = PointerProperty(type=FaceSettings)


def unregister_more() -> None:
    """Remove it."""
    del bpy.types.Scene.reconstruct_face
