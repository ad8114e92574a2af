"""The tear line: a thin wet strip along each lower lid, where it lies on the eyeball.

It is added after the lashes, with a material of its own.  Tears stand there as a meniscus,
hollow towards the air; each cut of the strip goes from the globe over that hollow to the lid's
margin and moves with the lid's back and visible edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .lid_fit import BACK, CENTER, EDGE, height_over
from .pairs import Pair, mirrored, with_pair

if TYPE_CHECKING:
    from .assembly import FaceModel

PARTS = ("tear_right", "tear_left")
UV_BOX = (0.748, 0.9453, 0.019, 0.0055)
COLUMNS = (26.0, 14.8)
"""Columns of ``lid_rings`` between which it runs, from the inner corner to the outer one."""
CUTS = 34
HEIGHT = 0.35
"""mm that it reaches up the globe from where the lid lies on it, in the middle; at its ends 0."""
OVER_GLOBE = 0.05
"""mm over the globe of its upper edge, so that it is seen."""
ON_LID = 0.4
"""Of the way from the lid's back edge to the visible one, up to where it wets the margin."""
OVER_LID = 0.04
"""mm over the margin of its lower edge."""
ENDS = 0.12
"""Share of its length over which it grows to that height from either end."""
POINTS = 5
"""Vertices of a cut."""
HOLLOW = 0.35
"""How far a cut is drawn from the straight line between its ends to the corner between globe and
lid."""


@dataclass(frozen=True)
class Strip:
    """The left tear line, cut by cut from the inner corner outwards.

    Attributes:
        points: (CUTS, POINTS, 3) mm, each cut from the globe to the lid's margin.
        column: (CUTS,) where on the rings the cuts are.
        of_edge: (CUTS, POINTS, 1) how far a vertex goes with the lid's visible edge; the rest of it
            goes with the back edge, which stays on the globe.
    """

    points: np.ndarray
    column: np.ndarray
    of_edge: np.ndarray

    def moved(self, field: np.ndarray) -> np.ndarray:
        """(..., N, 3) a field of the lids (..., R, L, 3) on the strip."""
        behind, before = (_at(field[..., row, :, :], self.column) for row in (BACK, EDGE))
        mix = behind[..., None, :] * (1 - self.of_edge) + before[..., None, :] * self.of_edge
        return mix.reshape(*mix.shape[:-3], -1, 3)


def strip_on(lids: np.ndarray) -> Strip:
    """That on the left ``lids`` (R, L, 3) mm of the mean head."""
    column = np.linspace(*COLUMNS, CUTS)
    back, edge = _at(lids[BACK], column), _at(lids[EDGE], column)
    along = np.linspace(0, 1, CUTS)[:, None]
    size = np.sqrt(np.minimum(np.minimum(along, 1 - along) / ENDS, 1))
    up = _unit(np.cross(np.gradient(back, axis=0), _unit(edge - back)))
    up *= np.sign(up[:, 1:2])
    top = _over_globe(back + HEIGHT * size * up, OVER_GLOBE)
    bottom = back + ON_LID * size * (edge - back) + OVER_LID * up
    corner = _over_globe(back, 0.0)[:, None]
    share = np.linspace(0, 1, POINTS)[:, None]
    straight = top[:, None] * (1 - share) + bottom[:, None] * share
    points = straight + 4 * share * (1 - share) * HOLLOW * (corner - straight)
    return Strip(points, column, ON_LID * size[:, None] * share)


def with_tears(model: FaceModel) -> FaceModel:
    """The ``model`` with tear lines as its last parts, right then left."""
    left, names = model.lid_rings[1], model.expression_names
    strip = strip_on(model.mean[left])
    there = strip.moved(model.expression_basis[:, left])
    shapes = np.zeros((len(names), 2, *there.shape[1:]))
    for number, name in enumerate(names):
        other = number
        for side, far in (("Left", "Right"), ("Right", "Left")):
            if name.removesuffix(side) + far in names:
                other = names.index(name.removesuffix(side) + far)
        shapes[number, 1], shapes[other, 0] = there[number], mirrored(there[number])
    at = np.arange(CUTS * POINTS).reshape(CUTS, POINTS)
    quads = np.stack([at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]], axis=-1).reshape(-1, 4)
    basis = strip.moved(model.identity.basis[:, left])
    points = strip.points.reshape(-1, 3)
    return with_pair(model, Pair(points, quads, basis, shapes, PARTS, "tear", UV_BOX))


def _over_globe(points: np.ndarray, height: float) -> np.ndarray:
    """``points`` (N, 3) raised from the globe to ``height`` mm at least."""
    arms = points - CENTER
    away = np.linalg.norm(arms, axis=1, keepdims=True)
    over = height_over(points)[:, None]
    return points + np.maximum(height - over, 0) * arms / away


def _at(ring: np.ndarray, column: np.ndarray) -> np.ndarray:
    """(..., N, 3) a ``ring`` (..., L, 3) at broken columns (N,)."""
    first = np.floor(column).astype(int)
    share = (column - first)[:, None]
    return ring[..., first, :] * (1 - share) + ring[..., first + 1, :] * share


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
