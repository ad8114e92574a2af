"""Finding and moving a camera: what OpenCV knows of it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .camera import Camera, intrinsics
from .rotation import FACING

Double = NDArray[np.float64]


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
