"""Neck and shoulders under the head, and what is worn there."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...model import FaceModel
from .pieces import Mesh, sheet_faces, waves

# Down the trunk: mm under the neck's end, half width and half depth in those of the neck, and how
# much of the slant of the neck's end is left.
_DOWN = np.array([-8, 0, 14, 26, 38, 50, 64, 82, 106, 140, 200, 300, 420.0])
_WIDE = np.array([0.95, 0.985, 1.0, 1.08, 1.35, 1.8, 2.3, 2.75, 3.1, 3.4, 3.6, 3.7, 3.7])
_DEEP = np.array([0.95, 0.985, 0.97, 1.0, 1.08, 1.16, 1.26, 1.4, 1.55, 1.75, 1.95, 2.1, 2.1])
_SLANT = np.array([1.0, 1, 1, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0])


def cloth_colour(rng: np.random.Generator) -> NDArray:
    """(3,) linear albedo: black, white, grey and navy more often than the rest."""
    u = rng.random()
    if u < 0.28:
        return np.full(3, rng.uniform(0.008, 0.05)) * rng.uniform(0.9, 1.1, 3)
    if u < 0.46:
        return np.full(3, rng.uniform(0.5, 0.85)) * rng.uniform(0.95, 1.0, 3)
    if u < 0.58:
        return np.full(3, rng.uniform(0.08, 0.4))
    if u < 0.70:
        return np.array([0.015, 0.025, 0.07]) * rng.uniform(0.5, 2.0)
    return rng.uniform(0.02, 1, 3) ** 2 * rng.uniform(0.3, 0.9)


@lru_cache(maxsize=4)
def neck_end(model: FaceModel) -> NDArray[np.integer]:
    """(N,) vertex ids of the open lower end of the neck, in order around it."""
    faces = model.faces
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    edges, count = np.unique(edges, axis=0, return_counts=True)
    ids = np.unique(edges[count == 1])
    low = model.landmarks68[8]
    ids = ids[(model.mask("neck")[ids] > 0) & (model.mean[ids, 1] < model.mean[low, 1])]
    x, z = (model.mean[ids] - model.mean[ids].mean(axis=0))[:, [0, 2]].T
    return ids[np.argsort(np.arctan2(x, z))]


def grow_body(
    model: FaceModel, vertices: NDArray, skin_tone: NDArray, rng: np.random.Generator
) -> Mesh:
    """The trunk down to the breast, skin above its neckline and cloth below."""
    ring = vertices[neck_end(model)].astype(np.float64)
    middle = (ring.min(axis=0) + ring.max(axis=0)) / 2
    away = ring - middle
    wide = 1 + (_WIDE - 1) * rng.uniform(0.8, 1.15)
    deep = 1 + (_DEEP - 1) * rng.uniform(0.8, 1.2)
    down = np.where(_DOWN > 0, _DOWN * rng.uniform(0.8, 1.35), _DOWN)
    down[2:] -= rng.uniform(0, 16)
    points = middle + away * np.stack([wide, _SLANT, deep], axis=1)[:, None]
    # Shoulders lie beside the neck: the sides of a ring hang lower than breast and back.
    around = np.arctan2(away[:, 2], away[:, 0])
    down = down[:, None] * (1 + 0.12 * np.cos(around) ** 2)
    points[..., 1] -= down
    points[..., 2] -= 0.12 * np.clip(down, 0, 80)
    points += waves(points / 100, rng, 0.9, channels=3) * (np.clip(down, 0, 30) / 15)[..., None]
    front = np.clip(np.sin(around), 0, 1)
    neckline = rng.choice([8, 24, 38, 55]) + rng.uniform(-6, 8)
    vee = rng.uniform(0, 110) if rng.random() < 0.4 else rng.uniform(0, 20)
    covered = (down > neckline + vee * front**6)[..., None]
    cloth = cloth_pattern(points, rng)
    # A collar or hem stands off the skin.
    flat = np.array([1.0, 0.0, 1.0])
    points += (points - middle) * flat * 0.05 * covered
    colours = np.where(covered, cloth, skin_tone * 0.95)
    faces = sheet_faces(len(_DOWN), len(ring), True)
    return points.reshape(-1, 3), faces, colours.reshape(-1, 3)


def wrap_scarf(
    model: FaceModel, vertices: NDArray, rng: np.random.Generator, tone: NDArray | None = None
) -> Mesh:
    """A scarf or high collar around the neck, up to the chin at most; ``tone`` (3,) if plain."""
    ring = vertices[neck_end(model)].astype(np.float64)
    middle = (ring.min(axis=0) + ring.max(axis=0)) / 2
    rows = np.linspace(-rng.uniform(10, 45), 70, 8)
    bulge = 1.15 + 0.35 * np.sin(np.linspace(0.3, 2.8, 8)) * rng.uniform(0.5, 1.3)
    bulge += np.linspace(0, 1, 8) ** 2 * rng.uniform(0, 1.4)
    points = middle + (ring - middle) * np.stack([bulge, bulge * 0 + 0.7, bulge], axis=1)[:, None]
    points[..., 1] -= rows[:, None]
    points[..., 2] += 0.3 * np.clip(-rows, 0, 60)[:, None]
    points += waves(points / 100, rng, 0.6, channels=3) * 4
    colours = cloth_pattern(points, rng, tone)
    return points.reshape(-1, 3), sheet_faces(8, len(ring), True), colours.reshape(-1, 3)


def cloth_pattern(
    points: NDArray, rng: np.random.Generator, tone: NDArray | None = None
) -> NDArray:
    """Plain, striped, chequered or blotchy cloth, with folds; plain where ``tone`` is given."""
    one, two = cloth_colour(rng), cloth_colour(rng)
    kind = rng.random()
    if tone is not None:
        one = two = tone
    if kind < 0.6:
        blend = np.zeros(points.shape[:-1])
    elif kind < 0.72:
        blend = (np.sin(points[..., 1] / rng.uniform(3, 12)) > 0) * 1.0
    elif kind < 0.8:
        blend = (np.abs(points[..., 0]) < rng.uniform(15, 70)) * 1.0
    else:
        blend = np.clip(waves(points / 100, rng, rng.uniform(0.3, 1.2))[..., 0] + 0.5, 0, 1)
    fold = np.exp(0.2 * waves(points / 100, rng, 0.7)[..., 0])[..., None]
    return np.clip((one + (two - one) * blend[..., None]) * fold, 0.004, 0.95)
