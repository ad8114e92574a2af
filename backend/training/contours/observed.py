"""What landmarkers make of exact landmarks: errors, habits, and how far they follow a movement.

dlib's covariance is the one measured on renderings (``assets/landmark_noise.npz``).  What
renderings do not show was measured on 26 photographs of different people and on three films, as
means and ranges only, by :func:`~...fit.contour_features.mesh_measures` and its like: real brows
are marked 2.7 mm lower over the corners of the eyes than renderings' are, and lids that shut are
followed only in part (opening over width 0.36 open, 0.13 shut, where the model has 0.39 and 0).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...fit.contour_features import (
    MARK_FEATURES,
    joined,
    mark_features,
    mesh_features,
    mesh_measures,
)
from ...fit.noise import LandmarkNoise, dlib_noise
from ...geometry.rotation import roll_matrix
from .heads import Heads

Double = NDArray[np.float64]
Float = NDArray[np.float32]
Rng = np.random.Generator

#: mm that dlib marks real brows lower than rendered ones: mean, deviation, and that of a side.
BROW_DROP_MM, BROW_DROP_SIGMA, BROW_SIDE_SIGMA = 2.7, 1.2, 0.7
#: Share of a movement that dlib follows: brows, lids.
BROW_FOLLOWED, LIDS_FOLLOWED = (0.6, 1.15), (0.45, 0.75)
#: dlib parts lips that touch by so many mm: mean and standard deviation.
LIPS_PARTED_MM = (0.5, 0.5)
#: Of the measured standard deviation: photos' votes agree better than those of the renderings.
NOISE_SHARE = (0.35, 1.0)
#: Share of the samples that have no marks, and of the others that have no mesh.
WITHOUT_MARKS, WITHOUT_MESH = 0.12, 0.3

_BROWS, _UPPER, _LOWER = np.arange(17, 27), np.array([61, 62, 63]), np.array([67, 66, 65])
_LIDS = np.array([37, 38, 40, 41, 43, 44, 46, 47])


def observed_features(heads: Heads, template: NDArray, rng: Rng) -> Float:
    """(N, 153) features of ``heads`` as landmarkers give them, some without one of the two."""
    count = len(heads.yaw)
    found = joined(
        mark_features(observed_marks(heads, rng), template),
        mesh_features(*observed_mesh(heads, template, rng)),
    )
    blind = rng.random(count) < WITHOUT_MARKS
    unmeshed = ~blind & (rng.random(count) < WITHOUT_MESH)
    found[blind, : MARK_FEATURES + 1] = 0.0
    found[unmeshed, MARK_FEATURES + 1 :] = 0.0
    return found


def observed_marks(heads: Heads, rng: Rng, noise: LandmarkNoise | None = None) -> Double:
    """(N, 68, 2) dlib's."""
    noise = noise or dlib_noise()
    count = len(heads.yaw)
    followed = np.ones((count, 68, 1))
    followed[:, _BROWS] = rng.uniform(*BROW_FOLLOWED, (count, 1, 1))
    followed[:, _LIDS] = rng.uniform(*LIDS_FOLLOWED, (count, 1, 1))
    marks = heads.neutral + followed * (heads.posed - heads.neutral)
    # Turned heads are marked worse, and their bias was measured up to 40 degrees.
    scale = rng.uniform(*NOISE_SHARE, count) * (1 + np.maximum(0, np.abs(heads.yaw) - 35) / 30)
    error = rng.normal(size=(count, 136)) @ np.linalg.cholesky(noise.covariance).T
    error = error.reshape(count, 68, 2) * scale[:, None, None]
    sine = np.sin(np.radians(np.clip(heads.yaw, -40, 40)))
    error += noise.bias[0] + sine[:, None, None] * noise.bias[1]
    drop = rng.normal(BROW_DROP_MM, BROW_DROP_SIGMA, count)
    for side in (slice(17, 22), slice(22, 27)):
        error[:, side, 1] += (drop + rng.normal(0, BROW_SIDE_SIGMA, count))[:, None]
    parted = rng.normal(*LIPS_PARTED_MM, count)[:, None] / 2
    error[:, _UPPER, 1] -= parted
    error[:, _LOWER, 1] += parted
    turn = np.stack([roll_matrix(angle) for angle in heads.roll])
    return marks + np.einsum("nxy,npy->npx", turn, error)


def observed_mesh(heads: Heads, template: NDArray, rng: Rng) -> tuple[Double, Double]:
    """The mesh's measures (N, 9) and sines (N, 2), see :func:`~...mesh_measures`.

    It is trained on people: the middle of their brows lies 4.9 mm (inner) and 6.3 mm (outer) under
    the model's points, half or more of a movement is followed, and lids from 0.20 to 0.33.
    """
    count = len(heads.yaw)
    before, _ = mesh_measures(heads.neutral, template)
    after, sines = mesh_measures(heads.posed, template)
    change, found = after - before, np.empty_like(after)

    def normal(sigma: float) -> Double:
        return rng.normal(0, sigma, count)

    followed, common = rng.uniform(0.5, 1.0, count), normal(1.0)
    for i, drop in enumerate((4.9, 4.9, 6.3, 6.3)):
        found[:, i] = 0.85 * before[:, i] + followed * change[:, i] - drop + common + normal(0.8)
    slope, common = rng.uniform(0.22, 0.42, count), normal(0.2)
    for i in (4, 5):
        opening = slope * np.minimum(after[:, i], 5.5) - 1.5 * (slope - 0.28)
        found[:, i] = 1.95 + opening + common + normal(0.2)
    gap = 0.9 * np.maximum(after[:, 6] - 1, 0) * rng.uniform(0.8, 1.1, count)
    found[:, 6] = np.maximum(0, 0.7 + gap + normal(0.8))
    found[:, 7] = 0.3 + 0.8 * before[:, 7] + rng.uniform(0.7, 1.05, count) * change[:, 7]
    found[:, 7] += normal(1.1)
    found[:, 8] = 9 + 0.8 * after[:, 8] + normal(2.0)
    return found, sines
