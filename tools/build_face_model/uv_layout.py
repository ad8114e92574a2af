"""A UV layout for the head alone: one skin island with most of its texels on the face, the rest
packed in the corners.

The skin is cut from the neck up the back of the head to the crown and spread over a disk. The
interior is a convex combination map (Floater 1997, "Parametrization and smooth approximation of
surface triangulations"), so nothing folds, whose weights are then adapted until lengths come out as
wanted (Yoshizawa, Belyaev, Seidel 2004, "A fast and simple stretch-minimizing mesh
parameterization"); "wanted" means denser on the face than behind it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import spsolve

from .head_mesh import HeadTopology

DISK_RADIUS = 0.485
SEAM_TOP = 5368
"""Vertex of base.obj at the crown where the seam at the back of the head ends."""
ITERATIONS = 30
STEP = 0.35
IRIS_MAGNIFICATION = 1.2
PACKING = {
    "eye_right": (0.008, 0.852, 0.140, 0.140),
    "eye_left": (0.852, 0.852, 0.140, 0.140),
    "eye_back_right": (0.160, 0.972, 0.018, 0.018),
    "eye_back_left": (0.822, 0.972, 0.018, 0.018),
    "mouth": (0.010, 0.050, 0.095, 0.075),
    "socket_right": (0.010, 0.135, 0.040, 0.052),
    "socket_left": (0.950, 0.135, 0.040, 0.052),
    "tongue": (0.960, 0.050, 0.030, 0.075),
    "teeth_upper": (0.862, 0.010, 0.090, 0.035),
    "teeth_lower": (0.862, 0.055, 0.090, 0.035),
}
"""Island -> (left, bottom, width, height) of the box it is fitted into, aspect kept."""


@dataclass(frozen=True)
class UvLayout:
    """uv (U, 2) float64 in 0..1, v up; polygons (F, 4) int32 into it; island (F,) str, "skin" or a
    key of PACKING."""

    uv: np.ndarray
    polygons: np.ndarray
    island: np.ndarray


def classify_islands(
    topology: HeadTopology, source_uv: np.ndarray, mouth_mask: np.ndarray, head: np.ndarray
):
    """Names the island of each polygon from the source layout's islands, which separate mouth bag
    and eye sockets.

    Returns:
        (F,) str.
    """
    island = topology.polygon_part.astype("<U16")
    skin = np.flatnonzero(topology.polygon_part == "skin")
    labels = _connected(topology.source_uv_polygons[skin])
    height, width = mouth_mask.shape
    for label in np.unique(labels):
        rows = skin[labels == label]
        u, v = source_uv[topology.source_uv_polygons[rows]].mean(axis=1).T
        inside = mouth_mask[((1 - v) * height).astype(int), (u * width).astype(int)].mean() > 0.5
        sideways = head[topology.polygons[rows]].mean(axis=(0, 1))[0]
        if inside:
            island[rows] = "mouth"
        elif abs(sideways) > 10:  # mm; all other islands are symmetric
            island[rows] = "socket_left" if sideways > 0 else "socket_right"
    quads = len(topology.eye_quads)
    facing_back = (
        np.arange(quads) * 6 // quads == 1
    )  # the second of the cube's faces looks along -z
    for side, start in (("right", len(island) - 2 * quads), ("left", len(island) - quads)):
        island[start : start + quads][facing_back] = f"eye_back_{side}"
    return island


def _connected(polygons: np.ndarray) -> np.ndarray:
    """Labels (F,) of the connected components of polygons (F, 4)."""
    parent = np.arange(polygons.max() + 1)

    def root(a: int) -> int:
        while parent[a] != a:
            parent[a] = a = parent[parent[a]]
        return a

    for a, *others in polygons.tolist():
        for b in others:
            parent[root(b)] = root(a)
    return np.array([root(a) for a in polygons[:, 0].tolist()])


def build_uv(
    topology: HeadTopology,
    island: np.ndarray,
    head: np.ndarray,
    source_uv: np.ndarray,
    density: np.ndarray,
) -> UvLayout:
    """Lays out all islands.

    Args:
        topology: the head.
        island: (F,) from :func:`classify_islands`.
        head: (V, 3) mm mean head.
        source_uv: UVs of the base mesh, used for the small islands.
        density: (V,) wanted texels per millimetre, relative.
    """
    polygons = np.zeros_like(topology.polygons)
    coordinates: list[np.ndarray] = []
    used = 0
    for name in ["skin", *PACKING]:
        rows = island == name
        if name == "skin":
            local, uv = _skin_island(topology, topology.polygons[rows], head, density)
        else:
            local, uv = _packed_island(topology, rows, name, source_uv)
        polygons[rows] = local + used
        coordinates.append(uv)
        used += len(uv)
    return UvLayout(np.concatenate(coordinates), polygons.astype(np.int32), island)


def _packed_island(topology: HeadTopology, rows: np.ndarray, name: str, source_uv: np.ndarray):
    """Fits an island of the source layout (or an azimuthal view of an eyeball) into its box."""
    left, bottom, width, height = PACKING[name]
    if name.startswith("eye"):
        count = len(topology.eye_template)
        offset = topology.vertices_of("eye_right" if name.endswith("right") else "eye_left")[0]
        vertices, local = np.unique(topology.polygons[rows] - offset, return_inverse=True)
        assert vertices.max() < count
        direction = topology.eye_template[vertices]
        if "back" in name:
            direction = direction * [-1, 1, -1]
        # Azimuthal, so the iris stays a circle, and denser towards it: the rest of the eye is plain
        # white.
        angle = np.arccos(np.clip(direction[:, 2], -1, 1))
        radius = angle / (1 + IRIS_MAGNIFICATION * angle)
        uv = (
            direction[:, :2]
            / np.maximum(np.hypot(*direction[:, :2].T), 1e-12)[:, None]
            * radius[:, None]
        )
    else:
        vertices, local = np.unique(topology.source_uv_polygons[rows], return_inverse=True)
        uv = source_uv[vertices]
        if name == "mouth":  # the source has it upside down
            uv = -uv
    uv = uv - (uv.min(axis=0) + uv.max(axis=0)) / 2
    uv = uv * min((width, height) / np.ptp(uv, axis=0))
    return local.reshape(-1, 4), uv + [left + width / 2, bottom + height / 2]


def _skin_island(
    topology: HeadTopology, polygons: np.ndarray, head: np.ndarray, density: np.ndarray
):
    """Spreads the skin over a disk. Returns local polygons (f, 4) and uv (u, 2)."""
    vertices, local = np.unique(polygons, return_inverse=True)
    local = local.reshape(-1, 4)
    lookup = np.full(len(head), -1)
    lookup[vertices] = np.arange(len(vertices))
    points, scale = head[vertices], density[vertices]
    mirror = lookup[topology.symmetry[vertices]]
    seam = _midline_path(
        local, points, lookup[topology.neck_loop], int(lookup[topology.source_index == SEAM_TOP][0])
    )

    # Open the seam: polygons on the x < 0 side get their own copies of its vertices, but for the
    # top one.
    copy = np.arange(len(points))
    copy[seam[:-1]] = len(points) + np.arange(len(seam) - 1)
    right = points[local].mean(axis=1)[:, 0] < 0
    local = np.where(right[:, None], copy[local], local)
    points, scale = (
        np.concatenate([points, points[seam[:-1]]]),
        np.concatenate([scale, scale[seam[:-1]]]),
    )
    full_mirror = np.concatenate([np.where(copy != np.arange(len(copy)), copy, mirror), seam[:-1]])

    loops = boundary_loops(local)
    outer = max(loops, key=len)
    triangles = triangulate(local, points)
    for loop in loops:
        if loop is not outer:  # a fan over the mouth or an eye keeps the map free of folds there
            hub = len(points)
            points = np.vstack([points, points[loop].mean(axis=0)])
            scale = np.append(scale, scale[loop].mean() * 0.6)
            triangles = np.vstack(
                [triangles, [(a, hub, b) for a, b in zip(loop, np.roll(loop, -1), strict=True)]]
            )
    uv = _spread(points, scale, triangles, np.array(outer), int(seam[-1]))[: len(full_mirror)]
    uv = (uv + (uv[full_mirror] * [-1, 1] + [1, 0])) / 2
    return local, uv


def _midline_path(
    polygons: np.ndarray, points: np.ndarray, neck: np.ndarray, top: int
) -> np.ndarray:
    """Vertices on x = 0 from the nape (end of the neck loop) up the back of the head to ``top``."""
    neighbours = defaultdict(set)
    for quad in polygons.tolist():
        for a, b in zip(quad, quad[1:] + quad[:1], strict=True):
            neighbours[a].add(b)
            neighbours[b].add(a)
    nape = min((v for v in neck if abs(points[v, 0]) < 1e-6), key=lambda v: points[v, 2])
    path = [int(nape)]
    while path[-1] != top:
        ahead = [
            v
            for v in neighbours[path[-1]]
            if abs(points[v, 0]) < 1e-6 and v not in path and v not in neck
        ]
        path.append(max(ahead, key=lambda v: points[v, 1]))
    return np.array(path)


def boundary_loops(polygons: np.ndarray) -> list[list[int]]:
    """Ordered boundary loops of (P, C); each runs with the polygons' own direction."""
    count: dict[tuple[int, int], int] = defaultdict(int)
    for quad in polygons.tolist():
        for a, b in zip(quad, quad[1:] + quad[:1], strict=True):
            count[a, b] += 1
    after = {a: b for a, b in count if (b, a) not in count}
    loops = []
    while after:
        start = min(after)
        loop = [start]
        while (ahead := after.pop(loop[-1])) != start:
            loop.append(ahead)
        loops.append(loop)
    return loops


def triangulate(quads: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Splits quads at the shorter diagonal: (2f, 3)."""
    corner = points[quads]
    first = np.linalg.norm(corner[:, 0] - corner[:, 2], axis=1)
    second = np.linalg.norm(corner[:, 1] - corner[:, 3], axis=1)
    turned = np.where((second < first)[:, None], np.roll(quads, -1, axis=1), quads)
    return np.concatenate([turned[:, [0, 1, 2]], turned[:, [0, 2, 3]]])


def _spread(
    points: np.ndarray, scale: np.ndarray, triangles: np.ndarray, outer: np.ndarray, top: int
) -> np.ndarray:
    """Convex combination map of a disk-like mesh onto a disk, adapted towards the wanted
    lengths."""
    outer = np.roll(outer, -int(np.flatnonzero(outer == top)[0]))
    following = np.roll(outer, -1)
    steps = (
        np.linalg.norm(points[outer] - points[following], axis=1)
        * (scale[outer] + scale[following])
        / 2
    )
    turn = 2 * np.pi * np.concatenate([[0], np.cumsum(steps)[:-1]]) / steps.sum()
    fixed = 0.5 + DISK_RADIUS * np.column_stack(
        [-np.sin(turn), np.cos(turn)]
    )  # counter-clockwise from the top
    weights = mean_value_weights(points, triangles)
    wanted = points[triangles] * scale[triangles].mean(axis=1)[:, None, None]
    best, best_stretch = None, np.inf
    for _ in range(ITERATIONS):
        uv = solve_convex(weights, outer, fixed, len(points))
        stretch, total = _vertex_stretch(uv, wanted, triangles, len(points))
        if total < best_stretch:
            best, best_stretch = uv, total
        rows, columns, values = weights
        weights = rows, columns, values / stretch[columns] ** STEP
    assert best is not None, "no layout has a finite stretch"
    return best


def mean_value_weights(
    points: np.ndarray, triangles: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Floater's mean value weights as (row, column, value); positive for every triangle mesh."""
    rows, columns, values = [], [], []
    for k in range(3):
        i, j, l = triangles[:, k], triangles[:, (k + 1) % 3], triangles[:, (k + 2) % 3]  # noqa: E741
        to_j, to_l = points[j] - points[i], points[l] - points[i]
        length_j, length_l = np.linalg.norm(to_j, axis=1), np.linalg.norm(to_l, axis=1)
        cosine = (to_j * to_l).sum(axis=1) / (length_j * length_l)
        half = np.tan(np.arccos(np.clip(cosine, -0.999, 0.999)) / 2)
        rows += [i, i]
        columns += [j, l]
        values += [half / length_j, half / length_l]
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(values)


def solve_convex(weights, outer: np.ndarray, fixed: np.ndarray, count: int) -> np.ndarray:
    """Each free vertex at the weighted mean of its neighbours: (count, 2).

    ``weights`` as :func:`mean_value_weights` gives them; the vertices ``outer`` (N,) stay at
    ``fixed`` (N, 2).
    """
    matrix = coo_matrix((weights[2], (weights[0], weights[1])), shape=(count, count)).tocsr()
    matrix = matrix.multiply(1 / np.asarray(matrix.sum(axis=1))).tocsr()
    uv = np.zeros((count, 2))
    uv[outer] = fixed
    free = np.setdiff1d(np.arange(count), outer)
    system = -matrix[free][:, free]
    system.setdiag(1.0)
    uv[free] = spsolve(system.tocsc(), matrix[free][:, outer] @ fixed)
    return uv


def _vertex_stretch(uv: np.ndarray, wanted: np.ndarray, triangles: np.ndarray, count: int):
    """Root-mean-square stretch (Sander et al. 2001) of the map uv -> wanted shape, per vertex and
    in total."""
    a, b = uv[triangles[:, 1]] - uv[triangles[:, 0]], uv[triangles[:, 2]] - uv[triangles[:, 0]]
    area2 = np.maximum(np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]), 1e-12)
    p, q = wanted[:, 1] - wanted[:, 0], wanted[:, 2] - wanted[:, 0]
    du = (p * b[:, 1:] - q * a[:, 1:]) / area2[:, None]
    dv = (q * a[:, :1] - p * b[:, :1]) / area2[:, None]
    squared = ((du**2).sum(axis=1) + (dv**2).sum(axis=1)) / 2
    area = np.linalg.norm(np.cross(p, q), axis=1)
    total = np.zeros(count)
    norm = np.zeros(count)
    for k in range(3):
        np.add.at(total, triangles[:, k], squared * area)
        np.add.at(norm, triangles[:, k], area)
    stretch = np.sqrt(total / norm)
    return stretch / np.median(stretch), float(np.sqrt((squared * area).sum() / area.sum()))
