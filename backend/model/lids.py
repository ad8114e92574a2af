"""A person's own blinks: lids that meet, and no eyeball in front of a lid, on every head.

The model's ``eyeBlink`` shapes are made on its mean head. On another one the upper lid stops short
of the lower one or runs past it, and the eyeball, which moves and grows with the identity by
itself, can come through the lid. So each head gets blinks of its own: what its margins are off
at weight 1 is taken back, mostly by the upper lid; then what lies too near the eyeball, closed or
on the straight way there, is pushed outwards.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ..exchange.reconstruction import OWN_BLINKS
from ..kept import kept
from .face_model import FaceModel, fit_sphere

Float = NDArray[np.float32]
Double = NDArray[np.float64]

#: Rows of ``lid_rings``, from the eye socket outwards; by ``tools/build_face_model/rings.py``.
SEAM = 2
#: The visible edge of a lid; the lids' two edges meet.
EDGE = SEAM + 2
#: How much of the correction each row takes: none far behind and far above, all of it at the lid.
SHARE = np.array([0.5, 1, 1, 1, 1, 1, 1, 0.94, 0.8, 0.6, 0.39, 0.2, 0.06, 0], np.float64)
#: Of the correction by the upper and the lower lid.
UPPER, LOWER = 0.9, 0.1
#: mm that the upper edge comes down over the lower one in the middle of the closed eye.
OVERLAP = 0.25
#: mm that each row from the back edge of the lid (SEAM + 1) on keeps from the closed eye's ball.
CLEAR = np.array([0.0, 0.25, 0.45] + [0.6] * 8)
#: Weights on the way, and mm that rows from behind the edge on keep there.
ON_THE_WAY, CLEAR_ON_THE_WAY = (0.4, 0.6), 0.15
#: Rounds in which a push spreads to what is beside it, without which it would leave dents.
ROUNDS = 3


def set_own_blinks(model: FaceModel, neutral: NDArray, basis: Float) -> None:
    """Turn the expressions ``OWN_BLINKS`` of ``basis`` (E, V, 3) mm at weight 1, which are the
    model's, into those of the head ``neutral`` (V, 3) mm.

    Nothing where the model does not have them or does not name the rings of its lids.
    """
    if model.lid_rings is None or not set(OWN_BLINKS) <= set(model.expression_names):
        return
    for side, (name, rings, globe, eyeball) in enumerate(
        zip(OWN_BLINKS, model.lid_rings, model.globes, model.eyeballs, strict=True)
    ):
        shape = basis[model.expression_names.index(name)]
        mean, head, blink = (
            field[rings].astype(np.float64) for field in (model.mean, neutral, shape)
        )
        center, radius = fit_sphere(neutral[globe])
        surface = EyeSurface(radius, neutral[eyeball] - center)
        own = _cleared(head - center, _closed(mean, head, blink), surface)
        shape[rings] = own
        lashes, tears = _lashes(model)[side], _tears(model)[side]
        shape[lashes.vertices] += lashes.root @ (own - blink)[EDGE]
        shape[tears.vertices] += tears.root @ (own - blink)[SEAM + 1]


def _closed(mean: Double, head: Double, blink: Double) -> Double:
    """The ``blink`` of a ``head`` with its lids' edges together; (R, L, 3) mm at the rings."""
    columns = mean.shape[1] // 2
    upper, lower = slice(None, columns), slice(None, columns - 1, -1)  # facing each other
    apart, wanted = ((at + blink)[EDGE, upper] - (at + blink)[EDGE, lower] for at in (head, mean))
    along = (np.arange(columns) + 0.5) / columns
    wanted[:, 1] = -OVERLAP * np.sqrt(np.sin(np.pi * along))
    off = SHARE[:, None, None] * (apart - wanted)
    closed = blink.copy()
    closed[:, upper] -= UPPER * off
    closed[:, lower] += LOWER * off
    return closed


class _Followers(NamedTuple):
    """N vertices that go with the lids of one eye."""

    vertices: NDArray[np.intp]  #: (N,)
    root: Double  #: (N, L) how each goes with a ring of the lids


@kept(maxsize=4)
def _tears(model: FaceModel) -> list[_Followers]:
    """Tear lines of the right and of the left eye, none where the model has none; they go as the
    lids' back edge does."""
    assert model.lid_rings is not None
    return [
        _Followers(ids, _nearest(model.mean[ids], model.mean[rings[SEAM + 1]]))
        for rings, ids in zip(model.lid_rings, model.of_kind("tear"), strict=True)
    ]


def _nearest(points: Float, ring: Float) -> Double:
    """(N, L) how the two nearest of the ``ring`` (L, 3) are mixed at ``points`` (N, 3)."""
    away = np.linalg.norm(points[:, None] - ring, axis=2)
    beside = np.argsort(away, axis=1)[:, :2]
    close = 1 / np.maximum(np.take_along_axis(away, beside, axis=1), 1e-3)
    root = np.zeros(away.shape)
    np.put_along_axis(root, beside, close / close.sum(axis=1, keepdims=True), axis=1)
    return root


@kept(maxsize=4)
def _lashes(model: FaceModel) -> list[_Followers]:
    """Those of the right and of the left eye: each lash goes as the lids' visible edge does where
    it grows."""
    assert model.lid_rings is not None
    found = []
    for rings, ids in zip(model.lid_rings, model.of_kind("lashes"), strict=True):
        edge = model.mean[rings[EDGE]]
        away = np.linalg.norm(model.mean[ids][:, None] - edge, axis=2)
        # A lash is a piece by itself; the vertex next to the lids is its root.
        piece = _pieces(model.edges, ids)
        order = np.lexsort((away.min(axis=1), piece))
        first = order[np.unique(piece[order], return_index=True)[1]]
        found.append(_Followers(ids, _nearest(model.mean[ids[first[piece]]], edge)))
    return found


def _pieces(edges: NDArray[np.int32], ids: NDArray[np.intp]) -> NDArray[np.intp]:
    """(N,) the number, from 0, of the connected piece that each of the vertices ``ids`` is in."""
    inside = np.isin(edges, ids).all(axis=1)
    ends = np.searchsorted(ids, edges[inside])
    graph = coo_matrix((np.ones(len(ends), np.int8), ends.T), (len(ids), len(ids)))
    return connected_components(graph, False)[1]


class EyeSurface:
    """The outside of an eye that looks ahead: its globe, with the cornea where it has one."""

    def __init__(self, radius: float, points: NDArray) -> None:
        """``points`` (N, 3) mm are the eye's about the globe's centre."""
        away, self._radius = np.linalg.norm(points, axis=1), radius
        outside = (away > 0.99 * radius) & (points[:, 2] > 0)
        angle = np.arccos(points[outside, 2] / away[outside])
        order = np.argsort(angle)
        self._angles, self._radii = angle[order], away[outside][order]

    def radius(self, points: Double) -> Double:
        """(...) mm from the centre to the outside in the direction of ``points`` (..., 3)."""
        angle = np.arctan2(np.linalg.norm(points[..., :2], axis=-1), points[..., 2])
        return np.interp(angle, self._angles, self._radii, right=self._radius)


def _cleared(head: Double, blink: Double, surface: EyeSurface) -> Double:
    """The ``blink`` of a ``head`` about its eyeball's centre, off the ball from the lids' back edge
    on."""
    first = SEAM + 1
    start, shape = head[first:], blink[first:]
    end = start + shape
    away = np.linalg.norm(end, axis=2, keepdims=True)
    least = np.maximum(surface.radius(end) + CLEAR[:, None] - away[..., 0], 0)
    for weight in ON_THE_WAY:
        way = start + weight * shape
        there = np.linalg.norm(way, axis=2)
        behind = np.maximum(surface.radius(way) + CLEAR_ON_THE_WAY - there, 0) / weight
        least[EDGE + 1 - first :] = np.maximum(least, behind)[EDGE + 1 - first :]
    rows, columns = np.arange(least.shape[0]), np.arange(least.shape[1])
    above, below = np.maximum(rows - 1, 0), np.minimum(rows + 1, rows[-1])
    before, after = columns - 1, (columns + 1) % len(columns)
    push = least
    for _ in range(ROUNDS):
        beside = push[above] + push[below] + push[:, before] + push[:, after]
        push = np.maximum(least, 0.5 * push + 0.125 * beside)
    result = blink.copy()
    result[first:] += push[..., None] * end / away
    return result
