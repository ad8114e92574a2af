"""Normals and second-order spherical-harmonics shading (Ramamoorthi and Hanrahan 2001)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
