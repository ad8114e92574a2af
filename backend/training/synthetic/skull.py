"""The head as a star-shaped surface around its middle: what hair, hats and scarves lie on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...model import FaceModel

Float = NDArray[np.float32]

_COLUMNS = 72
_ROWS = 34
_THETA_MAX = np.radians(150.0)
# The middle of the skull from the mean of the two outermost jaw landmarks, mm.
_MIDDLE = np.array([0.0, 5.0, -12.0], np.float32)
_RAYS_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Skull:
    """Radius by direction: azimuth ``phi`` (0 = front, + = the head's left), ``theta`` from up."""

    middle: Float  #: (3,) mm
    radius: Float  #: (rows, columns) mm, theta from 0 to 150 degrees, phi from -180 degrees
    scale: float  #: 1 for the width of the mean head

    def to_polar(self, points: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """phi, theta (radians) and r (mm) of ``points`` (..., 3)."""
        x, y, z = np.moveaxis(points - self.middle, -1, 0)
        across = np.hypot(x, z)
        return np.arctan2(x, z), np.arctan2(across, y), np.hypot(across, y)

    def from_polar(self, phi: NDArray, theta: NDArray, r: NDArray) -> NDArray:
        """(..., 3) the points of :meth:`to_polar`."""
        across = np.sin(theta) * r
        return self.middle + np.stack(
            [np.sin(phi) * across, np.cos(theta) * r, np.cos(phi) * across], axis=-1
        )

    def radius_at(self, phi: NDArray, theta: NDArray) -> NDArray:
        """(...) mm from the middle to the skin, without the ears, bilinear."""
        return _sample(self.radius, phi, theta)

    def above(
        self, phi: NDArray | float, theta: NDArray | float, height: NDArray | float
    ) -> NDArray:
        """(..., 3) the points ``height`` mm outside the skin at ``phi`` and ``theta``."""
        phi, theta = np.asarray(phi), np.asarray(theta)
        return self.from_polar(phi, theta, self.radius_at(phi, theta) + height)


def skull_of(model: FaceModel, vertices: NDArray) -> Skull:
    """The skull of the posed ``vertices`` (V, 3) mm."""
    index, weight = _grid(model)
    temples = vertices[model.landmarks68[[0, 16]]]
    middle = (temples.mean(axis=0) + _MIDDLE).astype(np.float32)
    wide = np.linalg.norm(temples[1] - temples[0])
    mean = model.mean[model.landmarks68[[0, 16]]]
    points = np.einsum("nkc,nk->nc", vertices[index], weight).reshape(_ROWS, _COLUMNS, 3)
    rough = Skull(middle, np.empty(0, np.float32), float(wide / np.linalg.norm(mean[1] - mean[0])))
    phi, theta, r = rough.to_polar(points)
    # A grid point of the mean head lands a little beside its direction: look that far back.
    grid_phi, grid_theta = _directions()
    shift = (phi - grid_phi + np.pi) % (2 * np.pi) - np.pi
    radius = _sample(r, grid_phi - shift * np.sin(grid_theta) ** 2, 2 * grid_theta - theta)
    return Skull(middle, radius.astype(np.float32), rough.scale)


def _directions() -> tuple[NDArray, NDArray]:
    """phi and theta, each (rows, columns), of the grid."""
    phi = (np.arange(_COLUMNS) + 0.5) / _COLUMNS * 2 * np.pi - np.pi
    theta = np.linspace(0.0, _THETA_MAX, _ROWS)
    return np.broadcast_to(phi, (_ROWS, _COLUMNS)), np.broadcast_to(
        theta[:, None], (_ROWS, _COLUMNS)
    )


def _sample(grid: NDArray, phi: NDArray, theta: NDArray) -> NDArray:
    """Bilinear ``grid`` (rows, columns); phi wraps, theta is clamped."""
    u = (phi / (2 * np.pi) + 0.5) * _COLUMNS - 0.5
    v = np.clip(theta * ((_ROWS - 1) / _THETA_MAX), 0, _ROWS - 1.001)
    column, row = np.floor(u).astype(np.int64), v.astype(np.int64)
    a, b = u - column, v - row
    left, right = column % _COLUMNS, (column + 1) % _COLUMNS
    flat, start = grid.ravel(), row * _COLUMNS
    upper = flat[start + left] * (1 - a) + flat[start + right] * a
    start = start + _COLUMNS
    lower = flat[start + left] * (1 - a) + flat[start + right] * a
    return upper * (1 - b) + lower * b


@lru_cache(maxsize=4)
def _grid(model: FaceModel) -> tuple[NDArray[np.int32], Float]:
    """Vertex ids and weights (rows * columns, 6) of the skin in every direction.

    Over the ears, and under the neck's end, the skin is bridged from the directions beside.
    """
    kinds = [model.material_kinds.index(kind) for kind in ("skin", "eye")]
    outer = np.isin(model.polygon_material[model.polygon_of_face], kinds)
    outer &= model.mask("ears")[model.faces].max(axis=1) < 0.5
    faces = model.faces[outer]
    middle = model.mean[model.landmarks68[[0, 16]]].mean(axis=0) + _MIDDLE
    phi, theta = _directions()
    ray = Skull(middle * 0, np.empty(0, np.float32), 1.0).from_polar(phi, theta, np.ones_like(phi))
    face, weight = _farthest(model.mean[faces] - middle, ray.reshape(-1, 3).astype(np.float32))
    face, weight = face.reshape(_ROWS, _COLUMNS), weight.reshape(_ROWS, _COLUMNS, 3)
    index = np.zeros((_ROWS, _COLUMNS, 6), np.int32)
    factor = np.zeros((_ROWS, _COLUMNS, 6), np.float32)
    for row in range(_ROWS):
        hit = np.flatnonzero(face[row] >= 0)
        if len(hit) < _COLUMNS // 2:
            index[row], factor[row] = index[row - 1], factor[row - 1]
            continue
        column = np.arange(_COLUMNS)
        after = np.searchsorted(hit, column) % len(hit)
        here, there = hit[after - 1], hit[after]
        gap = (there - here) % _COLUMNS
        share = ((column - here) % _COLUMNS / np.maximum(gap, 1))[:, None]
        index[row] = np.concatenate([faces[face[row, here]], faces[face[row, there]]], axis=1)
        factor[row] = np.concatenate(
            [weight[row, here] * (1 - share), weight[row, there] * share], axis=1
        )
    return index.reshape(-1, 6), factor.reshape(-1, 6)


def _farthest(corners: NDArray, rays: NDArray) -> tuple[NDArray, NDArray]:
    """Face (N,), -1 = none, and weights (N, 3) of the last hit from the origin.

    Moeller and Trumbore 1997, for all pairs.
    """
    a, ab, ac = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = np.cross(ab, ac)
    face = np.empty(len(rays), np.int64)
    weight = np.empty((len(rays), 3), np.float32)
    for start in range(0, len(rays), _RAYS_AT_ONCE):
        ray = rays[start : start + _RAYS_AT_ONCE]
        slope = ray @ normal.T
        slope = np.where(np.abs(slope) < 1e-9, 1e-9, slope)
        u = (ray @ np.cross(ac, a).T) / slope
        v = (ray @ np.cross(a, ab).T) / slope
        depth = (a * normal).sum(axis=1) / slope
        inside = (np.minimum(u, v) >= -1e-5) & (u + v <= 1 + 1e-5) & (depth > 0)
        best = np.where(inside, depth, -1).argmax(axis=1)
        line = np.arange(len(ray))
        stop = start + len(ray)
        face[start:stop] = np.where(inside[line, best], best, -1)
        u, v = u[line, best], v[line, best]
        weight[start:stop] = np.stack([1 - u - v, u, v], axis=1)
    return face, weight
