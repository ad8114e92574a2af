"""Distances to a triangle mesh, and the alignment that a fair comparison of shapes needs."""

from __future__ import annotations

import igl
import numpy as np
from numpy.typing import NDArray

from ..geometry.similarity import Similarity
from ..geometry.triangles import triangle_areas

Double = NDArray[np.float64]

_MOST_STEPS = 40
_STILL_MM = 1e-3  #: points that move by less have arrived


class ClosestPoints:
    """A triangle mesh that is asked for closest points, by libigl's tree of boxes."""

    def __init__(self, vertices: NDArray, triangles: NDArray) -> None:
        """``vertices`` (V, 3), ``triangles`` (F, 3); at least one triangle."""
        self._vertices = np.ascontiguousarray(vertices, np.float64)
        self._triangles = np.ascontiguousarray(triangles, np.int64)
        self._tree = igl.AABB()
        self._tree.init(self._vertices, self._triangles)

    def closest(self, points: NDArray) -> Double:
        """(N, 3) the exactly closest point of the surface to each of ``points`` (N, 3)."""
        points = np.ascontiguousarray(points, np.float64)
        _, _, found = self._tree.squared_distance(self._vertices, self._triangles, points)
        return np.asarray(found)


def align(surface: ClosestPoints, points: NDArray, start: Similarity) -> Similarity:
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


def _dot(a: NDArray, b: NDArray) -> Double:
    return (a * b).sum(axis=-1)
