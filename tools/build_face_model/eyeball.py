"""The eyeball: a cube projected onto a sphere (all quads, even sizes, no pole in the pupil)."""

from __future__ import annotations

import numpy as np

RESOLUTION = 8
"""Quads along an edge of the cube: the iris, +-22 degrees, then spans 4 quads of 11 degrees."""


def eyeball_mesh(resolution: int = RESOLUTION) -> tuple[np.ndarray, np.ndarray]:
    """A unit sphere of quads whose front face, in cube terms, looks along +z (where the iris goes).

    The grid is equiangular (tangent spacing), so the quads keep nearly the same size.

    Returns:
        (W, 3) float64 unit vectors, exactly symmetric about x = 0, and
        (6 * resolution^2, 4) int64 quads, outward.
    """
    ticks = np.tan(np.linspace(-np.pi / 4, np.pi / 4, resolution + 1))
    ticks = (ticks - ticks[::-1]) / 2  # exactly antisymmetric
    a, b = np.meshgrid(ticks, ticks, indexing="ij")
    one = np.ones_like(a)
    faces = [(a, b, one), (b, a, -one), (one, a, b), (-one, b, a), (b, one, a), (a, -one, b)]
    grid = np.stack([np.stack(face, axis=-1) for face in faces])  # (6, n+1, n+1, 3)
    corners = np.round(grid.reshape(-1, 3), 9)
    unique, index = np.unique(corners, axis=0, return_inverse=True)
    index = index.reshape(grid.shape[:3])
    quads = np.stack(
        [index[:, :-1, :-1], index[:, 1:, :-1], index[:, 1:, 1:], index[:, :-1, 1:]], axis=-1
    )
    return unique / np.linalg.norm(unique, axis=1, keepdims=True), quads.reshape(-1, 4)


def fit_sphere(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Least-squares sphere through points (N, 3): its centre (3,) and radius."""
    design = np.column_stack([2 * points, np.ones(len(points))])
    solution = np.linalg.lstsq(design, (points**2).sum(axis=1), rcond=None)[0]
    return solution[:3], float(np.sqrt(solution[3] + (solution[:3] ** 2).sum()))
