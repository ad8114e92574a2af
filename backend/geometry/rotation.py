"""Rotations as angles and quaternions: float64, numpy only, because Blender has no scipy.

Elsewhere :class:`scipy.spatial.transform.Rotation` knows rotation vectors and much else.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

#: Head to camera (OpenCV) of a head that faces the camera upright: y and z point against its own.
FACING: Float = np.diag([1.0, -1.0, -1.0])


def about(angle: NDArray | float, axis: int) -> Float:
    """(..., 3, 3) the turn by ``angle`` (...) radians about ``axis`` 0, 1, 2; right-handed."""
    angle = np.asarray(angle, np.float64)
    out = np.zeros((*angle.shape, 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out[..., axis, axis] = 1.0
    out[..., i, i] = out[..., j, j] = np.cos(angle)
    out[..., j, i] = np.sin(angle)
    out[..., i, j] = -out[..., j, i]
    return out


def from_euler(yaw: NDArray | float, pitch: NDArray | float, roll: NDArray | float) -> Float:
    """(..., 3, 3) head to camera of a head turned by ``yaw``, ``pitch``, ``roll`` (...) radians.

    ``FACING @ Ry(yaw) @ Rx(-pitch) @ Rz(-roll)``: yaw to the head's left, pitch up, roll clockwise
    as seen; all 0 where it faces the camera.
    """
    pitch, roll = np.negative(pitch), np.negative(roll)
    return FACING @ about(yaw, 1) @ about(pitch, 0) @ about(roll, 2)


def to_euler(rotation: NDArray) -> tuple[Float, Float, Float]:
    """(...) yaw, pitch and roll in radians of (..., 3, 3): the inverse of :func:`from_euler`.

    Pitch within a right angle.
    """
    turn = FACING.T @ rotation
    # For R = Ry(a) Rx(b) Rz(c): R12 = -sin b, R02 / R22 = tan a, R10 / R11 = tan c.
    pitch = np.arcsin(np.clip(turn[..., 1, 2], -1.0, 1.0))
    yaw = np.arctan2(turn[..., 0, 2], turn[..., 2, 2])
    roll = -np.arctan2(turn[..., 1, 0], turn[..., 1, 1])
    return yaw, pitch, roll


def roll_matrix(roll: float) -> Float:
    """(2, 2) turns the head's frame in the picture by ``roll`` degrees, clockwise as seen."""
    c, s = np.cos(np.radians(roll)), np.sin(np.radians(roll))
    return np.array([[c, -s], [s, c]])


def look_along(ray: NDArray) -> Float:
    """(3, 3) the smallest turn that takes the optical axis (z) to ``ray`` (3,) (Rodrigues)."""
    z = np.asarray(ray, np.float64) / np.linalg.norm(ray)
    axis = np.cross([0.0, 0.0, 1.0], z)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + cross + cross @ cross / (1 + z[2])


def to_quaternions(rotation: Float) -> Float:
    """(N, 4) w, x, y, z of (N, 3, 3), neighbours in the same half so that they can be blended.

    Bar-Itzhack 2000: the eigenvector of the largest eigenvalue, exact for rotations and the nearest
    one for what is only close to a rotation.
    """
    r = rotation
    k = np.empty((len(r), 4, 4))
    k[:, 0, 0] = r[:, 0, 0] - r[:, 1, 1] - r[:, 2, 2]
    k[:, 1, 1] = r[:, 1, 1] - r[:, 0, 0] - r[:, 2, 2]
    k[:, 2, 2] = r[:, 2, 2] - r[:, 0, 0] - r[:, 1, 1]
    k[:, 3, 3] = r[:, 0, 0] + r[:, 1, 1] + r[:, 2, 2]
    k[:, 0, 1] = k[:, 1, 0] = r[:, 1, 0] + r[:, 0, 1]
    k[:, 0, 2] = k[:, 2, 0] = r[:, 2, 0] + r[:, 0, 2]
    k[:, 1, 2] = k[:, 2, 1] = r[:, 2, 1] + r[:, 1, 2]
    k[:, 0, 3] = k[:, 3, 0] = r[:, 2, 1] - r[:, 1, 2]
    k[:, 1, 3] = k[:, 3, 1] = r[:, 0, 2] - r[:, 2, 0]
    k[:, 2, 3] = k[:, 3, 2] = r[:, 1, 0] - r[:, 0, 1]
    vector = np.linalg.eigh(k)[1][:, :, -1]
    out = vector[:, [3, 0, 1, 2]]
    out[0] *= 1.0 if out[0, 0] >= 0 else -1.0
    flip = np.cumprod(np.where((out[1:] * out[:-1]).sum(axis=1) < 0, -1.0, 1.0))
    out[1:] *= flip[:, None]
    return out


def from_quaternions(quaternions: Float) -> Float:
    """(N, 3, 3) of (N, 4) w, x, y, z, which need not have length 1."""
    w, x, y, z = (quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)
