"""Expressions to begin with, as assets with previews: what a pose library holds for bones.

The basic emotions' action units (Ekman and Friesen 1978, the combinations of EMFACS) as ARKit
weights, their strength set by eye on the shipped face model; the mouths of speech are the visemes'.
"""

from __future__ import annotations

from collections.abc import Iterable

import bpy

from ...backend.errors import FaceError
from ...backend.motion.visemes import VISEMES
from ..expression import set_values, values_of
from ..pose_asset import save_expression, saved_expressions
from ..shape_keys import editable_keys

#: Tags of the assets.
EMOTION, SPEECH = "emotion", "speech"


def _both(**weights: float) -> dict[str, float]:
    return {f"{stem}{side}": x for stem, x in weights.items() for side in ("Left", "Right")}


EMOTIONS: dict[str, dict[str, float]] = {
    "Neutral": {},
    # AU 6 + 12
    "Joy": _both(mouthSmile=0.75, cheekSquint=0.6, eyeSquint=0.3, mouthDimple=0.15)
    | {"jawOpen": 0.08},
    # AU 1 + 4 + 15
    "Sadness": _both(mouthFrown=0.8, browDown=0.1, eyeSquint=0.2, eyeLookDown=0.25)
    | {"browInnerUp": 0.8, "mouthShrugLower": 0.3},
    # AU 1 + 2 + 5 + 26
    "Surprise": _both(browOuterUp=0.8, eyeWide=0.8) | {"browInnerUp": 0.8, "jawOpen": 0.45},
    # AU 1 + 2 + 4 + 5 + 20 + 26
    "Fear": _both(browOuterUp=0.4, browDown=0.25, eyeWide=0.8, mouthStretch=0.6)
    | {"browInnerUp": 0.9, "jawOpen": 0.2},
    # AU 4 + 5 + 7 + 23
    "Anger": _both(browDown=0.9, eyeWide=0.25, eyeSquint=0.5, mouthPress=0.6, noseSneer=0.35),
    # AU 9 + 15 + 16
    "Disgust": _both(noseSneer=0.9, mouthUpperUp=0.5, mouthFrown=0.4, browDown=0.4, eyeSquint=0.4),
    # AU 12 + 14, one side
    "Contempt": {"mouthSmileLeft": 0.35, "mouthDimpleLeft": 0.6, "eyeSquintLeft": 0.2},
    "Blink": _both(eyeBlink=1.0),
    "Wink": {"eyeBlinkLeft": 1.0, "cheekSquintLeft": 0.6, "mouthSmileLeft": 0.3},
    "Kiss": {"mouthPucker": 0.9, "mouthFunnel": 0.15},
    "Cheeks Puffed": {"cheekPuff": 0.9} | _both(mouthPress=0.4),
}  # fmt: skip


def preset_values(name: str) -> dict[str, float]:
    """The weights of a preset, :data:`EMOTIONS` or :data:`VISEMES`; what it does not name is 0.

    Raises :class:`FaceError` when there is no such preset.
    """
    if name in EMOTIONS:
        return dict(EMOTIONS[name])
    if name in VISEMES:
        return dict(VISEMES[name])
    raise FaceError(f"There is no preset '{name}'; choose of {', '.join([*EMOTIONS, *VISEMES])}.")


def add_presets(
    head: bpy.types.Object, *, speech: bool = False, names: Iterable[str] | None = None
) -> list[bpy.types.Action]:
    """Expression assets of the presets, drawn with ``head``, which is then as it was.

    The emotions, with ``speech`` the visemes as well, or those in ``names``.  Those that the file
    has by name are left as they are.  Raises :class:`FaceError` when ``head`` has not the names.
    """
    keys = editable_keys(head)
    if "jawOpen" not in keys or "browInnerUp" not in keys:
        raise FaceError(
            f"{head.name} has not ARKit's shape keys, which the presets are made of; choose a head "
            "of the default face model."
        )
    wanted = list(names) if names is not None else [*EMOTIONS, *(VISEMES if speech else ())]
    there = {action.name for action in saved_expressions()}
    was = values_of(head)
    made = []
    try:
        for name in wanted:
            values = preset_values(name)
            if name in there:
                continue
            set_values(head, {key: values.get(key, 0.0) for key in keys})
            tag = EMOTION if name in EMOTIONS else SPEECH
            made.append(save_expression(head, name, tags=(tag,)))
    finally:
        set_values(head, was)
    return made
