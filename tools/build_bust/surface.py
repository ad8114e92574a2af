"""The bust's surface: neck, shoulders and upper chest of the base mesh as a grid of quads.

The body is smoothed (Catmull and Clark 1978), cut off at a level surface, and what lies between the
head's neck loop and the cut is spread over a ring: columns run from the loop's vertices to the cut,
rows around the neck.  Every point of the grid is a fixed mixture of vertices of the base mesh, so
it moves with MakeHuman's targets as linearly as these do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.sparse import coo_matrix, csr_matrix, vstack
from scipy.sparse.csgraph import connected_components

from tools.build_face_model.uv_layout import (
    boundary_loops,
    mean_value_weights,
    solve_convex,
    triangulate,
)

CUT_MM, RISE = 275.0, 0.0042
"""Depth of the cut below the ear canals in the middle, above the nipples (332 on the mean person)
and the armpits (284), and how it rises towards the arms: per mm of |x| beyond ``LEVEL_MM``,
squared. By eye: one loop, over the chest and through both arms just below the shoulder."""
LEVEL_MM = 86.0
REFINEMENTS = 2
"""Catmull-Clark steps: quads of 5 mm, whose flatness cannot be seen."""
INNER, OUTER = 0.115, 0.475
"""Radii of the neck loop and of the cut in the texture, about its middle. At 2048 a texel is 0.24
by 0.37 mm at the neck, 0.18 by 0.37 at the cut."""
FIRST_MM, ROWS = 9.0, 15
"""Height of the first row in mm, somewhat less than the head's last, and how many there are: they
grow by a constant factor, to 17 mm; columns get 27 mm wide at the cut."""
EDGE_MM = 3.0
"""On either side of the cut's edge a row of quads is so narrow: smooth shading bends there only."""
LIP = ((0.013, 0.48), (0.07, 0.496))
"""The rim is turned inwards, so that its edge looks solid: parts of the way to the cut's middle (3
and 14 mm), and the radii in the texture."""


@dataclass(frozen=True)
class Grid:
    """R rows of L points below a loop of L vertices: down to the cut, then its rim inwards.

    Attributes:
        mixture: (R * L, N) of the base mesh's vertices; row by row, each from the loop's first
            vertex on in its order.
        uv: ((R + 1) * L, 2) places in the texture, those of the loop first.
    """

    mixture: csr_matrix
    uv: np.ndarray


def height_over_cut(points: np.ndarray) -> np.ndarray:
    """(N,) mm over the level surface at which the bust is cut off, of points (N, 3)."""
    aside = np.maximum(np.abs(points[:, 0]) - LEVEL_MM, 0)
    return points[:, 1] + CUT_MM - RISE * aside**2


def bust_grid(polygons: np.ndarray, loop: np.ndarray, reference: np.ndarray) -> Grid:
    """The grid below the neck loop.

    Args:
        polygons: (P, 4) the body below the loop, into the base mesh; outward.
        loop: (L,) the neck loop, from the nape over the left side (x > 0) to the throat and back.
        reference: (N, 3) mm, the mean person.
    """
    mixture, quads = _smoothed(polygons, len(reference))
    mixture, triangles = _clipped(mixture, quads, reference)
    mixture, triangles = _joined(mixture, triangles, loop)
    points = mixture @ reference
    flat = _spread(points, triangles, len(loop))
    radii = _radii(points, triangles, flat, len(loop))
    below = (_locate(flat, triangles, _on_circles(radii, len(loop))) @ mixture).tocsr()
    edge = below[-len(loop) :]
    middle = _incidence(np.tile(np.arange(len(loop)), (len(loop), 1)), len(loop))
    rim = [edge * (1 - part) + middle @ edge * part for part, _ in LIP]
    circles = np.concatenate([[INNER], radii, [radius for _, radius in LIP]])
    return Grid(vstack([below, *rim]).tocsr(), _on_circles(circles, len(loop)) + 0.5)


def _incidence(columns: np.ndarray, count: int) -> csr_matrix:
    """(R, count) the mean of the ``columns`` (R, C)."""
    rows = np.repeat(np.arange(len(columns)), columns.shape[1])
    values = np.full(columns.size, 1 / columns.shape[1])
    return coo_matrix((values, (rows, columns.ravel())), (len(columns), count)).tocsr()


def catmull_clark(quads: np.ndarray, count: int) -> tuple[csr_matrix, np.ndarray]:
    """One step of Catmull and Clark's subdivision of ``quads`` (P, 4) over ``count`` vertices.

    Returns:
        (count + E + P, count) the new vertices (the old ones, those of edges, of faces) of the old,
        and (4 P, 4) quads.  Vertices that no quad has come out as 0.
    """
    sides = np.stack([quads, np.roll(quads, -1, axis=1)], axis=2).reshape(-1, 2)
    edges, of_side, used = np.unique(
        np.sort(sides, axis=1), axis=0, return_inverse=True, return_counts=True
    )
    of_side = of_side.reshape(quads.shape)
    face = _incidence(quads, count)
    middle = _incidence(edges, count)
    border = used == 1
    rows, columns = of_side.ravel(), np.repeat(np.arange(len(quads)), 4)
    around = coo_matrix((np.full(len(rows), 0.5), (rows, columns)), (len(edges), len(quads)))
    inner = _scaled(middle + around @ face, 0.5)
    edge = _scaled(middle, border) + _scaled(inner, ~border)
    valence = np.bincount(edges.ravel(), minlength=count)
    faces_at = np.bincount(quads.ravel(), minlength=count)
    on_border = np.bincount(edges[border].ravel(), minlength=count) > 0
    to_edge = coo_matrix(
        (np.ones(edges.size), (edges.ravel(), np.repeat(np.arange(len(edges)), 2))),
        (count, len(edges)),
    ).tocsr()
    to_face = coo_matrix(
        (np.ones(quads.size), (quads.ravel(), np.repeat(np.arange(len(quads)), 4))),
        (count, len(quads)),
    ).tocsr()
    n = np.maximum(valence, 1)
    own = coo_matrix((np.ones(count), (np.arange(count), np.arange(count))), (count, count)).tocsr()
    plain = (
        _scaled(to_face @ face, 1 / (np.maximum(faces_at, 1) * n))
        + _scaled(to_edge @ middle, 2 / n**2)
        + _scaled(own, (n - 3) / n)
    )
    along = _scaled(to_edge @ _scaled(middle, border), 0.25) + _scaled(own, 0.5)
    vertex = _scaled(plain, (~on_border) & (valence > 0)) + _scaled(along, on_border)
    corner = quads
    after = of_side + count
    before = np.roll(of_side, 1, axis=1) + count
    center = np.repeat(np.arange(len(quads))[:, None] + count + len(edges), 4, axis=1)
    new = np.stack([corner, after, center, before], axis=2).reshape(-1, 4)
    return vstack([vertex, edge, face]).tocsr(), new


def _scaled(matrix: csr_matrix, factor: np.ndarray | float) -> csr_matrix:
    """The rows of ``matrix`` times ``factor``."""
    column = np.broadcast_to(np.asarray(factor, float), matrix.shape[:1])
    return matrix.multiply(column[:, None]).tocsr()


def _smoothed(polygons: np.ndarray, count: int) -> tuple[csr_matrix, np.ndarray]:
    """The refined surface: (V, count) and quads; the first ``count`` rows are the old vertices."""
    matrix, quads = catmull_clark(polygons, count)
    for _ in range(REFINEMENTS - 1):
        step, quads = catmull_clark(quads, matrix.shape[0])
        matrix = (step @ matrix).tocsr()
    return matrix, quads


def _clipped(
    mixture: csr_matrix, quads: np.ndarray, reference: np.ndarray
) -> tuple[csr_matrix, np.ndarray]:
    """Triangles of the quads above the cut, with new vertices exactly on it."""
    points = mixture @ reference
    triangles = triangulate(quads, points)
    height = height_over_cut(points)
    above = height[triangles] > 0
    some = np.flatnonzero(above.any(axis=1) & ~above.all(axis=1))
    made: dict[tuple[int, int], int] = {}
    rows: list[csr_matrix] = []

    def crossing(a: int, b: int) -> int:
        key = (min(a, b), max(a, b))
        if key not in made:
            part = height[key[0]] / (height[key[0]] - height[key[1]])
            made[key] = mixture.shape[0] + len(rows)
            rows.append(mixture[key[0]] * (1 - part) + mixture[key[1]] * part)
        return made[key]

    cut: list[tuple[int, int, int]] = []
    for row in some:
        corners, kept = triangles[row].tolist(), above[row].tolist()
        shape = []
        for k in range(3):
            a, b = corners[k], corners[(k + 1) % 3]
            if kept[k]:
                shape.append(a)
            if kept[k] != kept[(k + 1) % 3]:
                shape.append(crossing(a, b))
        cut += [(shape[0], shape[k], shape[k + 1]) for k in range(1, len(shape) - 1)]
    whole = triangles[above.all(axis=1)]
    return vstack([mixture, *rows]).tocsr(), np.concatenate([whole, np.array(cut)])


def _joined(
    mixture: csr_matrix, triangles: np.ndarray, loop: np.ndarray
) -> tuple[csr_matrix, np.ndarray]:
    """The piece that the neck loop belongs to, the loop's vertices first, then the others."""
    pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(pairs)), pairs.T), (mixture.shape[0],) * 2)
    _, label = connected_components(graph, directed=False)
    triangles = triangles[label[triangles[:, 0]] == label[loop[0]]]
    used = np.unique(triangles)
    order = np.concatenate([loop, np.setdiff1d(used, loop)])
    lookup = np.full(mixture.shape[0], -1)
    lookup[order] = np.arange(len(order))
    return mixture[order], lookup[triangles]


def _on_circles(radii: np.ndarray, columns: int) -> np.ndarray:
    """(R * columns, 2) about the middle, circle by circle, each from the top (the nape) to the
    right (x > 0): seen from above, as in the texture."""
    turn = 2 * np.pi * np.arange(columns) / columns
    return (radii[:, None, None] * np.column_stack([np.sin(turn), np.cos(turn)])).reshape(-1, 2)


def _spread(points: np.ndarray, triangles: np.ndarray, columns: int) -> np.ndarray:
    """(V, 2) the surface between two circles about the middle: a convex combination map (Floater
    1997), so nothing folds.  The first ``columns`` vertices are evenly spaced on the inner one."""
    inner, outer = sorted(boundary_loops(triangles), key=lambda loop: min(loop))
    where = [vertex for vertex in inner if vertex < columns]
    steps = len(inner) // columns
    assert len(inner) == steps * columns and len(where) == columns
    start = inner.index(0)
    inner = inner[start:] + inner[:start]
    if inner[steps] != 1:  # it runs the other way
        inner = inner[:1] + inner[:0:-1]
    turn_in = 2 * np.pi * np.arange(len(inner)) / len(inner)
    outer, turn_out = _turns_of_cut(points, np.array(outer))
    fixed = np.concatenate(
        [
            radius * np.column_stack([np.sin(turn), np.cos(turn)])
            for radius, turn in ((INNER, turn_in), (OUTER, turn_out))
        ]
    )
    weights = mean_value_weights(points, triangles)
    return solve_convex(weights, np.concatenate([inner, outer]), fixed, len(points))


def _turns_of_cut(points: np.ndarray, cut: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The vertices of the cut and their angles from the back over the left side (x > 0), by length:
    half a turn on either side of the plane of symmetry."""
    x, _, z = points[cut].T
    middle = np.flatnonzero(np.abs(x) < 0.5)
    back = int(middle[np.argmin(z[middle])])
    cut = np.roll(cut, -back)
    if points[cut[1], 0] < 0:
        cut = np.roll(cut[::-1], 1)
    closed = points[np.append(cut, cut[0])]
    length = np.append(0, np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1)))
    x, _, z = points[cut].T
    front = int(np.argmax(np.where(np.abs(x) < 0.5, z, -np.inf)))
    turn = np.interp(length[:-1], [0, length[front], length[-1]], [0, np.pi, 2 * np.pi])
    return cut, turn


def _locate(flat: np.ndarray, triangles: np.ndarray, places: np.ndarray) -> csr_matrix:
    """(M, V) the mixtures of the vertices ``flat`` (V, 2) that lie at ``places`` (M, 2)."""
    a, b, c = (flat[triangles[:, k]] for k in range(3))
    (ux, uy), (vx, vy) = (b - a).T, (c - a).T
    area = ux * vy - uy * vx
    rows, columns, values = [], [], []
    for row, place in enumerate(places):
        px, py = (place - a).T
        second, third = (px * vy - py * vx) / area, (ux * py - uy * px) / area
        share = np.column_stack([1 - second - third, second, third])
        best = int(np.argmax(share.min(axis=1)))  # the cut is a polygon, a circle beyond it
        found = np.clip(share[best], 0, None)
        rows += [row] * 3
        columns += triangles[best].tolist()
        values += (found / found.sum()).tolist()
    return coo_matrix((values, (rows, columns)), (len(places), len(flat))).tocsr()


def _radii(points: np.ndarray, triangles: np.ndarray, flat: np.ndarray, columns: int) -> np.ndarray:
    """(ROWS + 1,) radii of the rows, whose distances on the body grow by a constant factor, and of
    the one beside the cut."""
    tried = np.linspace(INNER, OUTER, 61)
    lines = _locate(flat, triangles, _on_circles(tried, columns)) @ points
    steps = np.linalg.norm(np.diff(lines.reshape(len(tried), columns, 3), axis=0), axis=2)
    depth = np.append(0, np.cumsum(steps.mean(axis=1)))
    factor = brentq(lambda q: FIRST_MM * (q**ROWS - 1) / (q - 1) - depth[-1], 1.0001, 2)
    wanted = FIRST_MM * np.cumsum(factor ** np.arange(ROWS))
    wanted = np.insert(wanted, -1, wanted[-1] - EDGE_MM)
    return np.interp(wanted, depth, tried)
