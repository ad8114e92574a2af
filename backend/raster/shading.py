"""Normals and second-order spherical-harmonics shading (Ramamoorthi and Hanrahan 2001)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.harmonics import sh_terms

Float = NDArray[np.float32]


def vertex_normals(vertices: NDArray, faces: NDArray) -> NDArray:
    """(V, 3) unit normals, area-weighted means of the faces around; 0 for unused vertices.

    Outward for counter-clockwise faces.  The dtype is that of ``vertices``.
    """
    corner = vertices[faces]
    area = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    total = np.empty_like(vertices)
    for axis in range(3):
        total[:, axis] = np.bincount(
            faces.ravel(), np.repeat(area[:, axis], 3), minlength=len(vertices)
        )
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return total / np.maximum(length, 1e-12)


def sh_basis(normals: NDArray) -> NDArray:
    """(..., 9) real spherical harmonics of unit ``normals`` (..., 3), bands 0 to 2."""
    return np.stack(sh_terms(normals[..., 0], normals[..., 1], normals[..., 2]), axis=-1)


def shade(normals: NDArray, sh_light: NDArray) -> NDArray:
    """(..., 3) factor of the linear-light albedo: max(0, sum_i Y_i(n) sh_light[i]).

    ``normals`` (..., 3) unit, in the frame of ``sh_light`` (9, 3): head coordinates.
    """
    return np.maximum(sh_basis(normals) @ np.asarray(sh_light, normals.dtype), 0)
