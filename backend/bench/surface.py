"""Distances to a triangle mesh, and the alignment that a fair comparison of shapes needs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..geometry.similarity import Similarity
from ..geometry.triangles import triangle_areas

Double = NDArray[np.float64]

_FIRST_CANDIDATES = 8
_LONGEST_EDGE_MM = 4.0
_MOST_STEPS = 40
_STILL_MM = 1e-3  #: points that move by less have arrived


class Surface:
    """A triangle mesh that is asked for closest points."""

    def __init__(self, vertices: NDArray, triangles: NDArray) -> None:
        """``vertices`` (V, 3), ``triangles`` (F, 3); at least one triangle."""
        self._corners = _split(np.asarray(vertices, np.float64)[triangles])
        centres = self._corners.mean(axis=1)
        gaps = np.linalg.norm(self._corners - centres[:, None], axis=2)
        self._reach = float(gaps.max())
        self._tree = cKDTree(centres)

    def closest(self, points: NDArray) -> Double:
        """(N, 3) the exactly closest point of the surface to each of ``points`` (N, 3)."""
        points = np.asarray(points, np.float64)
        out = np.empty_like(points)
        pending, count = np.arange(len(points)), min(_FIRST_CANDIDATES, len(self._corners))
        while pending.size:
            asked = points[pending]
            away, ids = self._tree.query(asked, count)
            away, ids = away.reshape(len(asked), count), ids.reshape(len(asked), count)
            spots = closest_on_triangles(asked[:, None], self._corners[ids])
            squared = ((spots - asked[:, None]) ** 2).sum(axis=2)
            best = squared.argmin(axis=1)
            rows = np.arange(len(asked))
            out[pending] = spots[rows, best]
            # A triangle further down the list is at least its centre's distance less its reach.
            sure = away[:, -1] - self._reach >= np.sqrt(squared[rows, best])
            pending = pending[~sure] if count < len(self._corners) else pending[:0]
            count = min(3 * count, len(self._corners))
        return out


def closest_on_triangles(points: NDArray, triangles: NDArray) -> Double:
    """(..., 3) the point of each triangle (..., 3, 3) closest to ``points`` (..., 3).

    Ericson 2005, "Real-Time Collision Detection", section 5.1.5, all cases at once.
    """
    a, b, c = (triangles[..., k, :] for k in range(3))
    ab, ac, ap = b - a, c - a, points - a
    d1, d2 = _dot(ab, ap), _dot(ac, ap)
    d3, d4 = d1 - _dot(ab, ab), d2 - _dot(ab, ac)
    d5, d6 = d1 - _dot(ab, ac), d2 - _dot(ac, ac)
    va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = va + vb + vc
        v, w = vb / inside, vc / inside
        along_bc = (d4 - d3) / ((d4 - d3) + (d5 - d6))
        along_ac, along_ab = d2 / (d2 - d6), d1 / (d1 - d3)
    zero, one = np.zeros_like(v), np.ones_like(v)
    # In the order in which the regions take precedence; the last is the inside.
    regions = [
        ((d1 <= 0) & (d2 <= 0), zero, zero),
        ((d3 >= 0) & (d4 <= d3), one, zero),
        ((d6 >= 0) & (d5 <= d6), zero, one),
        ((vc <= 0) & (d1 >= 0) & (d3 <= 0), along_ab, zero),
        ((vb <= 0) & (d2 >= 0) & (d6 <= 0), zero, along_ac),
        ((va <= 0) & (d4 >= d3) & (d5 >= d6), 1 - along_bc, along_bc),
    ]
    conditions = [region[0] for region in regions]
    v = np.select(conditions, [region[1] for region in regions], v)
    w = np.select(conditions, [region[2] for region in regions], w)
    return np.asarray(a + v[..., None] * ab + w[..., None] * ac, np.float64)


def align(surface: Surface, points: NDArray, start: Similarity) -> Similarity:
    """The similarity that takes ``surface`` to ``points`` (N, 3) with least squared distances.

    Iterated closest points with the point-to-plane linearisation (Chen and Medioni 1992), scale
    included, from ``start``.  The surface is moved, not the points: shrinking the points would
    lower any distance.
    """
    points = np.asarray(points, np.float64)
    found = start
    for _ in range(_MOST_STEPS):
        near = found.apply(surface.closest(found.inverse(points)))
        gap = points - near
        length = np.linalg.norm(gap, axis=1, keepdims=True)
        normal = gap / np.maximum(length, 1e-12)
        middle = near.mean(axis=0)
        arm = near - middle
        # The surface's move: small turn, relative scale, shift.
        design = np.concatenate([np.cross(arm, normal), _dot(arm, normal)[:, None], normal], axis=1)
        system = design.T @ design
        system += 1e-9 * np.trace(system) * np.eye(7)
        step = np.linalg.solve(system, design.T @ length[:, 0])
        found = found.moved(step[:3], step[4:], step[3], middle)
        moved = np.linalg.norm(np.cross(step[:3], arm) + step[3] * arm + step[4:], axis=1).max()
        if moved < _STILL_MM:
            break
    return found


def sample_surface(
    vertices: NDArray, triangles: NDArray, count: int, seed: int = 0
) -> tuple[NDArray[np.intp], Double]:
    """Triangle ids (count,) and barycentric weights (count, 3), even over the area."""
    area = triangle_areas(np.asarray(vertices, np.float64), triangles)
    rng = np.random.default_rng(seed)
    total = np.cumsum(area)
    places = (np.arange(count) + rng.random(count)) / count * total[-1]  # one in each of N strips
    root, other = np.sqrt(rng.random(count)), rng.random(count)
    weights = np.array([1 - root, root * (1 - other), root * other], np.float64).T
    return np.minimum(np.searchsorted(total, places), len(triangles) - 1), weights


def _split(corners: Double) -> Double:
    """(F, 3, 3) triangles halved until no edge is longer than :data:`_LONGEST_EDGE_MM`.

    The surface is the same; small triangles let their centres tell which are near.
    """
    done = []
    while len(corners):
        edges = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2)
        long = edges.max(axis=1) > _LONGEST_EDGE_MM
        done.append(corners[~long])
        # Turned so that the longest edge comes first.
        order = (edges[long].argmax(axis=1)[:, None] + np.arange(3)) % 3
        a, b, c = np.take_along_axis(corners[long], order[:, :, None], axis=1).transpose(1, 0, 2)
        middle = (a + b) / 2
        corners = np.concatenate([np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)])
    return np.concatenate(done)


def _dot(a: NDArray, b: NDArray) -> Double:
    return (a * b).sum(axis=-1)
