"""The perspective camera of a photo and what it sees of points on the head; numpy only.

In torch: :mod:`..differentiable.camera`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .rotation import to_euler

Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Camera:
    """OpenCV's pinhole: ``pixel ~ camera_matrix @ (rotation @ x_head + translation)``.

    Head coordinates are mm (x to the head's left, y up, z forward), camera coordinates mm (x
    right, y down, z forward), pixels count from the centre of the top-left pixel.
    """

    camera_matrix: Double  #: (3, 3) pixels
    rotation: Double  #: (3, 3)
    translation: Double  #: (3,) mm

    @property
    def focal(self) -> float:
        """Focal length in pixels (square pixels)."""
        return float(self.camera_matrix[0, 0])

    def to_camera(self, points: NDArray) -> Double:
        """(N, 3) head coordinates in mm to camera coordinates in mm."""
        return np.asarray(points, np.float64) @ self.rotation.T + self.translation

    def project(self, points: NDArray) -> Double:
        """(N, 3) head coordinates in mm to (N, 2) pixels."""
        return project(self.to_camera(points), self.camera_matrix)

    @property
    def euler_degrees(self) -> tuple[float, float, float]:
        """Yaw, pitch and roll of the head in degrees: see :func:`~.rotation.from_euler`."""
        yaw, pitch, roll = np.degrees(to_euler(self.rotation))
        return float(yaw), float(pitch), float(roll)


def intrinsics(focal: float, image_size: tuple[int, int]) -> Double:
    """(3, 3) camera matrix with square pixels and the principal point in the picture's middle."""
    width, height = image_size
    return np.array(
        [[focal, 0.0, (width - 1) / 2], [0.0, focal, (height - 1) / 2], [0.0, 0.0, 1.0]]
    )


def project(points_camera: NDArray, camera_matrix: NDArray) -> NDArray:
    """(..., 2) pixels of (..., 3) points in camera coordinates (Hartley and Zisserman, eq. 6.8).

    In the dtype of the points.
    """
    homogeneous = points_camera @ np.asarray(camera_matrix, points_camera.dtype).T
    return homogeneous[..., :2] / homogeneous[..., 2:]


def projection_jacobian(camera: Camera, points: NDArray, basis: NDArray) -> Double:
    """(N, 2, 7 + K) derivative of the pixels of ``points`` (N, 3), head mm.

    By the seven numbers of :func:`~.pose.moved_camera` (turn about the camera's axes, shift x and
    y, log distance, log focal length), and by the weights of ``basis`` (K, N, 3), which moves the
    points.  ``camera`` has square pixels.
    """
    by_point, by_camera = projection_derivatives(
        camera.to_camera(points), camera.focal, camera.translation
    )
    turned = by_point @ camera.rotation
    return np.concatenate([by_camera, turned @ basis.transpose(1, 2, 0)], axis=2)


def projection_derivatives(
    points_camera: NDArray, focal: float, origin: NDArray
) -> tuple[NDArray, NDArray]:
    """(N, 2, 3) and (N, 2, 7) derivatives of the pixels of ``points_camera`` (N, 3) mm.

    By the points and by the camera, see :func:`projection_terms`; in the dtype of the points.
    """
    x, y, z = points_camera.T
    terms = projection_terms(x, y, z, float(focal), [float(part) for part in origin])
    return _stacked(terms[0]), _stacked(terms[1])


def projection_terms(
    x: Any, y: Any, z: Any, focal: Any, origin: Any
) -> tuple[list[list[Any]], list[list[Any]]]:
    """Derivatives of the pixel (u, v) of the camera coordinates x, y, z: arrays or tensors alike.

    By x, y, z (2 rows of 3); and by turn 3, shift x and y, log distance and log focal length (2
    rows of 7), where the turn is about the head's ``origin`` (3,), the camera's translation, and
    the distance grows along the ray to it, so that it is not shifted in the picture.
    """
    scale = focal / z
    along_u, along_v = -scale * x / z, -scale * y / z  # by z
    none = 0 * scale
    a, b, c = x - origin[0], y - origin[1], z - origin[2]  # the arm
    by_point = [[scale, none, along_u], [none, scale, along_v]]
    by_camera = [
        # The turn's: arm x (du/dx, du/dy, du/dz).
        [b * along_u, c * scale - a * along_u, -b * scale]
        + [scale, none, scale * origin[0] + along_u * origin[2], scale * x],
        [b * along_v - c * scale, -a * along_v, a * scale]
        + [none, scale, scale * origin[1] + along_v * origin[2], scale * y],
    ]
    return by_point, by_camera


def _stacked(rows: list[list[NDArray]]) -> NDArray:
    """(N, R, C) of R rows of C arrays (N,)."""
    return np.moveaxis(np.array(rows), -1, 0)
