"""The head as hair meets it: how far from the skin a point is, and where the scalp is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from ..geometry.triangles import dot, norm, triangle_areas, unit, vertex_normals
from ..model import FaceModel
from ..raster.visibility import ray_scene
from ..texture.channels import repeated

Float = NDArray[np.float32]

#: Side of a cell of the distance grid, and how far it reaches beyond the head, mm.
CELL_MM, BEYOND_MM = 5.0, 60.0
#: Points on the skin that distances are taken from: one for about 3 square mm.
_SAMPLES = 60_000
#: A point nearer than this lies before the plane of its nearest sample, mm.
_NEAR_MM = 6.0
#: Within so many mm of the skin the nearest sample is looked for exactly.
_EXACT_MM = 13.0


@dataclass(frozen=True, eq=False)
class Surface:
    """Signed distance to the skin on a grid, and the head's measures; head coordinates, mm."""

    origin: NDArray[np.float64]  #: (3,) of the grid's first node
    distance: Float  #: (X, Y, Z) outside positive
    field: Float  #: (X * Y * Z, 4) the same and its gradient
    middle: Float  #: (3,) of the skull
    half_width: float  #: of the skull
    brows: float  #: y
    chin: float  #: y
    top: float  #: y of the crown
    ears: float  #: y of the tragi

    @property
    def face(self) -> float:
        """Brows to chin, mm."""
        return self.brows - self.chin

    def height(self, points: NDArray) -> NDArray:
        """(...) mm outside the skin of ``points`` (..., 3), by trilinear interpolation."""
        cells = self._cells(points.reshape(-1, 3))
        total = np.zeros(len(cells.start), np.float32)
        distance = self.distance.ravel()
        for step, weight in cells:
            total += distance.take(cells.start + step) * weight
        return total.reshape(points.shape[:-1])

    def outward(self, points: NDArray) -> NDArray:
        """(..., 3) unit vectors away from the skin."""
        return unit(self._looked_up(points)[..., 1:])

    def height_and_outward(self, points: NDArray) -> tuple[NDArray, NDArray]:
        """:meth:`height` and :meth:`outward` in one."""
        found = self._looked_up(points)
        return found[..., 0], unit(found[..., 1:])

    def pushed_out(self, points: NDArray, least: NDArray | float) -> NDArray:
        """``points`` (..., 3), those less than ``least`` (...) mm outside the skin moved there."""
        out = np.array(points)
        flat = out.reshape(-1, 3)
        wanted = np.broadcast_to(least, points.shape[:-1]).ravel()
        low = np.arange(len(flat))
        for _ in range(4):
            missing = wanted[low] - self.height(flat[low])
            deep = missing > 0
            low, missing = low[deep], missing[deep]
            if not len(low):
                break
            flat[low] += self.outward(flat[low]) * missing[:, None]
        return flat.reshape(points.shape)

    def _looked_up(self, points: NDArray) -> NDArray:
        """(..., 4) distance and gradient, trilinear; outside the grid those of its border."""
        cells = self._cells(points.reshape(-1, 3))
        total = np.zeros((len(cells.start), 4), np.float32)
        for step, weight in cells:
            total += self.field.take(cells.start + step, axis=0) * repeated(weight, 4)
        return total.reshape(*points.shape[:-1], 4)

    def _cells(self, points: NDArray) -> _Cells:
        """Where ``points`` (S, 3) lie in the grid."""
        count = self.distance.shape
        stride = (count[1] * count[2], count[2], 1)
        start, shares = np.zeros(len(points), np.intp), []
        for axis, values in enumerate(points.T):
            at = np.clip((values - float(self.origin[axis])) / CELL_MM, 0, count[axis] - 1.001)
            low = at.astype(np.intp)
            start += stride[axis] * low
            shares.append((at - low).astype(np.float32))
        return _Cells(start, stride, shares)


@dataclass(frozen=True, eq=False)
class _Cells:
    """The cells of a grid in which S points lie."""

    start: NDArray[np.intp]  #: (S,) flat index of the lowest node
    stride: tuple[int, int, int]  #: of the grid
    shares: list[Float]  #: of each axis, (S,) 0..1 how far into the cell

    def __iter__(self) -> Iterator[tuple[int, Float]]:
        """For each of a cell's eight nodes how far it is from the lowest, and its weights (S,)."""
        sides = [(1 - share, share) for share in self.shares]
        for i, j, k in np.ndindex(2, 2, 2):
            step = i * self.stride[0] + j * self.stride[1] + k * self.stride[2]
            yield step, sides[0][i] * sides[1][j] * sides[2][k]


def on_ring(values: NDArray, at: NDArray) -> NDArray:
    """(S,) ``values`` (N,) known at 0 to N - 1 round a circle, ``at`` (S,) 0 to N, linearly."""
    low = np.minimum(at.astype(np.intp), len(values) - 1)
    ring = np.append(values, values[0]).astype(at.dtype)
    # As numpy.interp, in a fifth of its time.
    before = ring.take(low)
    return before + (at - low).astype(at.dtype) * (ring.take(low + 1) - before)


def surface_of(model: FaceModel, vertices: NDArray) -> Surface:
    """The :class:`Surface` of the head ``vertices`` (V, 3) mm, head coordinates."""
    kinds = [model.material_kinds.index(k) for k in ("skin", "eye") if k in model.material_kinds]
    outer = np.isin(model.polygon_material[model.polygon_of_face], kinds)
    faces = model.faces[outer]
    vertices = np.asarray(vertices, np.float64)
    samples, normals = _samples(vertices, faces, vertex_normals(vertices, model.faces))
    low = samples.min(axis=0) - BEYOND_MM
    count = np.ceil((samples.max(axis=0) + BEYOND_MM - low) / CELL_MM).astype(int) + 1
    axes = [low[k] + CELL_MM * np.arange(count[k]) for k in range(3)]
    nodes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    nearest = _nearest(nodes, samples, normals, low, tuple(count))
    gap = nodes - samples[nearest]
    before = dot(gap, normals[nearest])
    away = norm(gap)
    # What is nearest to the cut of the neck, and lies beside its normal, is under the neck.
    under = np.abs(before) < 0.6 * away
    distance = np.where(under, away, np.copysign(away, before))
    distance = np.where(away < _NEAR_MM, before, distance)
    distance = distance.reshape(count).astype(np.float32)
    marks = vertices[model.landmarks68]
    skull = vertices[model.mask("scalp") > 0.5] if "scalp" in model.mask_names else vertices
    middle = (skull.min(axis=0) + skull.max(axis=0)) / 2
    return Surface(
        origin=low,
        distance=distance,
        field=np.stack([distance, *np.gradient(distance, CELL_MM)], axis=-1).reshape(-1, 4),
        middle=np.array([marks[[0, 16], 0].mean(), marks[17:27, 1].mean(), middle[2]], np.float32),
        half_width=float(np.ptp(marks[[0, 16], 0]) / 2),
        brows=float(marks[17:27, 1].mean()),
        chin=float(marks[8, 1]),
        top=float(skull[:, 1].max()),
        ears=float(marks[[0, 16], 1].mean()),
    )


class Skin:
    """The skin as rays meet it: exact, where :class:`Surface` is a grid's."""

    def __init__(self, model: FaceModel, vertices: NDArray) -> None:
        skin = model.polygon_material[model.polygon_of_face] == model.material_kinds.index("skin")
        self._rays = ray_scene(vertices, model.faces[skin])

    def first_crossed(self, strands: Float, outward: NDArray) -> NDArray[np.intp]:
        """(S,) the piece of each of ``strands`` (S, P, 3) that passes through the skin first, P - 1
        for none.  The roots lie in the skin: there the ray starts ``_ROOT_MM`` along ``outward``
        (S, 3)."""
        if not len(strands):
            return np.empty(0, np.intp)
        start = strands[:, :-1].astype(np.float32)
        start[:, 0] += _ROOT_MM * outward
        way = strands[:, 1:] - start
        hit = self._rays.run(
            np.ascontiguousarray(start.reshape(-1, 3)),
            np.ascontiguousarray(way.reshape(-1, 3), dtype=np.float32),
            dists=np.full(start[..., 0].size, 1.02, np.float32),
            query="OCCLUDED",
        )
        crossed = (hit != -1).reshape(start.shape[:2])
        return np.where(crossed.any(axis=1), crossed.argmax(axis=1), crossed.shape[1])


#: From where on a strand is out of the skin, mm.
_ROOT_MM = 0.2


@dataclass(frozen=True, eq=False)
class Roots:
    """Where S strands begin."""

    points: Float  #: (S, 3) mm
    triangle: NDArray[np.int32]  #: (S,) index into the model's ``faces``
    weights: Float  #: (S, 3) barycentric
    depth: Float  #: (S,) 0 at the hairline .. 1 well within the scalp

    def chosen(self, which: NDArray) -> Roots:
        """Those that ``which`` (S,) bool, or indices, says."""
        return Roots(
            self.points[which], self.triangle[which], self.weights[which], self.depth[which]
        )


def roots_on(
    model: FaceModel, vertices: NDArray, scalp: NDArray, count: int, rng: np.random.Generator
) -> Roots:
    """``count`` :class:`Roots`, evenly on the ``scalp`` (V,) 0..1 of the head ``vertices`` (V, 3).

    The density falls with ``scalp``, to none under 0.3: a hairline is no edge.
    """
    vertices = np.asarray(vertices, np.float64)
    area = triangle_areas(vertices, model.faces)
    skin = model.material_kinds.index("skin")
    area = area * (model.polygon_material[model.polygon_of_face] == skin)
    area = area * (scalp[model.faces].max(axis=1) > _EDGE[0])
    if not area.any():
        empty = np.empty((0, 3), np.float32)
        return Roots(empty, np.empty(0, np.int32), empty, np.empty(0, np.float32))
    # Twice as many as wanted: at the hairline some are dropped.
    drawn, weights = spread(area, 2 * count, rng)
    on_scalp = (scalp[model.faces[drawn]] * weights).sum(axis=1)
    depth = np.clip((on_scalp - _EDGE[0]) / (_EDGE[1] - _EDGE[0]), 0, 1)
    kept = np.flatnonzero(rng.random(len(drawn)) < depth)[:count]
    points = (vertices[model.faces[drawn[kept]]] * weights[kept, :, None]).sum(axis=1)
    return Roots(
        points.astype(np.float32),
        drawn[kept],
        weights[kept].astype(np.float32),
        depth[kept].astype(np.float32),
    )


#: Of the scalp's mask, 0..1: none grow below the first, all above the second.
_EDGE = (0.3, 0.7)


def _samples(vertices: NDArray, faces: NDArray, normals: NDArray) -> tuple[NDArray, NDArray]:
    """Points (N, 3) spread over the triangles, the same each time, and their unit normals."""
    drawn, weights = spread(triangle_areas(vertices, faces), _SAMPLES, np.random.default_rng(5))
    points, outward = (
        sum(values[faces[drawn, k]] * weights[:, k, None] for k in range(3))
        for values in (vertices, normals)
    )
    return np.asarray(points), unit(np.asarray(outward))


def spread(
    area: NDArray, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.int32], NDArray]:
    """``count`` random points on triangles of ``area`` (F,): which, and weights (N, 3)."""
    drawn = rng.choice(len(area), count, p=area / area.sum()).astype(np.int32)
    u, v = rng.random((2, count))
    over = u + v > 1
    u, v = np.where(over, 1 - u, u), np.where(over, 1 - v, v)
    return drawn, np.stack([1 - u - v, u, v], axis=1)


def _nearest(
    nodes: NDArray, samples: NDArray, normals: NDArray, low: NDArray, count: tuple[int, ...]
) -> NDArray[np.intp]:
    """(N,) for each node of the grid its nearest sample; far away, or deep inside, about that."""
    # A tree is slow far from all samples; there a sample of the nearest cell that has one will do.
    cell = np.round((samples - low) / CELL_MM).astype(int)
    held = np.full(count, -1)
    held[tuple(cell.T)] = np.arange(len(samples))
    away, index = distance_transform_edt(held < 0, return_indices=True)
    found = held[tuple(index)].ravel()
    near = np.flatnonzero(away.ravel() * CELL_MM < _EXACT_MM)
    # Hair never is deep inside.
    gap = nodes[near] - samples[found[near]]
    before = dot(gap, normals[found[near]])
    near = near[(before > -_NEAR_MM) | (before > -0.85 * norm(gap))]
    # Built in half of the time, and no slower to ask for so few.
    tree = cKDTree(samples, compact_nodes=False, balanced_tree=False)
    found[near] = tree.query(nodes[near])[1]
    return found
