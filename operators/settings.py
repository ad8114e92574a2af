"""What the user chose in the sidebar, kept with the scene."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ..backend.exchange.options import ABOUT, DEFAULT_MODEL, Options, phrase
from . import strings
from . import strings_photos as texts
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
    "rig": "rig",
    "parts": "parts",
    "detail": "detail",
    "hair": "hair",
    "hair_density": "hair_density",
    "hair_length": "hair_length",
    "hair_colour": "hair_colour",
    "brows": "brows",
    "beard": "beard",
    "force_person": "force_person",
}


def _photo_changed(settings: FaceSettings, _context: bpy.types.Context) -> None:
    settings.face, settings.photo_told = 1, ""
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


class FacePhoto(bpy.types.PropertyGroup):
    """A further photo of the person, and what the last reconstruction made of it."""

    path: StringProperty(name=strings.PHOTO, description=texts.FURTHER_PHOTO_TIP)
    state: EnumProperty(items=texts.STATES)
    told: StringProperty(name=texts.TOLD)


class FaceSettings(bpy.types.PropertyGroup):
    """Photos and options for the next reconstruction."""

    photo: StringProperty(
        name=strings.PHOTO,
        description=strings.PHOTO_TIP,  # no FILE_PATH: its own browser has no thumbnails
        update=_photo_changed,
    )
    photo_told: StringProperty(name=texts.TOLD)
    further: CollectionProperty(type=FacePhoto, name=texts.FURTHER, description=texts.FURTHER_TIP)
    further_index: IntProperty(name=texts.FURTHER, description=texts.FURTHER_TIP, min=0)
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
    rig: BoolProperty(**_about("rig"))
    parts: BoolProperty(**_about("parts"))
    detail: BoolProperty(**_about("detail"))
    hair: EnumProperty(**_about("hair"))
    hair_density: IntProperty(**_about("hair_density"), subtype="PERCENTAGE")
    hair_length: IntProperty(**_about("hair_length"), subtype="PERCENTAGE")
    hair_colour: EnumProperty(**_about("hair_colour"))
    brows: BoolProperty(**_about("brows"))
    beard: BoolProperty(**_about("beard"))
    force_person: BoolProperty(**_about("force_person"))
    overlay: FloatProperty(
        name=strings.OVERLAY,
        description=strings.OVERLAY_TIP,
        default=0.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        update=_overlay_changed,
    )

    def photos(self) -> list[str]:
        """The whole paths of all photos that were chosen, each once; several are of one person."""
        chosen = [self.photo, *(further.path for further in self.further)]
        found: dict[str, str] = {}
        for path in filter(None, chosen):
            whole = bpy.path.abspath(path)
            found.setdefault(os.path.normpath(whole), whole)
        return list(found.values())

    def add_photos(self, paths: Iterable[str]) -> tuple[int, int, int]:
        """Put ``paths`` at the end of the photos, each once.

        How many were added, were there already, and are more than a person has.
        """
        from ..backend.exchange.views import MOST_PHOTOS  # which needs numpy

        added = known = over = 0
        there = {os.path.normpath(path) for path in self.photos()}
        for path in paths:
            whole = os.path.normpath(bpy.path.abspath(path))
            if whole in there:
                known += 1
            elif len(there) >= MOST_PHOTOS:
                over += 1
            else:
                added += 1
                there.add(whole)
                if self.photo:
                    self.further.add().path = path
                else:
                    self.photo = path
        return added, known, over

    def mark_photos(self, used: Sequence[str], left_out: Mapping[str, str]) -> None:
        """Note which photos a head was made from: ``used`` (whole paths); ``left_out`` says why by
        file name."""
        there = {os.path.normpath(path) for path in used}

        def told(path: str) -> str | None:
            if os.path.normpath(bpy.path.abspath(path)) in there:
                return None
            return left_out.get(os.path.basename(bpy.path.abspath(path)), "")

        self.photo_told = told(self.photo) or "" if self.photo else ""
        for further in self.further:
            sentence = told(further.path)
            further.state = "USED" if sentence is None else "LEFT_OUT"
            further.told = sentence or ""

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


CLASSES = (FacePhoto, FaceSettings)


def register_more() -> None:
    """Add ``scene.reconstruct_face``."""
    bpy.types.Scene.reconstruct_face = PointerProperty(type=FaceSettings)


def unregister_more() -> None:
    """Remove it."""
    del bpy.types.Scene.reconstruct_face
