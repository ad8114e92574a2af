"""Spectacles and sunglasses, fitted to eyes, nose bridge and temples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...model import FaceModel
from .pieces import Mesh, join, sheet_faces, tube

_CORNERS = 24
_SIDES = 4


@dataclass(frozen=True)
class Glasses:
    """Frame and lenses of one pair."""

    frame: Mesh
    lenses: Mesh
    opacity: float  #: of the lenses
    gloss: float  #: of the frame


def fit_glasses(
    model: FaceModel, vertices: NDArray, dark: bool, rng: np.random.Generator
) -> Glasses:
    """A pair at random in front of the eyes of ``vertices`` (V, 3) mm; ``dark`` for sunglasses."""
    marks = vertices[model.landmarks68]
    eyes = np.stack([marks[36:42].mean(axis=0), marks[42:48].mean(axis=0)])
    apart = np.linalg.norm(eyes[1] - eyes[0])
    bigger = 1.12 if dark else 1.0
    half_wide = apart * rng.uniform(0.34, 0.43) * bigger
    half_high = half_wide * rng.uniform(0.62, 1.0)
    power = rng.uniform(2, 5)
    thick = rng.uniform(0.8, 1.6) if rng.random() < 0.4 else rng.uniform(1.6, 4.0)
    # Low enough to sit on the bridge, far enough to clear the brows.
    clear = rng.uniform(5, 9)
    middle_z = max(marks[27, 2], marks[[19, 24], 2].mean() - 4) + clear
    height = eyes[:, 1].mean() - rng.uniform(-2, 6)
    angle = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
    shape = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    shape = np.sign(shape) * np.abs(shape) ** (2 / power)
    shape[:, 0] *= 1 + 0.1 * rng.uniform(-0.5, 1.5) * shape[:, 1]
    bow = rng.uniform(0.0012, 0.0035)
    rims, lenses = [], []
    tone = _frame_colour(rng)
    lens_tone = _lens_colour(dark, rng)
    centre_x = (eyes[0, 0] + eyes[1, 0]) / 2
    for eye, side in zip(eyes, (-1.0, 1.0), strict=True):
        outline = np.empty((_CORNERS, 3))
        outline[:, 0] = eye[0] + side * shape[:, 0] * half_wide + side * 1.5
        outline[:, 1] = height + shape[:, 1] * half_high
        outline[:, 2] = (
            middle_z - bow * (outline[:, 0] - centre_x) ** 2 + 0.1 * (outline[:, 1] - height)
        )
        rims.append(_ring(outline, thick, tone))
        lenses.append(_lens(outline, lens_tone))
    left, right = (rim[0].mean(axis=0) for rim in rims)
    bridge = np.stack([left, (left + right) / 2, right])
    bridge[[0, 2], 0] = np.array([left[0], right[0]]) + np.array([1, -1]) * half_wide * 0.9
    bridge[:, 1] += half_high * rng.uniform(0.1, 0.5)
    bridge[1, 1:] += [rng.uniform(0, 3), 1.5]
    parts = [*rims, _bar(bridge, (thick, thick), tone)]
    for side, jaw in ((-1.0, 0), (1.0, 16)):
        x = (left if side < 0 else right)[0] + side * half_wide
        hinge_z = middle_z - bow * (x - centre_x) ** 2
        y = height + half_high * rng.uniform(0.2, 0.6)
        ear = marks[jaw] + np.array([side * 5, 6, -6])
        path = np.array(
            [
                [x - side * 1, y, hinge_z],
                [max(abs(x), abs(ear[0]) - 4) * side, y, hinge_z - 6],
                [ear[0], 0.5 * (y + ear[1]), 0.5 * (hinge_z + ear[2])],
                ear,
                ear + np.array([0, -14, -22]),
            ]
        )
        parts.append(_bar(path, (max(thick * 0.6, 0.8), max(thick * 1.1, 1.2)), tone))
    opacity = float(rng.uniform(0.6, 0.95) if dark else rng.uniform(0.1, 0.16))
    return Glasses(join(parts), join(lenses), opacity, float(rng.uniform(0.3, 1)))


def _frame_colour(rng: np.random.Generator) -> NDArray:
    """Black, tortoise, metal, or bright."""
    u = rng.random()
    if u < 0.5:
        return np.full(3, rng.uniform(0.004, 0.03))
    if u < 0.7:
        return np.array([0.08, 0.04, 0.02]) * rng.uniform(0.4, 1.6)
    if u < 0.88:
        return np.array([0.45, 0.42, 0.36]) * rng.uniform(0.5, 1.2, 3)
    return rng.uniform(0.01, 0.7, 3)


def _lens_colour(dark: bool, rng: np.random.Generator) -> NDArray:
    """Dark, tinted or mirrored; clear ones only veil a little."""
    if not dark:
        return np.full(3, rng.uniform(0.02, 0.35))
    if rng.random() < 0.15:
        return rng.uniform(0.05, 0.5, 3)
    return np.array([0.012, 0.011, 0.010]) * rng.uniform(0.5, 4, 3)


def _ring(outline: NDArray, thick: float, tone: NDArray) -> Mesh:
    """A closed tube along ``outline`` (n, 3)."""
    around = np.concatenate([outline[-1:], outline, outline[:2]])
    points = tube(around, np.full(len(around), thick), _SIDES, np.array([0.0, 0.0, 1.0]))
    points = points.reshape(-1, _SIDES, 3)[1:-1]
    faces = sheet_faces(len(points), _SIDES, True)
    return _plain(points.reshape(-1, 3), faces, tone)


def _bar(path: NDArray, radii: tuple[float, float], tone: NDArray) -> Mesh:
    """An open tube with half axes ``radii`` across and along the vertical."""
    points = tube(path, np.array([radii] * len(path)), _SIDES, np.array([0.0, 1.0, 0.0]))
    return _plain(points, sheet_faces(len(path), _SIDES, True), tone)


def _lens(outline: NDArray, tone: NDArray) -> Mesh:
    """A fan over the outline, bulging a little."""
    middle = outline.mean(axis=0) + np.array([0, 0, 1.5])
    corner = np.arange(len(outline))
    faces = np.stack([np.full_like(corner, len(outline)), corner, np.roll(corner, -1)], axis=1)
    return _plain(np.vstack([outline, middle]), faces.astype(np.int32), tone)


def _plain(points: NDArray, faces: NDArray[np.int32], tone: NDArray) -> Mesh:
    return points, faces, np.broadcast_to(tone, points.shape)
