"""The square part of the photo that the preview shows."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..exchange import Reconstruction
from ..geometry.camera import project

Bytes = NDArray[np.uint8]
Double = NDArray[np.float64]

CHIN = 8  #: iBUG landmark
#: How much of the neck is shown, and the free rim as a part of the head's size.
NECK_MM = 40.0
MARGIN = 0.14


def preview_window(reconstruction: Reconstruction) -> Double:
    """(4,) x0, y0, x1, y1: a square around the projected head, in pixels of the upright photo.

    It may reach beyond the photo's edges.  The neck counts down to 4 cm under the chin.
    """
    r = reconstruction
    points = r.vertices_posed[: r.head_count].astype(np.float64)
    chin = points[r.landmarks68[CHIN], 1]
    head = points[points[:, 1] > chin - NECK_MM]
    pixels = project(head @ r.rotation.T + r.translation, r.camera_matrix)
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    half = 0.5 * (1 + 2 * MARGIN) * float((high - low).max())
    centre = 0.5 * (low + high)
    return np.concatenate([centre - half, centre + half])


def window_camera(camera_matrix: NDArray, window: NDArray, size: int) -> Double:
    """(3, 3) the camera matrix for ``window`` of the photo shown on ``size`` x ``size`` pixels.

    Panel pixel i has its centre at ``x0 + (i + 1/2) (x1 - x0) / size`` in the photo, so
    ``u' = (u - x0) s - 1/2``.
    """
    x0, y0, x1, _ = np.asarray(window, dtype=np.float64)
    s = size / (x1 - x0)
    to_panel = np.array([[s, 0, -s * x0 - 0.5], [0, s, -s * y0 - 0.5], [0, 0, 1]], np.float64)
    return to_panel @ np.asarray(camera_matrix, np.float64)


def window_pixels(photo: Bytes, window: NDArray, size: int, outside: int = 30) -> Bytes:
    """(size, size, 3) ``window`` of ``photo``; grey value ``outside`` beyond its edges."""
    to_panel = window_camera(np.eye(3), window, size)
    scale = to_panel[0, 0]
    if scale < 0.5:  # smooth before leaving out pixels
        photo = cv2.GaussianBlur(photo, (0, 0), 0.4 / scale)
    return cv2.warpAffine(
        photo,
        to_panel[:2],
        (size, size),
        flags=cv2.INTER_LINEAR if scale < 1 else cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(outside, outside, outside),
    )
