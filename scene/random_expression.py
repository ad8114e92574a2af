"""Expressions drawn at random that a face can make: movements that go together, none that fight.

Needs no ``bpy``.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

Movement = Mapping[str, float]  #: name to weight at strength 1; "*" stands for Left and Right

#: One of each is drawn.  What a mouth does depends on one muscle group winning, so there is one
#: mouth movement at a time; the brows' are independent of it.
_BROWS: tuple[Movement, ...] = (
    {},
    {"browInnerUp": 0.8, "browOuterUp*": 0.7, "eyeWide*": 0.5},
    {"browDown*": 0.9, "eyeSquint*": 0.4},
    {"browInnerUp": 0.9, "browDown*": 0.3},
    {"browOuterUp*": 0.6},
)
_MOUTHS: tuple[Movement, ...] = (
    {"mouthSmile*": 0.9, "cheekSquint*": 0.5, "mouthDimple*": 0.2, "eyeSquint*": 0.3},
    {"mouthSmile*": 0.8, "jawOpen": 0.35, "mouthUpperUp*": 0.3, "cheekSquint*": 0.6},
    {"mouthFrown*": 0.8, "mouthShrugLower": 0.5},
    {"mouthPucker": 0.8, "mouthFunnel": 0.2},
    {"mouthFunnel": 0.7, "jawOpen": 0.3},
    {"mouthStretch*": 0.6, "mouthLowerDown*": 0.5, "jawOpen": 0.3},
    {"mouthPress*": 0.7, "mouthRollUpper": 0.2, "mouthRollLower": 0.3},
    {"noseSneer*": 0.8, "mouthUpperUp*": 0.6},
    {"jawOpen": 0.6},
    {"cheekPuff": 0.7, "mouthPress*": 0.3},
    {},
)
_JAW_SHIFTS = ("jawLeft", "jawRight", "jawForward", "mouthLeft", "mouthRight")
#: A face's sides differ by so much of a movement.
_ASYMMETRY = 0.12


def random_expression(draw: random.Random, strength: float) -> dict[str, float]:
    """ARKit name to value in 0..1, those above zero only; ``strength`` 0 to 1."""
    out: dict[str, float] = {}
    for movement in (draw.choice(_BROWS), draw.choice(_MOUTHS)):
        amount = strength * draw.uniform(0.5, 1.0)
        for stem, weight in movement.items():
            _add(out, draw, stem, weight * amount)
    if draw.random() < 0.3:
        _add(out, draw, draw.choice(_JAW_SHIFTS), 0.3 * strength * draw.random())
    _look(out, draw, strength)
    _blink(out, draw, strength)
    return {name: min(value, 1.0) for name, value in out.items() if value > 0}


def _add(out: dict[str, float], draw: random.Random, stem: str, value: float) -> None:
    if "*" not in stem:
        out[stem] = out.get(stem, 0.0) + value
        return
    lean = draw.uniform(-_ASYMMETRY, _ASYMMETRY)
    for side, factor in (("Left", 1 + lean), ("Right", 1 - lean)):
        name = stem.replace("*", side)
        out[name] = out.get(name, 0.0) + value * factor


def _look(out: dict[str, float], draw: random.Random, strength: float) -> None:
    """Both eyes in one direction, mostly straight ahead."""
    across, up = (strength * max(-0.8, min(0.8, draw.gauss(0.0, 0.3))) for _ in range(2))
    sides = ("Left", "Right") if across > 0 else ("Right", "Left")
    out[f"eyeLookOut{sides[0]}"] = out[f"eyeLookIn{sides[1]}"] = abs(across)
    for side in sides:
        out[f"eyeLook{'Up' if up > 0 else 'Down'}{side}"] = abs(up)


def _blink(out: dict[str, float], draw: random.Random, strength: float) -> None:
    """Lids move together: half closed now and then, and down with the gaze; never while wide."""
    if out.get("eyeWideLeft", 0.0) > 0:
        return
    lid = 0.6 * out.get("eyeLookDownLeft", 0.0)
    if draw.random() < 0.25:
        lid += 0.5 * strength * draw.random()
    _add(out, draw, "eyeBlink*", lid)


def random_weights(
    draw: random.Random, ranges: Mapping[str, tuple[float, float]], strength: float
) -> dict[str, float]:
    """Name to a value within its (lowest, highest), near zero as coefficients of a face are."""
    return {
        name: min(max(draw.gauss(0.0, strength * (high - low) / 8), low), high)
        for name, (low, high) in ranges.items()
    }
