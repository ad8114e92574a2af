"""Plausible expressions for the accuracy benchmark, apart from those the training draws."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Per expression the ranges of its weights; a name without side moves both sides.
KINDS: dict[str, dict[str, tuple[float, float]]] = {
    "neutral": {},
    "smile": {
        "mouthSmile": (0.3, 0.9), "cheekSquint": (0.1, 0.5), "eyeSquint": (0.0, 0.3),
        "mouthDimple": (0.0, 0.3),
    },
    "laugh": {
        "mouthSmile": (0.5, 1.0), "jawOpen": (0.15, 0.45), "cheekSquint": (0.3, 0.7),
        "eyeSquint": (0.1, 0.4), "mouthUpperUp": (0.1, 0.4),
    },
    "speech": {
        "jawOpen": (0.05, 0.35), "mouthFunnel": (0.0, 0.4), "mouthStretch": (0.0, 0.25),
        "mouthLowerDown": (0.0, 0.3),
    },
    "pout": {"mouthPucker": (0.3, 0.8), "browInnerUp": (0.0, 0.4), "mouthShrugLower": (0.0, 0.4)},
    "surprise": {
        "jawOpen": (0.2, 0.6), "browInnerUp": (0.4, 0.9), "browOuterUp": (0.3, 0.9),
        "eyeWide": (0.3, 0.8),
    },
    "anger": {
        "browDown": (0.4, 0.9), "eyeSquint": (0.1, 0.5), "mouthPress": (0.1, 0.6),
        "noseSneer": (0.1, 0.6),
    },
    "sorrow": {
        "browInnerUp": (0.3, 0.8), "mouthFrown": (0.3, 0.8), "mouthShrugLower": (0.1, 0.5),
        "eyeSquint": (0.0, 0.2),
    },
    "closed eyes": {"eyeBlink": (0.85, 1.0), "mouthSmile": (0.0, 0.4)},
}  # fmt: skip
NEUTRAL_SHARE = 1 / 3
GAZE = 0.5  #: largest weight of the eyeLook shapes
UNEVEN = 0.15  #: standard deviation of a side's factor


def random_expression(
    names: tuple[str, ...], rng: np.random.Generator
) -> tuple[str, NDArray[np.float64]]:
    """The kind and the weights (E,) of a random expression for shapes ``names``.

    Shapes that the model lacks are left out.  A neutral face still looks somewhere.
    """
    others = [kind for kind in KINDS if kind != "neutral"]
    kind = "neutral" if rng.random() < NEUTRAL_SHARE else others[rng.integers(len(others))]
    place = {name: i for i, name in enumerate(names)}
    weights = np.zeros(len(names))
    for name, (low, high) in KINDS[kind].items():
        weight = rng.uniform(low, high)
        for full in (name, f"{name}Left", f"{name}Right"):
            if full in place:
                weights[place[full]] = weight * max(0.0, rng.normal(1.0, UNEVEN))
    across, up = rng.uniform(-GAZE, GAZE, 2)  # to the head's left, up
    sides = ("Out", "In") if across > 0 else ("In", "Out")
    looks = {
        f"eyeLook{way}{side}": abs(across)
        for way, side in zip(sides, ("Left", "Right"), strict=True)
    }
    looks |= {f"eyeLook{'Up' if up > 0 else 'Down'}{side}": abs(up) for side in ("Left", "Right")}
    for name, weight in looks.items():
        if name in place:
            weights[place[name]] = weight
    return kind, weights
