"""Lashes on the lids' edges: thin tapering ribbons, which follow identity and expressions.

They are the very last thing added to the model, after the eyes; nothing else changes.  Each is
three stations long and turns with the piece of lid that it grows from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .lid_fit import BACK, CENTER, EDGE
from .pairs import Pair, mirrored, with_pair

if TYPE_CHECKING:
    from .assembly import FaceModel

SEED = 20_261_129
STATIONS = 3
WIDTHS = (0.19, 0.17, 0.03)
"""mm at root, middle and tip: with mascara. At 0.13 they are not seen at 512 pixels."""
PARTS = ("lashes_right", "lashes_left")
UV_BOX = (0.772, 0.977, 0.020, 0.012)
"""(left, bottom, width, height) of the left lashes': one grid, they have no texture."""
SUNK = 0.35
"""mm that a root lies within the skin, which subdivision draws in."""
DEEP = 0.35
"""Of the way from the lid's edge to the next ring that roots are spread over, in rows."""


@dataclass(frozen=True)
class Row:
    """The lashes of one lid.

    Attributes:
        count: how many.
        columns: (first, last) column of ``lid_rings``, from the inner to the outer corner.
        length: mm of the longest; at the inner end they have 0.5, at the outer 0.85 of it.
        bend: (ahead, along the skin) of middle and tip, in lengths.
    """

    count: int
    columns: tuple[float, float]
    length: float
    bend: tuple[tuple[float, float], tuple[float, float]]


ROWS = (
    Row(96, (2.4, 11.9), 9.5, ((0.52, 0.05), (0.78, 0.55))),
    Row(48, (24.4, 15.2), 5.6, ((0.50, 0.14), (0.78, 0.46))),
)


@dataclass(frozen=True)
class Lashes:
    """N left lashes.

    Attributes:
        points: (N, STATIONS, 2, 3) mm.
        column: (N,) where on the rings they grow, deep: (N,) 0 at the edge, 1 a ring further.
    """

    points: np.ndarray
    column: np.ndarray
    deep: np.ndarray


def grown(lids: np.ndarray) -> Lashes:
    """Lashes of the left ``lids`` (R, L, 3) mm."""
    rng = np.random.default_rng(SEED)
    columns, deeps, found = [], [], []
    for row in ROWS:
        share = (np.arange(row.count) + rng.uniform(0.2, 0.8, row.count)) / row.count
        fine = np.linspace(*row.columns, 200)
        steps = np.linalg.norm(np.diff(_at(lids[EDGE], fine), axis=0), axis=1)
        lengths = np.concatenate([[0], np.cumsum(steps)])
        column = np.interp(share * lengths[-1], lengths, fine)
        deep = DEEP * rng.uniform(size=row.count)
        root = rooted(lids, column, deep)
        ahead = root - CENTER
        # More ahead than the globe's normal, so that they fan out without lying on the skin.
        ahead = _unit(_unit(ahead) * [1, 0.25, 1] + [0, 0, 0.35])
        skin = _unit(_at(lids[EDGE + 2], column) - _at(lids[EDGE], column))
        along = _unit(np.cross(ahead, skin))
        skin = np.cross(along, ahead)
        length = row.length * np.interp(share, [0, 0.6, 1], [0.5, 1, 0.85])
        length *= rng.uniform(0.85, 1.08, row.count)
        # Neighbours lean together in tufts.
        lean = 0.10 * np.sin(np.cumsum(rng.uniform(0.8, 2.6, row.count)))
        lean += rng.normal(0, 0.05, row.count)
        stations = [root - SUNK * ahead]
        for (forth, up), side in zip(row.bend, (0.3, 1.0), strict=True):
            up = up + rng.normal(0, 0.03, row.count)
            step = forth * ahead + up[:, None] * skin + (side * lean)[:, None] * along
            stations.append(root + length[:, None] * step)
        middle = np.stack(stations, axis=1)
        half = np.array(WIDTHS)[:, None] / 2 * along[:, None]
        found.append(np.stack([middle - half, middle + half], axis=2))
        columns.append(column)
        deeps.append(deep)
    return Lashes(np.concatenate(found), np.concatenate(columns), np.concatenate(deeps))


def _at(ring: np.ndarray, column: np.ndarray) -> np.ndarray:
    """(..., N, 3) a ``ring`` (..., L, 3) at broken columns (N,)."""
    first = np.floor(column).astype(int)
    share = (column - first)[:, None]
    return ring[..., first, :] * (1 - share) + ring[..., first + 1, :] * share


def rooted(lids: np.ndarray, column: np.ndarray, deep: np.ndarray) -> np.ndarray:
    """(..., N, 3) a field of the lids (..., R, L, 3) where lashes grow."""
    edge, further = (_at(lids[..., row, :, :], column) for row in (EDGE, EDGE + 1))
    return edge + deep[:, None] * (further - edge)


def turned(lids: np.ndarray, shape: np.ndarray, lashes: Lashes) -> np.ndarray:
    """(N, STATIONS, 2, 3) mm: how lashes move with an expression's ``shape`` (R, L, 3).

    Each goes and turns as the lid around its root does at best (Kabsch 1976).
    """
    moved = rooted(shape, lashes.column, lashes.deep)
    root = rooted(lids, lashes.column, lashes.deep)
    arms = lashes.points - root[:, None, None]
    found = np.broadcast_to(moved[:, None, None], arms.shape).copy()
    middle = np.round(lashes.column).astype(int)
    count = lids.shape[1]
    for number in np.flatnonzero(np.linalg.norm(moved, axis=1) > 1e-3):
        near = np.arange(middle[number] - 2, middle[number] + 3) % count
        before = lids[BACK : EDGE + 4, near].reshape(-1, 3)
        after = before + shape[BACK : EDGE + 4, near].reshape(-1, 3)
        u, _, vt = np.linalg.svd((before - before.mean(axis=0)).T @ (after - after.mean(axis=0)))
        turn = (vt.T * [1, 1, np.sign(np.linalg.det(vt.T @ u.T))]) @ u.T
        found[number] += arms[number] @ turn.T - arms[number]
    return found


def with_lashes(model: FaceModel) -> FaceModel:
    """The ``model`` with lashes as its last parts, right then left."""
    left = model.lid_rings[1]
    lids = model.mean[left]
    lashes = grown(lids)
    points = lashes.points.reshape(-1, 3)
    per_lash = 2 * STATIONS

    def on_each(field: np.ndarray) -> np.ndarray:
        return np.repeat(rooted(field, lashes.column, lashes.deep), per_lash, axis=-2)

    basis = on_each(model.identity.basis[:, left])
    names = model.expression_names
    shapes = np.zeros((len(names), 2, len(points), 3))
    for number, name in enumerate(names):
        if name.endswith("Right"):
            continue
        motion = turned(lids, model.expression_basis[number, left], lashes).reshape(-1, 3)
        other = number
        if name.endswith("Left"):
            other = names.index(name.removesuffix("Left") + "Right")
            # A shape of one side hardly moves the other; its lashes follow there by their roots.
            far = model.expression_basis[other, left]
            shapes[other, 1] = on_each(far)
            shapes[number, 0] = mirrored(on_each(far))
        shapes[number, 1] = motion
        shapes[other, 0] = mirrored(motion)
    quads = np.array([[0, 1, 3, 2], [2, 3, 5, 4]])
    one = (per_lash * np.arange(len(lashes.column))[:, None, None] + quads).reshape(-1, 4)
    pair = Pair(points, one, basis, shapes, PARTS, "lashes", UV_BOX)
    return with_pair(model, pair)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
