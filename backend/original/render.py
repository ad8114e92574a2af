"""Scaled-orthographic pictures of meshes with coloured vertices, and landmarks drawn on them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..preview.overlay import GROUPS
from ..raster import Raster, interpolate
from ..raster.visibility import ray_scene

Bytes = NDArray[np.uint8]
Double = NDArray[np.float64]

RADIUS = 3  #: pixels
WHITE = (255, 255, 255)
_SUBPIXEL = 4  #: bits


def rasterize_orthographic(points: NDArray, faces: NDArray, size: tuple[int, int]) -> Raster:
    """The nearest triangle at every pixel centre along parallel rays.

    ``points`` (V, 3): x right and y down in pixels, (0, 0) the *centre* of the top-left one, z
    away from the viewer; ``size`` is (w, h).  Triangles are seen from both sides.
    """
    width, height = size
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    nearest = float(np.min(points[:, 2])) if len(points) else 0.0
    origins = np.stack([x.ravel(), y.ravel(), np.full(x.size, -1.0, np.float32)], axis=1)
    directions = np.tile(np.array([[0, 0, 1]], np.float32), (x.size, 1))
    shifted = np.asarray(points, np.float64) - (0.0, 0.0, nearest)
    hit = ray_scene(shifted, faces).run(origins, directions, output=1)
    seen = hit["primID"] >= 0
    u, v = hit["u"] * seen, hit["v"] * seen
    return Raster(
        hit["primID"].astype(np.int32).reshape(height, width),
        np.stack([seen - u - v, u, v], axis=1).astype(np.float32).reshape(height, width, 3),
        np.where(seen, hit["tfar"] - 1.0 + nearest, 0.0).astype(np.float32).reshape(height, width),
    )


def render(points: NDArray, faces: NDArray, colours: Double, size: tuple[int, int]) -> Bytes:
    """(h, w, 3) uint8: ``colours`` (V, 3) 0..255 at the vertices, black around them.

    ``points``, ``faces`` and ``size`` as in :func:`rasterize_orthographic`.
    """
    raster = rasterize_orthographic(points, faces, size)
    picture = interpolate(raster, faces, np.asarray(colours, np.float32))
    return np.clip(picture, 0, 255).astype(np.uint8)  # the original cuts fractions off too


def draw_landmarks(picture: Bytes, landmarks: Double) -> Bytes:
    """A copy of ``picture`` with (68, 2) ``landmarks`` as white circles, joined group by group."""
    out = np.ascontiguousarray(picture).copy()
    fixed = np.round(np.asarray(landmarks) * 2**_SUBPIXEL).astype(int)
    for first, last, _ in GROUPS:
        for k in range(first, last + 1):
            centre = (int(fixed[k, 0]), int(fixed[k, 1]))
            cv2.circle(out, centre, RADIUS << _SUBPIXEL, WHITE, 1, cv2.LINE_AA, _SUBPIXEL)
            if k < last:
                end = (int(fixed[k + 1, 0]), int(fixed[k + 1, 1]))
                cv2.line(out, centre, end, WHITE, 1, cv2.LINE_AA, _SUBPIXEL)
    return out
