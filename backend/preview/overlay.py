"""The mesh and the landmarks drawn over the photo."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..exchange import Reconstruction
from ..model.face_model import split_polygons
from ..raster import rasterize
from .window import window_camera

Bytes = NDArray[np.uint8]

#: iBUG's groups as (first, last, closed): jaw, brows, nose ridge, nostrils, eyes, lips.
GROUPS = (
    (0, 16, False),
    (17, 21, False),
    (22, 26, False),
    (27, 30, False),
    (31, 35, False),
    (36, 41, True),
    (42, 47, True),
    (48, 59, True),
    (60, 67, True),
)
DETECTED = (255, 198, 64)
FITTED = (64, 220, 255)
_WIRE = np.array([235, 240, 245], np.float32)
_WIRE_STRENGTH = 0.45
_WIRE_SAMPLES = 2
_SUBPIXEL = 4  # bits


def draw_wireframe(panel: Bytes, reconstruction: Reconstruction, window: NDArray) -> Bytes:
    """``panel`` (S, S, 3), the ``window`` of the photo, with the visible polygon edges over it."""
    coverage = wire_coverage(reconstruction, window, len(panel))
    alpha = (_WIRE_STRENGTH * coverage)[..., None]
    return np.rint(panel * (1 - alpha) + _WIRE * alpha).astype(np.uint8)


def wire_coverage(reconstruction: Reconstruction, window: NDArray, size: int) -> NDArray:
    """(size, size) float32 0..1: how much of each pixel is line.

    Lines run where neighbouring rays meet different polygons, so hidden ones cannot show through.
    """
    r = reconstruction
    polygons = r.polygons[r.opaque]
    faces = split_polygons(polygons)
    polygon_of_face = np.repeat(np.arange(len(polygons)), polygons.shape[1] - 2)
    fine = _WIRE_SAMPLES * size
    camera = window_camera(r.camera_matrix, window, fine)
    vertices = r.vertices_posed @ r.rotation.T + r.translation
    seen = rasterize(vertices.astype(np.float32), faces, camera, (fine, fine))
    polygon = np.where(seen.mask, polygon_of_face[seen.face_id], -1)
    line = np.zeros((fine, fine), np.float32)
    line[:, 1:] = polygon[:, 1:] != polygon[:, :-1]
    line[1:] = np.maximum(line[1:], polygon[1:] != polygon[:-1])
    line = cv2.dilate(line, np.ones((2, 2), np.uint8))
    return cv2.resize(line, (size, size), interpolation=cv2.INTER_AREA)


def draw_landmarks(
    panel: Bytes, points: NDArray, colour: tuple[int, int, int], *, filled: bool
) -> Bytes:
    """``points`` (68, 2) in panel pixels as dots (filled) or rings, joined within each group."""
    panel = panel.copy()
    fixed = np.rint(points * 2**_SUBPIXEL).astype(np.int32)
    for first, last, closed in GROUPS:
        line = fixed[first : last + 1].reshape(-1, 1, 2)
        cv2.polylines(panel, [line], closed, colour, 1, cv2.LINE_AA, _SUBPIXEL)
    radius = max(2.0, len(panel) / 220)
    for x, y in fixed:
        cv2.circle(
            panel,
            (int(x), int(y)),
            round(radius * 2**_SUBPIXEL),
            colour,
            -1 if filled else 1,
            cv2.LINE_AA,
            _SUBPIXEL,
        )
    return panel


def draw_overlay(panel: Bytes, reconstruction: Reconstruction, window: NDArray) -> Bytes:
    """``panel`` with the wireframe, the detected landmarks (rings) and the fitted ones (dots)."""
    r = reconstruction
    to_panel = window_camera(np.eye(3), window, len(panel))
    panel = draw_wireframe(panel, r, window)
    for points, colour, filled in (
        (r.landmarks2d_detected, DETECTED, False),
        (r.landmarks2d, FITTED, True),
    ):
        placed = points @ to_panel[:2, :2].T + to_panel[:2, 2]
        panel = draw_landmarks(panel, placed, colour, filled=filled)
    return panel
