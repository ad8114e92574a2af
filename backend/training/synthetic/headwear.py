"""Caps, beanies, brimmed hats, headbands, hoods and headscarves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...model import FaceModel
from .body import cloth_pattern
from .pieces import Mesh, join, sheet_faces, waves
from .skull import Skull

_COLUMNS = 48
_PHI = np.linspace(-np.pi, np.pi, _COLUMNS, endpoint=False)


def wear_hat(skull: Skull, rng: np.random.Generator) -> Mesh:
    """One piece of headwear at random; hair under it should be flat."""
    kind = rng.choice(["cap", "beanie", "brimmed", "band"], p=[0.38, 0.27, 0.2, 0.15])
    front = np.radians(rng.uniform(56, 72))
    if kind == "band":
        rows = front - np.radians(rng.uniform(2, 14)) * np.linspace(1, 0, 4)
        return _shell(skull, rows[:, None] + _slant(0.22), rng.uniform(8, 11), rng)
    back = rng.uniform(0.25, 0.5) if kind == "beanie" else rng.uniform(0.05, 0.35)
    edge = front + _slant(back)
    theta = np.linspace(0, 1, 12)[:, None] ** 0.85 * edge
    stand = rng.uniform(9, 15) + (1 - theta / theta.max()) ** 1.5 * rng.uniform(0, 45)
    if kind == "beanie":
        stand = stand + 4 * (theta > edge - np.radians(rng.uniform(10, 25))) * (rng.random() < 0.7)
    dome = _shell(skull, theta, stand, rng)
    if kind == "beanie":
        return dome
    points, faces, colours = dome
    rim = points.reshape(12, _COLUMNS, 3)[-1]
    return join([dome, _brim(skull, rim, kind == "brimmed", colours[-_COLUMNS:], rng)])


def wrap_headscarf(
    model: FaceModel,
    skull: Skull,
    vertices: NDArray,
    tone: NDArray,
    tight: bool,
    rng: np.random.Generator,
) -> Mesh:
    """Cloth over hair, ears and chin, open for the face: a hijab, or a hood when not ``tight``."""
    # Polar coordinates around the line of sight, the opening an ellipse below the hairline.
    around = np.linspace(0, 2 * np.pi, _COLUMNS, endpoint=False)
    across, above, below = np.radians([rng.uniform(44, 62), rng.uniform(24, 42), 52])
    below = below + np.radians(rng.uniform(-4, 10) + 8 * (not tight))
    high = np.where(np.cos(around) > 0, above, below)
    rim = 1 / np.hypot(np.sin(around) / across, np.cos(around) / high)
    share = np.linspace(0, 1, 14)[:, None]
    away = rim + (np.pi - rim) * share
    tilt = np.radians(8)
    x = np.sin(away) * np.sin(around)
    y = np.sin(away) * np.cos(around)
    z = np.cos(away)
    y, z = y * np.cos(tilt) - z * np.sin(tilt), y * np.sin(tilt) + z * np.cos(tilt)
    phi, theta = np.arctan2(x, z), np.minimum(np.arctan2(np.hypot(x, z), y), np.radians(148))
    unit = np.stack([x, y, z], axis=-1)
    folds = waves(unit * np.array([1, 0.5, 1]), rng, 0.5)[..., 0]
    loose = rng.uniform(6, 12) if tight else rng.uniform(12, 25)
    r = skull.radius_at(phi, theta) + loose * (1 + 0.35 * folds) * np.clip(0.4 + 4 * share, 0, 1)
    r = r + _over_the_ears(skull, vertices[model.mask("ears") > 0.5], phi, theta)
    # Cloth does not follow the throat: it falls from the cheeks.
    r = np.where(
        theta > 1.9, np.maximum(r, np.minimum(66 / np.maximum(np.sin(theta), 0.3), 150)), r
    )
    points = skull.from_polar(phi, theta, r)
    colours = cloth_pattern(points, rng, tone)
    return points.reshape(-1, 3), sheet_faces(14, _COLUMNS, True), colours.reshape(-1, 3)


def _over_the_ears(skull: Skull, ears: NDArray, phi: NDArray, theta: NDArray) -> NDArray:
    """How far cloth at ``phi`` and ``theta`` is lifted to hide the vertices ``ears`` (N, 3)."""
    ear_phi, ear_theta, r = skull.to_polar(ears)
    stands = r - skull.radius_at(ear_phi, ear_theta)
    out = stands > 0.6 * stands.max()
    turned, height = np.abs(ear_phi[out]).mean(), ear_theta[out].mean()
    away = ((np.abs(phi) - turned) / 0.5) ** 2 + ((theta - height) / 0.5) ** 2
    return stands.max() * np.exp(-(away**2))


def _slant(back: float) -> NDArray:
    """(columns,) how much lower the rim sits beside and behind than in front, radians."""
    return back * (1 - np.cos(_PHI)) + 0.12 * np.sin(_PHI) ** 2


def _shell(skull: Skull, theta: NDArray, stand: NDArray | float, rng: np.random.Generator) -> Mesh:
    """Cloth ``stand`` mm above the scalp on the rows ``theta`` (R, columns)."""
    phi = np.broadcast_to(_PHI, theta.shape)
    points = skull.above(phi, theta, stand)
    points = points + waves(points / 100, rng, 0.8, channels=3) * rng.uniform(0.3, 2.5)
    colours = cloth_pattern(points, rng)
    return points.reshape(-1, 3), sheet_faces(len(theta), _COLUMNS, True), colours.reshape(-1, 3)


def _brim(
    skull: Skull, rim: NDArray, full: bool, colours: NDArray, rng: np.random.Generator
) -> Mesh:
    """A cap's peak, in front or turned around, or a full brim; tones of the rim it hangs on."""
    outward = (rim - skull.middle) * np.array([1.0, 0.0, 1.0])
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    if full:
        reach = np.full(_COLUMNS, rng.uniform(35, 95))
    else:
        turned = rng.random() < 0.15
        angle = np.abs(_PHI) if not turned else np.pi - np.abs(_PHI)
        reach = rng.uniform(55, 80) * np.sqrt(np.clip(1 - (angle / np.radians(68)) ** 2, 0, 1))
        outward = outward * 0.35 + np.array([0, 0, -0.65 if turned else 0.65])
    drop = rng.uniform(-0.05, 0.4)
    share = np.linspace(0, 1, 5)[:, None]
    points = rim + outward * (reach * share)[..., None]
    points[..., 1] -= reach * drop * share**1.3
    tone = np.broadcast_to(colours * rng.uniform(0.6, 1.1), points.shape)
    return points.reshape(-1, 3), sheet_faces(5, _COLUMNS, True), tone.reshape(-1, 3)
