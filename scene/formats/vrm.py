"""A .glb made a .vrm: VRM 1.0 (``VRMC_vrm``, the specification of the VRM Consortium, version 1.0).

Expressions are bound to the morph targets of the head: ARKit's 52 one to one as custom
expressions, which apps for face tracking ("perfect sync") look for by these names, and the 18
presets.  VRM wants a whole human: the bones that the file has not are empty nodes in the places of
a person of 1.7 m, on which the head is set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...backend.exchange.names import ARKIT
from ...backend.motion.visemes import VISEMES
from .glb import Glb

NAME = "VRMC_vrm"
LICENCE = "https://vrm.dev/licenses/1.0/"
#: Preset expressions as weights of ARKit's shapes; the vowels are our visemes'.
PRESETS: dict[str, dict[str, float]] = {
    "happy": {
        "mouthSmileLeft": 0.8, "mouthSmileRight": 0.8, "cheekSquintLeft": 0.5,
        "cheekSquintRight": 0.5, "eyeSquintLeft": 0.3, "eyeSquintRight": 0.3,
    },
    "angry": {
        "browDownLeft": 0.9, "browDownRight": 0.9, "noseSneerLeft": 0.4, "noseSneerRight": 0.4,
        "mouthPressLeft": 0.4, "mouthPressRight": 0.4, "eyeSquintLeft": 0.3, "eyeSquintRight": 0.3,
    },
    "sad": {
        "browInnerUp": 0.8, "mouthFrownLeft": 0.7, "mouthFrownRight": 0.7, "mouthShrugLower": 0.3,
    },
    "relaxed": {
        "mouthSmileLeft": 0.3, "mouthSmileRight": 0.3, "eyeBlinkLeft": 0.25, "eyeBlinkRight": 0.25,
    },
    "surprised": {
        "browInnerUp": 0.8, "browOuterUpLeft": 0.7, "browOuterUpRight": 0.7, "eyeWideLeft": 0.8,
        "eyeWideRight": 0.8, "jawOpen": 0.3,
    },
    "aa": VISEMES["aa"],
    "ih": VISEMES["ih"],
    "ou": VISEMES["ou"],
    "ee": VISEMES["E"],
    "oh": VISEMES["oh"],
    "blink": {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
    "blinkLeft": {"eyeBlinkLeft": 1.0},
    "blinkRight": {"eyeBlinkRight": 1.0},
    "lookUp": {"eyeLookUpLeft": 1.0, "eyeLookUpRight": 1.0},
    "lookDown": {"eyeLookDownLeft": 1.0, "eyeLookDownRight": 1.0},
    "lookLeft": {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0},
    "lookRight": {"eyeLookInLeft": 1.0, "eyeLookOutRight": 1.0},
    "neutral": {},
}  # fmt: skip
#: What a preset takes the place of while it is on, so that lids do not close twice.
_OVERRIDES = {
    "happy": {"overrideBlink": "blend"},
    "relaxed": {"overrideBlink": "blend"},
    "surprised": {"overrideMouth": "blend"},
}
#: Degrees: how far eyes turn where ``eyeLook`` is 1 (``docs/face_model.md``).
_LOOK = 30.0

#: Bones that VRM 1.0 requires and a neck, each with what it hangs on and its place in metres from
#: the ground, x to the person's left, y up: a person of 1.7 m (proportions of Drillis and Contini
#: 1966).
_BODY: dict[str, tuple[str, tuple[float, float, float]]] = {
    "hips": ("", (0.0, 0.90, 0.0)),
    "spine": ("hips", (0.0, 1.02, 0.0)),
    "neck": ("spine", (0.0, 1.40, -0.02)),
    "head": ("neck", (0.0, 1.48, 0.0)),
    **{
        f"{side}{bone}": (f"{side}{on}" if on[0].isupper() else on, (sign * x, y, 0.0))
        for side, sign in (("left", 1.0), ("right", -1.0))
        for bone, on, x, y in (
            ("UpperArm", "spine", 0.19, 1.38),
            ("LowerArm", "UpperArm", 0.50, 1.38),
            ("Hand", "LowerArm", 0.75, 1.38),
            ("UpperLeg", "hips", 0.09, 0.88),
            ("LowerLeg", "UpperLeg", 0.09, 0.48),
            ("Foot", "LowerLeg", 0.09, 0.07),
        )
    },
}
#: How high above the ground the origin of a head is, between its ears, in that person.
_ORIGIN = (0.0, 1.56, 0.0)
#: Bones of VRM's that a skeleton of ours has.  A bust's chest is none of them: arms would have to
#: hang on it, and they are not in its place.
KNOWN = ("neck", "head", "jaw", "leftEye", "rightEye")


@dataclass(frozen=True)
class Licence:
    """What others may do with an avatar, in VRM's own words; the defaults allow the least."""

    authors: tuple[str, ...] = ("Unknown",)
    avatar_permission: str = "onlyAuthor"
    commercial_usage: str = "personalNonProfit"
    modification: str = "prohibited"
    allow_redistribution: bool = False

    def meta(self, name: str) -> dict[str, Any]:
        """The extension's ``meta`` of an avatar called ``name``."""
        return {
            "name": name,
            "version": "1",
            "authors": list(self.authors),
            "licenseUrl": LICENCE,
            "avatarPermission": self.avatar_permission,
            "allowExcessivelyViolentUsage": False,
            "allowExcessivelySexualUsage": False,
            "commercialUsage": self.commercial_usage,
            "allowPoliticalOrReligiousUsage": False,
            "allowAntisocialOrHateUsage": False,
            "creditNotation": "required",
            "allowRedistribution": self.allow_redistribution,
            "modification": self.modification,
        }


def make_vrm(glb: Glb, name: str, *, licence: Licence | None = None) -> None:
    """Make ``glb`` a VRM 1.0 avatar called ``name``.

    Joints of a skeleton that are called as VRM calls a bone are that bone.
    """
    document = glb.document
    human = _add_bones(document)
    meshes = [
        (number, document["meshes"][node["mesh"]].get("extras", {}).get("targetNames", []))
        for number, node in enumerate(document["nodes"])
        if "mesh" in node
    ]
    custom = {}
    for arkit in ARKIT:
        found = _binds(meshes, {arkit: 1.0})
        if found:
            custom[arkit] = {"morphTargetBinds": found}
    presets = {
        preset: {"isBinary": False, "morphTargetBinds": _binds(meshes, weights)}
        | _OVERRIDES.get(preset, {})
        for preset, weights in PRESETS.items()
    }
    turned = {"inputMaxValue": _LOOK, "outputScale": 1.0}
    extensions = document.setdefault("extensions", {})
    extensions[NAME] = {
        "specVersion": "1.0",
        "meta": (licence or Licence()).meta(name),
        "humanoid": {"humanBones": {bone: {"node": node} for bone, node in human.items()}},
        "firstPerson": {
            "meshAnnotations": [{"node": number, "type": "auto"} for number, _ in meshes]
        },
        "lookAt": {
            "type": "expression",
            "offsetFromHeadBone": [0.0, 0.06, 0.08],
            "rangeMapHorizontalInner": turned,
            "rangeMapHorizontalOuter": turned,
            "rangeMapVerticalDown": turned,
            "rangeMapVerticalUp": turned,
        },
        "expressions": {"preset": presets, "custom": custom},
    }
    document.setdefault("extensionsUsed", []).append(NAME)


def _binds(
    meshes: Sequence[tuple[int, Sequence[str]]], weights: Mapping[str, float]
) -> list[dict[str, Any]]:
    return [
        {"node": node, "index": names.index(arkit), "weight": weight}
        for node, names in meshes
        for arkit, weight in weights.items()
        if arkit in names
    ]


def _add_bones(document: dict[str, Any]) -> dict[str, int]:
    """The nodes of VRM's bones by their names; those that are missing are added.

    What the file has stands below the lowest of the bones that it lacks.
    """
    nodes, (scene,) = document["nodes"], document["scenes"]
    joints = {joint for skin in document.get("skins", ()) for joint in skin["joints"]}
    found = {
        nodes[joint]["name"]: joint for joint in sorted(joints) if nodes[joint]["name"] in KNOWN
    }
    has_head = "head" in found
    roots = list(scene["nodes"])
    for bone, (above, place) in _BODY.items():
        if bone in found or (bone == "neck" and has_head):
            continue
        start = _BODY[above][1] if above else (0.0, 0.0, 0.0)
        nodes.append({"name": bone, "translation": _minus(place, start)})
        found[bone] = len(nodes) - 1
        if above:
            nodes[found[above]].setdefault("children", []).append(found[bone])
        else:
            scene["nodes"].append(found[bone])
    lowest = "spine" if has_head else "head"
    for root in roots:
        nodes[root]["translation"] = _minus(_ORIGIN, _BODY[lowest][1])
    nodes[found[lowest]].setdefault("children", []).extend(roots)
    scene["nodes"] = [node for node in scene["nodes"] if node not in roots]
    return found


def _minus(a: Sequence[float], b: Sequence[float]) -> list[float]:
    return [round(x - y, 6) for x, y in zip(a, b, strict=True)]
