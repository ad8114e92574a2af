"""Keeps the lips together: the source's mean mouth is ajar near its corners, and identity targets
open it further.

The correction is linear: where a displacement field moves the upper lip's line away from the lower
one's, each lip takes back half of the difference, fading over a few millimetres. Only heights are
touched, so an overbite stays possible.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from .head_mesh import HeadTopology

FADE = 4.0
"""mm over the surface (standard deviation) within which a lip follows its line."""
REACH = 16.0
OVERLAP = 0.06
"""mm the lips of the mean head are pressed into each other, so that no slit shows."""


class LipSeal:
    """Built on one mean head, applied to any displacement field of it.

    Args:
        topology: the head.
        island: (F,) names of the UV islands; the lips' line is where "skin" meets "mouth".
        head: (V, 3) mm mean head.
    """

    def __init__(self, topology: HeadTopology, island: np.ndarray, head: np.ndarray) -> None:
        shared = np.intersect1d(
            topology.polygons[island == "skin"], topology.polygons[island == "mouth"]
        )
        corners = shared[[np.argmin(head[shared, 0]), np.argmax(head[shared, 0])]]
        rest = np.setdiff1d(shared, corners)
        distances = self._along_surface(topology.polygons, head)
        # Two arcs join the corners; the one whose middle vertex lies higher is the upper lip's.
        middle = rest[np.abs(head[rest, 0]) < 1e-6]
        top, bottom = middle[np.argmax(head[middle, 1])], middle[np.argmin(head[middle, 1])]
        if top == bottom:
            raise ValueError("the lips share their middle vertex")
        arcs = self._split_arcs(topology.polygons, shared, corners, top)
        self._lines = []
        reach = []
        for arc in arcs:
            line = np.array(sorted([*arc, *corners], key=lambda v: head[v, 0]))
            self._lines.append((line, head[line, 0]))
            reach.append(dijkstra(distances, indices=np.array(arc), min_only=True, limit=REACH * 2))
        upper, lower = reach
        weight = np.exp(-0.5 * (np.minimum(upper, lower) / FADE) ** 2)
        self._share = np.where(
            np.minimum(upper, lower) < REACH, np.where(upper < lower, -0.5, 0.5) * weight, 0.0
        )
        self._share[upper == lower] = 0.0
        self._upper = upper < lower
        self._x = head[:, 0]
        self._head, self._triangles = head, topology.polygons[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)

    @staticmethod
    def _along_surface(polygons: np.ndarray, head: np.ndarray) -> coo_matrix:
        edges = np.unique(
            np.sort(np.concatenate([polygons[:, [k, (k + 1) % 4]] for k in range(4)]), axis=1),
            axis=0,
        )
        length = np.linalg.norm(head[edges[:, 0]] - head[edges[:, 1]], axis=1)
        rows, columns = np.concatenate([edges, edges[:, ::-1]]).T
        return coo_matrix(
            (np.tile(length, 2), (rows, columns)), shape=(len(head), len(head))
        ).tocsr()

    @staticmethod
    def _split_arcs(
        polygons: np.ndarray, shared: np.ndarray, corners: np.ndarray, top: int
    ) -> tuple[list, list]:
        """Vertices of the line on the upper and on the lower lip, without the corners."""
        inside = set(np.setdiff1d(shared, corners).tolist())
        neighbours: dict[int, set[int]] = {vertex: set() for vertex in inside}
        for quad in polygons[np.isin(polygons, shared).sum(axis=1) >= 2].tolist():
            for a, b in zip(quad, quad[1:] + quad[:1], strict=True):
                if a in inside and b in inside:
                    neighbours[a].add(b)
                    neighbours[b].add(a)
        found, stack = {int(top)}, [int(top)]
        while stack:
            for vertex in neighbours[stack.pop()] - found:
                found.add(vertex)
                stack.append(vertex)
        return sorted(found), sorted(inside - found)

    def sealed(self, fields: np.ndarray) -> np.ndarray:
        """Displacement fields (..., V, 3) with the lips' lines kept at their distance."""
        result = fields.copy()
        near = np.flatnonzero(self._share)
        shape = (-1, *fields.shape[-2:])
        for field, out in zip(fields.reshape(shape), result.reshape(shape), strict=True):
            upper, lower = (np.interp(self._x[near], x, field[line, 1]) for line, x in self._lines)
            out[near, 1] += self._share[near] * (upper - lower)
        return result

    def closing(self) -> np.ndarray:
        """(V, 3) displacement that closes the mean head's mouth."""
        right, left = self._lines[0][1][[0, -1]]
        positions = np.linspace(right + 0.3, left - 0.3, 61)
        gap = np.array([self._gap_at(x) for x in positions])
        gap = np.convolve(
            np.pad(np.clip(gap + OVERLAP, 0, 1.5), 2, mode="edge"), np.full(5, 0.2), mode="valid"
        )
        field = np.zeros_like(self._head)
        field[:, 1] = self._share * np.interp(self._x, positions, gap, left=0.0, right=0.0)
        return field

    def _gap_at(self, x: float) -> float:
        """Height of the slit between the lips in the cut through the mouth at ``x``."""
        lowest_upper, highest_lower = np.inf, -np.inf
        near = (np.abs(self._share) > 0.15)[self._triangles].all(axis=1)
        for triangle in self._triangles[near]:
            side = self._head[triangle, 0] - x
            if (side > 0).all() or (side < 0).all():
                continue
            for a, b in ((0, 1), (1, 2), (2, 0)):
                if side[a] * side[b] < 0:
                    t = side[a] / (side[a] - side[b])
                    y = self._head[triangle[a], 1] * (1 - t) + self._head[triangle[b], 1] * t
                    if self._upper[triangle].all():
                        lowest_upper = min(lowest_upper, y)
                    elif not self._upper[triangle].any():
                        highest_lower = max(highest_lower, y)
        gap = lowest_upper - highest_lower
        return gap if np.isfinite(gap) else 0.0
