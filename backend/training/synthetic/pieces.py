"""Small meshes and smooth random fields that the props are made of."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int32]
#: Vertices (N, 3) mm, triangles (M, 3), colours (N, 3) linear albedo.
Mesh = tuple[NDArray, Int, NDArray]


@lru_cache(maxsize=64)
def sheet_faces(rows: int, columns: int, closed: bool = False) -> Int:
    """(F, 3) the triangles of a grid of vertices, row by row; ``closed`` joins its columns."""
    row = np.arange(rows - 1)[:, None] * columns
    column = np.arange(columns if closed else columns - 1)
    after = (column + 1) % columns
    a, b, c, d = row + column, row + columns + column, row + columns + after, row + after
    quads = np.stack([a, b, c, a, c, d], axis=-1)
    return quads.reshape(-1, 3).astype(np.int32)


@lru_cache(maxsize=64)
def many_sheets(count: int, rows: int, columns: int, closed: bool = False) -> Int:
    """(F, 3) ``count`` equal sheets, one after the other."""
    one = sheet_faces(rows, columns, closed)
    return (
        (one + (np.arange(count) * rows * columns)[:, None, None]).reshape(-1, 3).astype(np.int32)
    )


def join(parts: list[Mesh]) -> Mesh:
    """One mesh of several: vertices, faces and colours."""
    starts = np.cumsum([0] + [len(part[0]) for part in parts[:-1]])
    faces = [part[1] + start for part, start in zip(parts, starts, strict=True)]
    return (
        np.concatenate([part[0] for part in parts]),
        np.concatenate(faces).astype(np.int32),
        np.concatenate([part[2] for part in parts]),
    )


def tube(path: NDArray, radii: NDArray, sides: int = 8, up: NDArray | None = None) -> NDArray:
    """(n * sides, 3) rings of radii (n, 2) or (n,) around ``path`` (n, 3), for sheet_faces."""
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    up = np.array([0.31, 0.93, 0.2]) if up is None else up
    one = np.cross(along, up)
    one /= np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-9)
    two = np.cross(one, along)
    radii = np.broadcast_to(np.asarray(radii, float).reshape(len(path), -1), (len(path), 2))
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = (
        path[:, None]
        + np.cos(angle)[:, None] * (one * radii[:, :1])[:, None]
        + np.sin(angle)[:, None] * (two * radii[:, 1:])[:, None]
    )
    return ring.reshape(-1, 3)


def waves(
    points: NDArray, rng: np.random.Generator, wavelength: float, count: int = 6, channels: int = 1
) -> NDArray:
    """(..., channels) smooth random fields of about unit variance at ``points`` (..., k)."""
    size = points.shape[-1]
    direction = rng.normal(size=(size, channels * count)) * (2 * np.pi / wavelength / size**0.5)
    phase = points @ direction.astype(np.float32) + rng.uniform(0, 2 * np.pi, channels * count)
    field = np.sin(phase).reshape(*points.shape[:-1], channels, count)
    return field.sum(axis=-1) * (2.0 / count) ** 0.5


@lru_cache(maxsize=8)
def ball(rows: int, columns: int) -> tuple[NDArray, Int]:
    """Vertices (rows * columns, 3) of the unit sphere and its triangles."""
    polar = np.linspace(0, np.pi, rows)[:, None]
    around = np.linspace(0, 2 * np.pi, columns, endpoint=False)
    x, y = np.sin(polar) * np.cos(around), np.cos(polar) + 0 * around
    points = np.stack([x, y, -np.sin(polar) * np.sin(around)], axis=-1)
    return points.reshape(-1, 3), sheet_faces(rows, columns, True)


def capsule(path: NDArray, radii: NDArray, tone: NDArray, sides: int = 8) -> Mesh:
    """A tube along ``path`` (n, 3), closed at its ends, of one ``tone``."""
    first, last = path[0] - path[1], path[-1] - path[-2]
    first = first / max(np.linalg.norm(first), 1e-9) * np.max(radii[0])
    last = last / max(np.linalg.norm(last), 1e-9) * np.max(radii[-1])
    ends = [path[:1] + first, path[:1] + 0.7 * first, path[-1:] + 0.7 * last, path[-1:] + last]
    path = np.concatenate([*ends[:2], path, *ends[2:]])
    radii = np.concatenate(
        [radii[:1] * 0.05, radii[:1] * 0.7, radii, radii[-1:] * 0.7, radii[-1:] * 0.05]
    )
    points = tube(path, radii, sides)
    return points, sheet_faces(len(path), sides, True), np.broadcast_to(tone, points.shape)
