"""Lips that touch, for every identity.

``lip_seal`` keeps the *seam* together, where the outer skin ends and the mouth's inside begins. But
lips touch further out, the upper one a ring or two of vertices before its seam, the lower one at
its seam or a ring before it. How far they stand apart there at neutral is nearly linear in the
identity, so it is taken out of the mean and of each component: half of it by either lip, only in
height (so an overbite stays possible), whole over the lip's inner rings and fading out towards
nose, chin and the mouth's inside.

It is done to the finished components: order, signs and meaning of the coefficients stay.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .regions import smooth_step
from .render import cast, split_quads
from .rings import rings_from, seam_loop

WHOLE = 2
"""Rings before the seam, counted from it, that a lip's correction moves as one."""
TOUCHING = 4
"""Rings before the seam among which the lips can touch."""
OUTWARDS = 8
"""Ring before the seam at which the correction has faded out, some 10 mm away."""
INWARDS = 0.5
"""Share of the correction at the first ring behind the seam, 4 mm away; further in it is 0."""
STATION, DEPTH = 0.25, 0.1
"""mm from one cut through the mouth to the next, and from one place to the next, front to back,
where a cut is looked at."""
SMOOTH = 1.0
"""mm (standard deviation) over which the lips' distance is smoothed along them: columns of vertices
are 2 to 5 mm apart, and where the lips touch jumps from one ring to another."""
OVERLAP = 0.15
"""mm the lips of the mean head are pressed into each other: where they touch moves a little with
the identity."""
ROUNDS = 3
"""The correction is made between cuts and applied to vertices, so what is left is taken again."""


@dataclass(frozen=True)
class _Points:
    """Points on triangles of the mesh: ``corners`` (S, 3) vertices, ``weights`` (S, 3)."""

    corners: np.ndarray
    weights: np.ndarray

    def of(self, values: np.ndarray) -> np.ndarray:
        """(..., V) values at the vertices to (..., S) values at the points."""
        return (values[..., self.corners] * self.weights).sum(axis=-1)


class LipContact:
    """Built on one mean head, applied to it and to displacement fields of it.

    Args:
        polygons: (F, 4) quads of the head.
        outer: (F,) bool, the outer skin.
        inner: (F,) bool, the mouth's inside.
        head: (V, 3) mm mean head.

    Raises:
        ValueError: the quads around the mouth are no grid of rings, or its lips not one above the
            other.
    """

    def __init__(
        self, polygons: np.ndarray, outer: np.ndarray, inner: np.ndarray, head: np.ndarray
    ) -> None:
        self._head = head
        seam = seam_loop(polygons, outer, inner, head)
        rings = rings_from(polygons[outer], seam, OUTWARDS)
        behind = rings_from(polygons[inner], seam, 1)[1]
        middle = int(np.argmax(head[seam, 0]))  # the loop starts at the other corner
        corners = head[rings[1:3, [0, middle]], 0]
        self._ends = corners[:, 0].max(), corners[:, 1].min()
        count = int((self._ends[1] - self._ends[0]) / STATION)
        self._x = np.linspace(*self._ends, count + 2)[1:-1]
        self._upper, self._lower = self._contact(
            rings[: TOUCHING + 1, : middle + 1],
            rings[: TOUCHING + 1, [*range(middle, len(seam)), 0]],
        )
        self._share = np.zeros(len(head))
        along = np.linalg.norm(np.diff(head[rings[WHOLE:]], axis=0), axis=2).cumsum(axis=0)
        lips = ((-0.5, np.arange(1, middle)), (0.5, np.arange(middle + 1, len(seam))))
        for sign, columns in lips:
            self._share[rings[: WHOLE + 1, columns]] = sign
            for ring in range(WHOLE + 1, OUTWARDS):
                done = along[ring - WHOLE - 1, columns] / along[-1, columns]
                self._share[rings[ring, columns]] = sign * smooth_step(done, 1.0, 0.0)
            self._share[behind[columns]] = sign * INWARDS

    def _contact(self, upper: np.ndarray, lower: np.ndarray) -> tuple[_Points, _Points]:
        """In each cut the points of the two lips, grids (R, C) of vertices, that lie one above the
        other and nearest together."""
        both = np.union1d(upper, lower)
        depth = np.arange(self._head[both, 2].min(), self._head[both, 2].max(), DEPTH)
        x, z = np.meshgrid(self._x, depth, indexing="ij")
        found, height = [], []
        for grid, side in ((upper, 1), (lower, -1)):
            quads = np.stack(
                [grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]], axis=-1
            ).reshape(-1, 4)
            triangles = split_quads(quads)
            # The upper lip is seen from below, the lower one from above.
            away = self._head[both, 1].mean() - side * 100
            origins = np.stack([x.ravel(), np.full(x.size, away), z.ravel()], axis=1)
            hit, weights = cast(
                self._head, triangles, origins, np.tile([0.0, side, 0.0], (x.size, 1))
            )
            points = _Points(triangles[hit], weights)
            found.append(points)
            height.append(np.where(hit >= 0, points.of(self._head[:, 1]), side * np.inf))
        gap = np.round(height[0] - height[1], 4).reshape(x.shape)
        best = np.arange(len(x)) * len(depth) + np.argmin(gap, axis=1)
        if not np.isfinite(gap.min(axis=1)).all():
            raise ValueError("the lips do not lie one above the other")
        above, below = (_Points(p.corners[best], p.weights[best]) for p in found)
        return above, below

    def gaps(self, heights: np.ndarray) -> np.ndarray:
        """(..., V) heights to (..., S): upper lip less lower lip where they touch in each cut."""
        return self._upper.of(heights) - self._lower.of(heights)

    def closed(self, fields: np.ndarray) -> np.ndarray:
        """Displacement fields (..., V, 3) that leave the lips' distance as it is."""
        result = fields.copy()
        for _ in range(ROUNDS):
            self._take_back(result, self.gaps(result[..., 1]))
        return result

    def closing(self) -> np.ndarray:
        """(V, 3) displacement that brings the mean head's lips together."""
        field = np.zeros_like(self._head)
        for _ in range(ROUNDS):
            self._take_back(field, self.gaps(self._head[:, 1] + field[:, 1]) + OVERLAP)
        return field

    def _take_back(self, fields: np.ndarray, gaps: np.ndarray) -> None:
        """Move both lips of ``fields`` (..., V, 3) by half of ``gaps`` (..., S)."""
        reach = np.arange(-3 * SMOOTH, 3 * SMOOTH + STATION / 2, STATION)
        kernel = np.exp(-0.5 * (reach / SMOOTH) ** 2)
        kernel /= kernel.sum()
        # In the corners both lips are the same vertices.
        cuts = np.array([self._ends[0], *self._x, self._ends[1]])
        moved = np.flatnonzero(self._share)
        x, share = self._head[moved, 0], self._share[moved]
        shapes = fields.reshape(-1, *self._head.shape)
        for field, gap in zip(shapes, gaps.reshape(len(shapes), -1), strict=True):
            padded = np.pad(gap, len(kernel) // 2, mode="edge")
            smooth = np.pad(np.convolve(padded, kernel, mode="valid"), 1)
            field[moved, 1] += share * np.interp(x, cuts, smooth)
