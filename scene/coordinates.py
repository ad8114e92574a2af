"""Head coordinates to Blender's and back: the one place where axes and units change.

* Head: millimetres, x to the head's left, y up, z forward out of the face.
* Blender: metres, x to the head's left, Z up, the face looks along -Y.
* Camera of the photo (OpenCV): x right, y down, z forward.
* Camera object of Blender: x right, y up, looks along its own -z.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..backend.geometry.rotation import FACING

MM_PER_M = 1000.0

#: x_b = x, y_b = -z, z_b = y; a rotation, so its transpose goes back.
HEAD_TO_BLENDER = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


def to_blender(points: NDArray) -> NDArray:
    """(..., 3) points or displacements in head mm as Blender metres, same dtype."""
    out = np.empty_like(points)
    out[..., 0] = points[..., 0]
    np.negative(points[..., 2], out=out[..., 1])
    out[..., 2] = points[..., 1]
    out /= MM_PER_M
    return out


def from_blender(points: NDArray) -> NDArray:
    """(..., 3) Blender metres as head mm, same dtype: the inverse of :func:`to_blender`."""
    out = y_up(points)
    out *= MM_PER_M
    return out


def y_up(points: NDArray) -> NDArray:
    """(..., 3) Blender's axes as the head's, which are glTF's: y up, the face looks along z."""
    out = np.empty_like(points)
    out[..., 0] = points[..., 0]
    out[..., 1] = points[..., 2]
    np.negative(points[..., 1], out=out[..., 2])
    return out


def camera_to_blender(rotation: NDArray, translation: NDArray) -> NDArray[np.float64]:
    """(4, 4) ``matrix_world`` of the Blender camera that sees the head as the photo does.

    ``x_camera = rotation @ x_head + translation`` with ``rotation`` (3, 3) and ``translation`` (3,)
    in mm.  The camera centre is ``-rotation^T translation`` (Hartley and Zisserman 2004, eq. 6.6).
    """
    rotation = np.asarray(rotation, dtype=np.float64)
    matrix = np.eye(4)
    matrix[:3, :3] = HEAD_TO_BLENDER @ rotation.T @ FACING
    matrix[:3, 3] = to_blender(-rotation.T @ np.asarray(translation, dtype=np.float64))
    return matrix


def camera_from_blender(matrix_world: NDArray) -> tuple[NDArray, NDArray]:
    """(3, 3) rotation and (3,) translation in mm: the inverse of :func:`camera_to_blender`."""
    matrix = np.asarray(matrix_world, dtype=np.float64)
    rotation = (HEAD_TO_BLENDER.T @ matrix[:3, :3] @ FACING).T
    return rotation, -rotation @ from_blender(matrix[:3, 3])
