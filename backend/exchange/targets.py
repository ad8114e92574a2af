"""What programs want of a head: one :class:`Target` each, and what of it was changed.

Standard library only, because the command line names them and Blender writes them
(``scene/targets``).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..bounded import parse_json
from ..errors import OptionError

#: Numbers of a .glb: 32 bits each; 8 and 16 bits; these coded by EXT_meshopt_compression.
COMPRESSIONS = ("none", "quantised", "meshopt")
#: The visemes of Meta's (Oculus') LipSync in its order, as ``backend/motion/visemes.py`` has them.
OCULUS = (
    "sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "ih", "oh", "ou",
)  # fmt: skip
_READY_PLAYER_ME = {"ih": "I", "oh": "O", "ou": "U"}
#: What the shape keys of the visemes are called, by whose custom: Meta's names, those of Ready
#: Player Me's avatars (its documentation, "Oculus OVR LipSync"), which scripts on the web look for,
#: and those that VRChat's SDK finds by itself.
VISEME_NAMES: dict[str, dict[str, str]] = {
    "none": {},
    "oculus": {one: f"viseme_{one}" for one in OCULUS},
    "readyplayerme": {one: f"viseme_{_READY_PLAYER_ME.get(one, one)}" for one in OCULUS},
    "vrchat": {one: f"vrc.v_{one.lower()}" for one in OCULUS},
}
#: Bones' names of the skeleton that goes along.
SKELETONS = ("none", "unreal", "unity", "vrm", "blender")
#: Pixels of the longest side of a picture; 0 leaves it as it is.
TEXTURES = (0, 512, 1024, 2048, 4096)
MOST_LEVELS = 3


@dataclass(frozen=True)
class Target:
    """How a head is written for a program.  All but the first four can be changed."""

    name: str
    label: str
    about: str  #: for people: one sentence
    formats: tuple[str, ...]  #: names in ``FORMATS`` of ``formats.py``
    texture: int = 0  #: one of :data:`TEXTURES`
    levels: int = 1  #: levels of detail, 1 to :data:`MOST_LEVELS`
    visemes: str = "none"  #: a key of :data:`VISEME_NAMES`
    compression: str = "none"  #: one of :data:`COMPRESSIONS`
    skeleton: str = "none"  #: one of :data:`SKELETONS`
    neutral: bool = True  #: at rest; else in the photo's expression
    keys: bool = True  #: with shape keys
    apart: bool = False  #: eyes and teeth as objects of their own
    centimetres: bool = False  #: of .fbx and .obj, whose numbers are metres otherwise


#: By name.  ``docs/targets.md`` says for each what it goes by.
TARGETS = {
    target.name: target
    for target in (
        Target(
            "unreal",
            "Unreal",
            "An .fbx in centimetres with three levels of detail, ARKit's shapes and visemes",
            ("fbx",),
            texture=2048,
            levels=3,
            visemes="oculus",
            skeleton="unreal",
            centimetres=True,
        ),
        Target(
            "unity",
            "Unity",
            "An .fbx in metres with three levels of detail, ARKit's shapes and visemes",
            ("fbx",),
            texture=2048,
            levels=3,
            visemes="oculus",
            skeleton="unity",
        ),
        Target(
            "godot",
            "Godot",
            "A plain .glb with ARKit's shapes: Godot 4 reads no smaller numbers",
            ("glb",),
            texture=2048,
        ),
        Target(
            "threejs",
            "three.js",
            "A .glb for the web: pictures of 1K, shapes and visemes, compressed by meshopt",
            ("glb",),
            texture=1024,
            visemes="readyplayerme",
            compression="meshopt",
            neutral=False,
        ),
        Target(
            "vrchat",
            "VRChat and VTubing",
            "A .vrm (VRM 1.0) and an .fbx for Unity with VRChat's visemes",
            ("vrm", "fbx"),
            texture=2048,
            visemes="vrchat",
            skeleton="vrm",
        ),
        Target(
            "metahuman",
            "MetaHuman Conform",
            "The head at rest, eyes and teeth apart, no shapes: .fbx and .obj in centimetres",
            ("fbx", "obj"),
            texture=2048,
            keys=False,
            apart=True,
            centimetres=True,
        ),
        Target(
            "usd",
            "USD and Omniverse",
            "A .usdz in metres with blend shapes and a preview surface",
            ("usd",),
            texture=2048,
            neutral=False,
        ),
    )
}
#: What can be changed, and the values that it can have.
CHANGEABLE: dict[str, tuple[Any, ...]] = {
    "texture": TEXTURES,
    "levels": tuple(range(1, MOST_LEVELS + 1)),
    "visemes": tuple(VISEME_NAMES),
    "compression": COMPRESSIONS,
    "skeleton": SKELETONS,
    "neutral": (False, True),
}


def target_named(name: str) -> Target:
    """The target called ``name``.  Raises :class:`OptionError` where there is none."""
    if name not in TARGETS:
        raise OptionError(f"There is no target '{name}'; choose of {', '.join(TARGETS)}.")
    return TARGETS[name]


def choices_of(target: Target) -> dict[str, tuple[Any, ...]]:
    """What of :data:`CHANGEABLE` makes a difference to the files of ``target``."""
    kinds = set(target.formats)
    left_out = set()
    if "glb" not in kinds:
        left_out.add("compression")
    if not target.keys:
        left_out |= {"visemes", "skeleton", "neutral"}
    if not kinds & {"fbx", "glb", "vrm"}:  # Blender's USD has bones or blend shapes, not both
        left_out.add("skeleton")
    if target.apart:
        left_out.add("levels")
    return {key: values for key, values in CHANGEABLE.items() if key not in left_out}


def changed(target: Target, changes: Mapping[str, Any]) -> Target:
    """``target`` with ``changes``: fields of :func:`choices_of`.

    Raises :class:`OptionError` with one sentence for another field or value.
    """
    choices = choices_of(target)
    for key, value in changes.items():
        allowed = choices.get(key)
        if allowed is None:
            raise OptionError(
                f"The target {target.name} has no '{key}' to change; it has {', '.join(choices)}."
            )
        if not any(type(value) is type(one) and value == one for one in allowed):
            told = ", ".join(str(one) for one in allowed)
            raise OptionError(f"'{value}' is no {key} of {target.name}; choose of {told}.")
    return dataclasses.replace(target, **changes)


def to_text(name: str, changes: Mapping[str, Any]) -> str:
    """A target's name and its changes as what is kept with a head; "" for no target."""
    return json.dumps({"target": name, **changes}, sort_keys=True) if name else ""


def from_text(text: Any) -> tuple[str, dict[str, Any]]:
    """The inverse of :func:`to_text`; ("", {}) for what is damaged, empty or of another version.

    A change that is not known, or whose value is not, is left out.
    """
    try:
        found = parse_json(text)
        name = found.pop("target")
        target = target_named(name)
    except (OptionError, AttributeError, KeyError, TypeError, ValueError):
        return "", {}
    kept = {}
    for key, value in found.items():
        try:
            changed(target, {key: value})
        except (OptionError, TypeError):
            continue
        kept[key] = value
    return name, kept
