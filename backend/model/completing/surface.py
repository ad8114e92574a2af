"""Nearest points on a triangle mesh that also face the same way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ...geometry.triangles import triangle_normals

Double = NDArray[np.float64]
Int = NDArray[np.int32]

#: Samples of a surface; coarse meshes get several a triangle.
SAMPLES = 80_000
#: Millimetres that a normal turned by a right angle counts for, over the square root of two.
NORMAL_MM = 6.0


@dataclass(frozen=True, eq=False)
class Hits:
    """N nearest points on a mesh."""

    triangle: Int  #: (N,)
    weights: Double  #: (N, 3) barycentric
    points: Double  #: (N, 3) mm
    distance: Double  #: (N,) mm
    facing: Double  #: (N,) cosine between the normals


class LookupMesh:
    """A triangle mesh (V, 3) mm, (F, 3) to look up points on."""

    def __init__(self, vertices: NDArray, triangles: Int, normal_mm: float = NORMAL_MM) -> None:
        self.vertices = np.asarray(vertices, np.float64)
        self.triangles, self.normal_mm = triangles, normal_mm
        self.normals = triangle_normals(self.vertices, triangles)
        level = max(1, round(np.sqrt(SAMPLES / max(len(triangles), 1))))
        places = _centroids(level)
        corners = self.vertices[triangles]
        samples = np.einsum("sk,fkd->fsd", places, corners).reshape(-1, 3)
        self.sample_triangle = np.repeat(np.arange(len(triangles), dtype=np.int32), len(places))
        turned = normal_mm * self.normals[self.sample_triangle]
        self.tree = cKDTree(np.hstack([samples, turned]), balanced_tree=False)

    def nearest(
        self,
        points: NDArray,
        normals: NDArray,
        candidates: int = 3,
        within_mm: float = np.inf,
    ) -> Hits:
        """The nearest points to ``points`` (N, 3), by distance and turn of the ``normals`` (N, 3).

        Where there is none ``within_mm`` the distance is infinite and ``facing`` -1.
        """
        points = np.asarray(points, np.float64)
        query = np.hstack([points, self.normal_mm * normals])
        bound = np.hypot(within_mm, 1.2 * self.normal_mm)  # turned by 75 degrees
        near = self.tree.query(query, k=candidates, distance_upper_bound=bound)[1]
        near = near.reshape(len(points), -1)
        none = near == self.tree.n
        near = np.where(none, 0, near)
        triangle = self.sample_triangle[near]
        weights = self._weights(np.repeat(points, triangle.shape[1], 0), triangle.ravel())
        weights = weights.reshape(*triangle.shape, 3)
        found = np.einsum("nck,nckd->ncd", weights, self.vertices[self.triangles[triangle]])
        gap = np.linalg.norm(found - points[:, None], axis=2)
        turn = np.linalg.norm(self.normals[triangle] - normals[:, None], axis=2)
        gap[none] = np.inf
        best = np.hypot(gap, self.normal_mm * turn).argmin(axis=1)
        row = np.arange(len(points))
        triangle = triangle[row, best]
        facing = np.einsum("nd,nd->n", self.normals[triangle], normals)
        facing[np.isinf(gap[row, best])] = -1
        return Hits(triangle, weights[row, best], found[row, best], gap[row, best], facing)

    def _weights(self, points: Double, triangle: Int) -> Double:
        """(N, 3) barycentric weights of the projections, drawn into the triangles."""
        a, b, c = np.moveaxis(self.vertices[self.triangles[triangle]], 1, 0)
        ab, ac, ap = b - a, c - a, points - a
        d00, d01, d11 = (np.einsum("nd,nd->n", *pair) for pair in ((ab, ab), (ab, ac), (ac, ac)))
        d20, d21 = (np.einsum("nd,nd->n", ap, edge) for edge in (ab, ac))
        scale = np.maximum(d00 * d11 - d01**2, 1e-12)
        v, w = (d11 * d20 - d01 * d21) / scale, (d00 * d21 - d01 * d20) / scale
        weights = np.clip(np.stack([1 - v - w, v, w], 1), 0, None)
        return weights / np.maximum(weights.sum(1, keepdims=True), 1e-12)


def interpolate(values: NDArray, triangles: Int, hits: Hits) -> NDArray:
    """(N, ...) the per-vertex ``values`` (V, ...) at the hits."""
    corners = values[triangles[hits.triangle]]
    return np.einsum("nk,nk...->n...", hits.weights, corners)


def _centroids(level: int) -> Double:
    """(level^2, 3) barycentric middles of the parts of a triangle split ``level`` times a side."""
    out = []
    for i in range(level):
        for j in range(level - i):
            k = level - 1 - i - j
            out.append((i + 1 / 3, j + 1 / 3, k + 1 / 3))
            if k > 0:
                out.append((i + 2 / 3, j + 2 / 3, k - 1 / 3))
    return np.array(out) / level
