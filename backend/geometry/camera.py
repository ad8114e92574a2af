"""The perspective camera of a photo and what it sees of points on the head."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

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
        projected = self.to_camera(points) @ self.camera_matrix.T
        return projected[:, :2] / projected[:, 2:]

    @property
    def euler_degrees(self) -> tuple[float, float, float]:
        """Yaw (to the head's left), pitch (up) and roll (clockwise as seen) of the head.

        In degrees, all zero when the head faces the camera:
        ``rotation = FACING @ Ry(yaw) @ Rx(-pitch) @ Rz(-roll)``.
        """
        r = FACING.T @ self.rotation
        yaw = np.degrees(np.arctan2(r[0, 2], r[2, 2]))
        pitch = np.degrees(np.arcsin(np.clip(r[1, 2], -1.0, 1.0)))
        roll = np.degrees(-np.arctan2(r[1, 0], r[1, 1]))
        return float(yaw), float(pitch), float(roll)


#: A head that faces the camera: its y and z point against the camera's.
FACING: Double = np.diag([1.0, -1.0, -1.0])


def intrinsics(focal: float, image_size: tuple[int, int]) -> Double:
    """(3, 3) camera matrix with square pixels and the principal point in the picture's middle."""
    width, height = image_size
    return np.array(
        [[focal, 0.0, (width - 1) / 2], [0.0, focal, (height - 1) / 2], [0.0, 0.0, 1.0]]
    )


def initial_camera(
    points: NDArray,
    pixels: NDArray,
    distance: float,
    focal: float | None,
    image_size: tuple[int, int],
) -> Camera:
    """A camera that sees rigid ``points`` (N, 3) mm near ``pixels`` (N, 2).

    With ``focal`` None the one is taken that puts the head ``distance`` mm away.  Solved by SQPnP
    (Terzakis and Lourakis 2020), which needs no start value.
    """
    known = focal is not None
    focal = focal or 1.5 * max(image_size)
    for _ in range(1 if known else 3):
        matrix = intrinsics(focal, image_size)
        try:
            ok, vector, translation = cv2.solvePnP(
                np.ascontiguousarray(points, np.float64),
                np.ascontiguousarray(pixels, np.float64),
                matrix,
                None,
                flags=cv2.SOLVEPNP_SQPNP,
            )
        except cv2.error:  # it gives up so on heads some 15 m away
            ok = False
        if not ok:
            vector, translation = cv2.Rodrigues(FACING)[0], np.array([[0.0], [0.0], [distance]])
        if not known:
            focal *= distance / float(translation[2, 0])
    rotation = cv2.Rodrigues(vector)[0]
    return Camera(matrix, rotation, translation[:, 0])


def rotate(rotation: Double, step: NDArray) -> Double:
    """``exp([step]x) @ rotation``: a small turn ``step`` (3,) in radians about camera axes."""
    return cv2.Rodrigues(np.asarray(step, np.float64))[0] @ rotation


def moved_camera(
    camera: Camera, change: NDArray, image_size: tuple[int, int], limit: float
) -> Camera:
    """``camera`` after a step of an optimiser.

    ``change`` (7,): turn about the camera's axes in radians, shift x and y in mm, log distance, log
    focal length.  Turn and logarithms are cut to +-``limit``, as far as a linearisation may be
    trusted.
    """
    turn, shift = np.clip(change[:3], -limit, limit), np.append(change[3:5], 0.0)
    distance, focal = np.exp(np.clip(change[5:7], -limit, limit))
    return Camera(
        intrinsics(camera.focal * focal, image_size),
        rotate(camera.rotation, turn),
        camera.translation * distance + shift,
    )
