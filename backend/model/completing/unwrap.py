"""Texture coordinates for a mesh that has none.

The default model's own, carried over, would fold where two points of the mesh have the same
counterpart (lips, nostrils, lids) and tear at its seams.  So the face is unwrapped by itself: holes
closed, a whole head cut open behind, laid into a disc without folds (Tutte 1963), and then given
its lengths back without new folds (SLIM: Rabinovich et al. 2017, by libigl).
"""

from __future__ import annotations

import igl
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import orthogonal_procrustes
from scipy.sparse.csgraph import dijkstra

from ...geometry.triangles import triangle_areas
from .parts import Parts
from .solver import factor

Double = NDArray[np.float64]
Int = NDArray[np.int32]

SLIM_ROUNDS = 2
LEAST_WEIGHT = 0.02
MARGIN = 0.012
STRIP = 0.2  #: of the texture's side for eyes, teeth and the like, where there are any
#: How the cut down the back of a head keeps to the middle, mm.
CUT_WIDTH_MM = 4.0


def unwrap(
    mean: NDArray, triangles: Int, parts: Parts, whole_head: bool
) -> tuple[NDArray[np.float32], Int]:
    """(U, 2) texture coordinates in 0..1, v up, and (F, 3) which ones the triangles have.

    ``whole_head``: the back of the head is there, and is cut open.
    """
    uv: list[NDArray] = []
    corners = np.zeros((len(triangles), 3), np.int32)
    count, used = 0, np.unique(parts.of_triangle).tolist()
    others = [k for k in used if k != parts.main]
    low = STRIP if others else 0.0
    boxes = {parts.main: (0.0, low, 1.0, 1.0)}
    for n, k in enumerate(others):
        boxes[k] = (n / len(others), 0.0, (n + 1) / len(others), STRIP)
    for k in used:
        mine = np.flatnonzero(parts.of_triangle == k)
        ids, local = np.unique(triangles[mine], return_inverse=True)
        local = local.reshape(-1, 3).astype(np.int32)
        points = np.asarray(mean, np.float64)[ids]
        if k == parts.main:
            flat, flat_corners = _skin(points, local, whole_head)
        else:
            flat, flat_corners = _around(points), local
        uv.append(_fitted(flat, boxes[k]))
        corners[mine] = flat_corners + count
        count += len(flat)
    return np.concatenate(uv).astype(np.float32), corners


def _skin(points: Double, triangles: Int, whole_head: bool) -> tuple[Double, Int]:
    """(N, 2) the face in the plane, upright, and its (F, 3) triangles there."""
    cut_points, cut, origin = points, triangles, np.arange(len(points))
    if whole_head or not len(igl.boundary_loop_all(triangles.astype(np.int64))):
        cut_points, cut, origin = _opened(points, triangles)
    loops = sorted(
        (np.array(loop) for loop in igl.boundary_loop_all(cut.astype(np.int64))),
        key=lambda loop: -_length(cut_points, loop),
    )
    closed, filled = cut, cut_points
    for loop in loops[1:]:
        # A fan round the hole's middle, which runs against the hole's border.
        fan = np.stack([np.roll(loop, -1), loop, np.full(len(loop), len(filled))], axis=1)
        filled = np.vstack([filled, cut_points[loop].mean(axis=0)])
        closed = np.vstack([closed, fan.astype(np.int32)])
    flat = _disc(filled, closed, loops[0])
    size = np.sqrt(triangle_areas(filled, closed).sum() / np.pi)
    flat = _relaxed(filled, closed, flat * size)[: len(cut_points)]
    return _upright(flat, points[origin] if len(origin) == len(flat) else cut_points), cut


def _disc(points: Double, triangles: Int, border: NDArray) -> Double:
    """(N, 2) Tutte's embedding in the unit disc, the border by its lengths."""
    count = len(points)
    step = np.linalg.norm(points[border] - points[np.roll(border, -1)], axis=1)
    angle = 2 * np.pi * np.r_[0, np.cumsum(step)[:-1]] / step.sum()
    flat = np.zeros((count, 2))
    flat[border] = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    # Cotangents keep angles; kept positive they keep Tutte's promise too.
    near = -igl.cotmatrix(points, triangles.astype(np.int64)).tocsr()
    near.setdiag(0)
    near.eliminate_zeros()
    near.data = np.maximum(-near.data, LEAST_WEIGHT)
    laplacian = (sp.diags(np.asarray(near.sum(axis=1)).ravel()) - near).tocsr()
    inner = np.setdiff1d(np.arange(count), border)
    right = -laplacian[inner][:, border] @ flat[border]
    flat[inner] = factor(laplacian[inner][:, inner]).solve(right)
    return flat


def _relaxed(points: Double, triangles: Int, flat: Double) -> Double:
    """``flat`` with lengths and areas more like the surface's."""
    none = np.zeros(0, np.int32), np.zeros((0, 2))
    data = igl.slim_precompute(
        np.asfortranarray(points),
        np.asfortranarray(triangles.astype(np.int32)),
        np.asfortranarray(flat),
        igl.MappingEnergyType.SYMMETRIC_DIRICHLET,
        none[0],
        np.asfortranarray(none[1]),
        0.0,
    )
    out = np.asarray(igl.slim_solve(data, SLIM_ROUNDS))[:, :2]
    return out if np.isfinite(out).all() else flat


def _opened(points: Double, triangles: Int) -> tuple[Double, Int, NDArray]:
    """The mesh cut from the crown down the middle of the back."""
    loops = igl.boundary_loop_all(triangles.astype(np.int64))
    middle = np.median(points[:, 0])
    off = np.abs(points[:, 0] - middle)
    crown = int(np.argmax(points[:, 1] - 3 * off))
    if loops:
        neck = np.array(max(loops, key=lambda loop: _length(points, np.array(loop))))
        end = int(neck[np.argmin(points[neck, 2] + 2 * off[neck])])
    else:
        end = int(np.argmin(points[:, 1] + points[:, 2] + 2 * off))
    ends = np.concatenate([triangles[:, :2], triangles[:, 1:], triangles[:, ::2]])
    length = np.linalg.norm(points[ends[:, 0]] - points[ends[:, 1]], axis=1)
    aside = off[ends].mean(axis=1) / CUT_WIDTH_MM
    ahead = np.maximum(points[ends, 2].mean(axis=1) - points[crown, 2], 0)
    cost = length * (1 + aside**2 + ahead) + 1e-6
    graph = sp.coo_matrix((cost, ends.T), (len(points), len(points))).tocsr()
    graph = graph.maximum(graph.T)
    before = dijkstra(graph, False, crown, return_predecessors=True)[1]
    path = [end]
    while path[-1] != crown and before[path[-1]] >= 0:
        path.append(int(before[path[-1]]))
    steps = {frozenset(pair) for pair in zip(path, path[1:], strict=False)}
    on_path = np.zeros(len(points), bool)
    on_path[path] = True
    cuts = np.zeros(triangles.shape, bool)
    for f in np.flatnonzero(on_path[triangles].sum(axis=1) >= 2):
        for j in range(3):
            pair = frozenset((int(triangles[f, j]), int(triangles[f, (j + 1) % 3])))
            cuts[f, j] = pair in steps
    new, faces, origin = igl.cut_mesh(points, triangles.astype(np.int64), cuts)
    return np.asarray(new), np.asarray(faces, np.int32), np.asarray(origin)


def _around(points: Double) -> Double:
    """(N, 2) a rounded part by the angle from its front, as a map of the globe from its pole."""
    away = points - (points.min(axis=0) + points.max(axis=0)) / 2
    angle = np.arctan2(np.hypot(away[:, 0], away[:, 1]), away[:, 2])
    around = np.arctan2(away[:, 1], away[:, 0])
    return angle[:, None] * np.stack([np.cos(around), np.sin(around)], axis=1)


def _upright(flat: Double, points: Double) -> Double:
    """``flat`` turned, and mirrored back where need be, so that x and y of the head fit it."""
    front = points[:, 2] > np.quantile(points[:, 2], 0.5)
    a, b = flat[front], points[front, :2]
    turn = orthogonal_procrustes(a - a.mean(axis=0), b - b.mean(axis=0))[0]
    return (flat - flat.mean(axis=0)) @ turn


def _fitted(flat: Double, box: tuple[float, float, float, float]) -> Double:
    """``flat`` as large as fits into the box (u0, v0, u1, v1)."""
    low, high = np.array(box[:2]) + MARGIN, np.array(box[2:]) - MARGIN
    size = np.ptp(flat, axis=0)
    scale = ((high - low) / np.maximum(size, 1e-9)).min()
    return (flat - flat.min(axis=0) - size / 2) * scale + (low + high) / 2


def _length(points: Double, loop: NDArray) -> float:
    return float(np.linalg.norm(points[loop] - points[np.roll(loop, -1)], axis=1).sum())
