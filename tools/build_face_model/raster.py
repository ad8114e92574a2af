"""Rasterising UV polygons: which texel shows which point of the surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TexelMap:
    """For an S x S texture (row 0 at the top, v = 1) the surface point under each texel's centre.

    Attributes:
        polygon: (S, S) int32 quad index, -1 outside all islands.
        corners: (S, S, 3) int8, which three of the quad's corners span the texel's triangle.
        weights: (S, S, 3) float64 barycentric weights of those corners.
        overlaps: number of texels claimed by more than one polygon.
    """

    polygon: np.ndarray
    corners: np.ndarray
    weights: np.ndarray
    overlaps: int

    def sample(self, values: np.ndarray, polygons: np.ndarray) -> np.ndarray:
        """Interpolates per-vertex values (N, C), indexed by polygons (F, 4): (covered texels,
        C)."""
        covered = self.polygon >= 0
        index = np.take_along_axis(
            polygons[self.polygon[covered]], self.corners[covered].astype(int), axis=1
        )
        return np.einsum("tk,tkc->tc", self.weights[covered], values[index])


def rasterise(uv: np.ndarray, polygons: np.ndarray, size: int) -> TexelMap:
    """Rasterises quads at texel centres.

    Args:
        uv: (U, 2) in 0..1, v up.
        polygons: (F, 4) into ``uv``.
        size: texture side in texels.
    """
    owner = np.full((size, size), -1, np.int32)
    corners = np.zeros((size, size, 3), np.int8)
    weights = np.zeros((size, size, 3))
    overlaps = 0
    pixel = uv * [size, -size] + [-0.5, size - 0.5]  # texel centres are at whole numbers, y down
    for split in ((0, 1, 2), (0, 2, 3)):
        triangles = pixel[polygons[:, split]]
        low = np.maximum(np.ceil(triangles.min(axis=1)), 0).astype(int)
        high = np.minimum(np.floor(triangles.max(axis=1)), size - 1).astype(int)
        for number, (a, b, c) in enumerate(triangles):
            x0, y0 = low[number]
            x1, y1 = high[number]
            if x1 < x0 or y1 < y0:
                continue
            area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
            if area == 0:
                continue
            x, y = np.meshgrid(np.arange(x0, x1 + 1), np.arange(y0, y1 + 1))
            w1 = ((x - a[0]) * (c[1] - a[1]) - (y - a[1]) * (c[0] - a[0])) / area
            w2 = ((b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])) / area
            w0 = 1 - w1 - w2
            inside = (w0 >= 0) & (w1 >= 0) & (w2 >= 0)
            previous = owner[y[inside], x[inside]]
            # A texel centre exactly on a shared edge belongs to both sides; that is no overlap.
            strictly = np.minimum(np.minimum(w0, w1), w2)[inside] > 1e-6
            overlaps += int(((previous >= 0) & (previous != number) & strictly).sum())
            owner[y[inside], x[inside]] = number
            corners[y[inside], x[inside]] = split
            weights[y[inside], x[inside]] = np.stack([w0, w1, w2], axis=-1)[inside]
    return TexelMap(owner, corners, weights, overlaps)
