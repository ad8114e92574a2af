"""Expressions and brows of the heads that the regions' crops show.

Those of :mod:`.film_expressions`, and more of what is rare there and told only by pixels.
Shares and strengths are set by eye.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...model import FaceModel
from ...model.sampling import sample_expression
from .film_expressions import sample_expressions

Double = NDArray[np.float64]
Float = NDArray[np.float32]
Rng = np.random.Generator

#: Share of the faces that have the expressions of photos instead.
PHOTO_SHARE = 0.15
#: Shares of lips pressed or rolled shut, corners pulled down, anger that bares the teeth, faces at
#: rest; and of lids that come down, whatever else there is.
PRESSED, FROWNING, BARED, RESTING, LOWERED = 0.10, 0.06, 0.06, 0.08, 0.12
#: mm by which people's brows lie higher than the face model's, mean and standard deviation, and
#: that of each side against the other (``docs/expressions.md``); and how far around it reaches.
BROWS_MM, BROWS_SIGMA_MM, BROWS_APART_MM, BROWS_REACH_MM = -1.6, 1.6, 0.4, 14.0

#: How far people's brows move where the face model's move by 1: dlib sees up to 6.5 mm of raised
#: and 9 mm of lowered ones in films (``docs/expressions.md``), where the model has 5.9 and 5.
STRENGTHS = {"browInnerUp": (0.8, 1.5), "browOuterUp": (0.8, 1.6), "browDown": (0.8, 1.8)}


def sample_weights(model: FaceModel, rng: Rng) -> Float:
    """(E,) weights of one face, within ``model``'s range."""
    names = tuple(model.expression_names)
    if rng.random() < PHOTO_SHARE:
        weights = np.asarray(sample_expression(model, rng), np.float64)
    else:
        weights = sample_expressions(names, 1, rng)[0]
    face = _Face(names, weights, rng)
    ends = np.cumsum([PRESSED, FROWNING, BARED, RESTING])
    kinds = (_pressed, _frowning, _bared, _resting)
    kind = int(np.searchsorted(ends, rng.random(), side="right"))
    if kind < len(kinds):
        kinds[kind](face)
    if rng.random() < LOWERED:
        face.both("eyeBlink", rng.uniform(0.3, 1))
        face.both("eyeWide", 0)
    return np.clip(face.weights, *model.expression_range.T).astype(np.float32)


def brow_field(model: FaceModel, brows: NDArray) -> Float:
    """(V,) how far each vertex follows the ``brows`` (B, 3) mm, 1 where it lies on them."""
    apart = np.linalg.norm(model.mean[:, None] - brows[None], axis=2).min(axis=1)
    return np.exp(-((apart / BROWS_REACH_MM) ** 2)).astype(np.float32)


def sample_brows(model: FaceModel, field: Float, rng: Rng) -> Float:
    """(V,) mm upwards of every vertex for the brows that one person has."""
    side = np.sign(model.mean[:, 0])
    rise = rng.normal(BROWS_MM, BROWS_SIGMA_MM) + side * rng.normal(0, BROWS_APART_MM)
    return (field * rise).astype(np.float32)


def sample_strength(model: FaceModel, rng: Rng) -> Float:
    """(E,) how far one person moves at each weight's full strength; 1: as far as the model does.

    The weights that a network tells are the model's, to which this counts.
    """
    found = np.ones(len(model.expression_names), np.float32)
    for action, between in STRENGTHS.items():
        moved = [name.startswith(action) for name in model.expression_names]
        found[moved] = rng.uniform(*between)
    return found


class _Face:
    """Weights under construction."""

    def __init__(self, names: tuple[str, ...], weights: Double, rng: Rng) -> None:
        self.names, self.weights, self.rng = names, weights, rng

    def set(self, name: str, value: float) -> None:
        self.weights[self.names.index(name)] = value

    def both(self, action: str, value: float) -> None:
        """Set both sides, a little apart."""
        for side in ("Left", "Right"):
            self.set(action + side, float(np.clip(value + self.rng.normal(0, 0.05), 0, 1)))


def _pressed(face: _Face) -> None:
    rng = face.rng
    for name in ("jawOpen", "mouthFunnel"):
        face.set(name, 0.0)
    for action in ("mouthUpperUp", "mouthLowerDown"):
        face.both(action, 0)
    face.both("mouthPress", rng.uniform(0.2, 1))
    for name in ("mouthRollLower", "mouthRollUpper"):
        face.set(name, rng.uniform(0, 0.6) * (rng.random() < 0.5))


def _frowning(face: _Face) -> None:
    face.both("mouthFrown", face.rng.uniform(0.3, 1))
    face.both("mouthSmile", 0)


def _bared(face: _Face) -> None:
    face.both("mouthSmile", 0)
    face.both("browDown", face.rng.uniform(0.4, 1))
    for action in ("mouthUpperUp", "mouthLowerDown", "noseSneer"):
        face.both(action, face.rng.uniform(0.2, 0.9))


def _resting(face: _Face) -> None:
    face.weights[:] = np.abs(face.rng.normal(0, 0.04, len(face.weights)))
    for name in face.names:
        if name.startswith("eyeLook") or name == "tongueOut":
            face.set(name, 0.0)
