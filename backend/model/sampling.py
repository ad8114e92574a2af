"""Plausible identities and expressions, drawn at random: for training and for trial drawings.

Expressions follow how faces move: lids and brows act in pairs, a smile takes the cheeks and the
lower lids along, the jaw opens in speech, both eyes look at one point (FACS: Ekman and Friesen
1978).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .face_model import FaceModel

Float = NDArray[np.float32]
Rng = np.random.Generator

#: Strong expressions: actions and how much of each.
_MOODS: dict[str, dict[str, float]] = {
    "surprise": {"browInnerUp": 0.9, "browOuterUp": 0.8, "eyeWide": 0.9, "jawOpen": 0.6},
    "anger": {"browDown": 1.0, "noseSneer": 0.5, "mouthPress": 0.6, "eyeSquint": 0.4},
    "rage": {
        **{"browDown": 1.0, "noseSneer": 0.8, "jawOpen": 0.6},
        **{"mouthUpperUp": 0.7, "mouthLowerDown": 0.7, "mouthStretch": 0.4},
    },
    "scream": {"jawOpen": 1.0, "mouthStretch": 0.4, "browInnerUp": 0.5, "mouthLowerDown": 0.4},
    "disgust": {"noseSneer": 1.0, "mouthUpperUp": 0.6, "browDown": 0.6, "cheekSquint": 0.5},
    "sad": {"browInnerUp": 0.9, "mouthFrown": 0.8, "mouthShrugLower": 0.5, "eyeSquint": 0.2},
    "kiss": {"mouthPucker": 1.0, "mouthFunnel": 0.3, "browOuterUp": 0.2},
    "puff": {"cheekPuff": 1.0, "mouthPress": 0.4},
    "tongue": {"tongueOut": 0.8, "jawOpen": 0.5},
    "pressed": {"mouthRollLower": 0.7, "mouthRollUpper": 0.6, "mouthPress": 0.4},
}

#: Degrees an eye turns at weight 1: inwards and outwards, up, down (docs/face_model.md).
GAZE_DEGREES = (28.0, 22.0, 25.0)
#: Of a component of identity; drawn wider than the prior so that the network sees its borders.
IDENTITY_SIGMA = (0.8, 1.25)
#: Shapes that are no action of their own but correct or accompany another.
_NEVER_ALONE = ("mouthClose", "tongueOut", "eyeLook", "eyeBlink", "jawOpen", "nostril")


def sample_identity(model: FaceModel, rng: Rng) -> Float:
    """(K,) standard deviations."""
    return (rng.uniform(*IDENTITY_SIGMA) * rng.normal(size=len(model.identity_basis))).astype(
        np.float32
    )


def sample_expression(model: FaceModel, rng: Rng) -> Float:
    """(E,) weights within ``model.expression_range``: one of several moods, blinks, and a gaze.

    For a model without named ARKit shapes: independent normal draws, cut to the range.
    """
    low, high = model.expression_range.T
    if "jawOpen" not in model.expression_names:
        return np.clip(rng.normal(size=len(low)), low, high).astype(np.float32)
    face = _Face(model.expression_names, rng)
    moods: list[tuple[float, Callable[[_Face], None]]] = [
        (0.16, _neutral),
        (0.18, _speech),
        (0.26, _smile),
        (0.22, _few_actions),
        (0.18, _strong),
    ]
    shares = np.array([share for share, _ in moods])
    moods[rng.choice(len(moods), p=shares / shares.sum())][1](face)
    _lids(face)
    _gaze(face)
    return np.clip(face.weights, low, high).astype(np.float32)


class _Face:
    """Weights under construction."""

    def __init__(self, names: tuple[str, ...], rng: Rng) -> None:
        self.names, self.rng = names, rng
        self.index = {name: i for i, name in enumerate(names)}
        self.weights = np.zeros(len(names))

    def add(self, name: str, weight: float) -> None:
        """Raise ``name``; without a side, both sides with a little asymmetry."""
        if name in self.index:
            self.weights[self.index[name]] += weight
            return
        lean = self.rng.normal(0.0, 0.12)
        for side, factor in (("Left", 1 + lean), ("Right", 1 - lean)):
            if name + side in self.index:
                self.weights[self.index[name + side]] += weight * factor

    def maybe(self, share: float, name: str, low: float, high: float) -> None:
        """:meth:`add` in ``share`` of the faces."""
        if self.rng.random() < share:
            self.add(name, self.rng.uniform(low, high))


def _neutral(face: _Face) -> None:
    for name in ("browDown", "mouthPress", "mouthShrugLower", "eyeSquint", "mouthSmile"):
        face.maybe(0.25, name, 0.0, 0.2)


def _speech(face: _Face) -> None:
    """Visemes: an open jaw with rounded, spread or pressed lips."""
    rng = face.rng
    jaw = rng.beta(1.4, 3.0)
    face.add("jawOpen", jaw)
    face.maybe(0.35, "mouthClose", 0.0, 0.6 * jaw)
    shape = rng.choice(
        ["mouthFunnel", "mouthPucker", "mouthStretch", "mouthLowerDown", "mouthUpperUp", "none"]
    )
    if shape != "none":
        face.add(str(shape), rng.uniform(0.1, 0.8))
    face.maybe(0.25, "mouthLowerDown", 0.1, 0.5)
    face.maybe(0.25, "mouthUpperUp", 0.1, 0.4)
    face.maybe(0.2, "mouthRollLower", 0.1, 0.6)
    face.maybe(0.1, "mouthRollUpper", 0.1, 0.5)
    face.maybe(0.3, "browInnerUp", 0.1, 0.5)
    face.maybe(0.2, "browDown", 0.1, 0.5)


def _smile(face: _Face) -> None:
    """From a hint to a laugh; the wider, the more of cheeks, lids and teeth."""
    rng = face.rng
    strength = rng.beta(1.6, 1.4)
    face.add("mouthSmile", strength)
    face.add("cheekSquint", strength * rng.uniform(0.1, 0.8))
    face.add("eyeSquint", strength * rng.uniform(0.0, 0.6))
    if rng.random() < 0.6:
        face.add("mouthUpperUp", strength * rng.uniform(0.1, 0.6))
        face.add("mouthLowerDown", strength * rng.uniform(0.0, 0.5))
    if rng.random() < 0.5:
        face.add("jawOpen", strength * rng.uniform(0.0, 0.55))
    face.maybe(0.3, "mouthDimple", 0.1, 0.5)
    face.maybe(0.25, "mouthStretch", 0.05, 0.35)
    face.maybe(0.25, "browOuterUp", 0.1, 0.6)
    if rng.random() < 0.12:  # lopsided
        side = rng.choice(["Left", "Right"])
        face.weights[face.index[f"mouthSmile{side}"]] *= rng.uniform(0.0, 0.6)


def _few_actions(face: _Face) -> None:
    """Two to six actions of any kind: what no list foresees."""
    free = sorted(
        {
            name.removesuffix("Left").removesuffix("Right")
            if name not in ("mouthLeft", "mouthRight", "jawLeft", "jawRight")
            else name
            for name in face.names
            if not name.startswith(_NEVER_ALONE)
        }
    )
    for name in face.rng.choice(free, size=face.rng.integers(2, 7), replace=False):
        weight = face.rng.uniform(0.1, 0.9) * face.rng.uniform(0.4, 1.0)
        if face.rng.random() < 0.2 and f"{name}Left" in face.index:
            face.add(name + str(face.rng.choice(["Left", "Right"])), weight)
        else:
            face.add(str(name), weight)
    face.maybe(0.4, "jawOpen", 0.05, 0.5)


def _strong(face: _Face) -> None:
    rng, strength = face.rng, face.rng.uniform(0.4, 1.0)
    for name, weight in _MOODS[str(rng.choice(list(_MOODS)))].items():
        face.add(name, strength * weight * rng.uniform(0.6, 1.1))
    face.maybe(0.25, str(rng.choice(["mouthLeft", "mouthRight"])), 0.1, 0.6)
    face.maybe(0.2, str(rng.choice(["jawLeft", "jawRight", "jawForward"])), 0.1, 0.6)


def _lids(face: _Face) -> None:
    rng = face.rng
    if rng.random() < 0.12:
        face.add("eyeBlink", rng.uniform(0.6, 1.0))
    elif rng.random() < 0.3:
        face.add("eyeBlink", rng.uniform(0.0, 0.45))
    elif rng.random() < 0.03:
        face.add(f"eyeBlink{rng.choice(['Left', 'Right'])}", rng.uniform(0.7, 1.0))


def _gaze(face: _Face) -> None:
    """Both eyes at one point: degrees to the head's left and up, shared out to the eight shapes."""
    rng = face.rng
    spread = 4.0 if rng.random() < 0.5 else 14.0
    left, up = rng.normal(0.0, spread), rng.normal(0.0, 0.6 * spread)
    aside, above, below = GAZE_DEGREES
    vertical = ("eyeLookUp", up / above) if up > 0 else ("eyeLookDown", -up / below)
    for side, outwards in (("Left", left), ("Right", -left)):
        name = "eyeLookOut" if outwards > 0 else "eyeLookIn"
        face.weights[face.index[name + side]] = min(abs(outwards) / aside, 1.0)
        face.weights[face.index[vertical[0] + side]] = min(vertical[1], 1.0)
        # Lids follow the eyes down.
        if up < 0:
            face.weights[face.index["eyeBlink" + side]] += 0.35 * vertical[1]
