"""Landmarks and priors as whitened rows: ``rows @ change = values`` in the least-squares sense.

Columns: camera 7, identity K, albedo A, light 9 C (channel by channel), expression E.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..estimate import landmark_fit as lf
from ..model import FaceModel
from ..raster import sh_basis
from ..texture import light as light_fit
from .observation import Observation, Prior, State

Double = NDArray[np.float64]
Rows = tuple[Double, Double]

#: A network errs for all landmarks of a part at once: its sigmas are this much too sure.
NETWORK_SIGMA_SCALE = 2.0


class LandmarkTerms:
    """The detector's and the network's landmarks, and what is assumed of the camera."""

    def __init__(
        self, model: FaceModel, observation: Observation, prior: Prior, focal_px: float | None
    ) -> None:
        settings = lf.FitSettings(
            distance_mm=prior.distance_mm,
            distance_sigma=prior.distance_sigma,
            focal_sigma=prior.focal_sigma,
        )
        self.observation = observation
        self.focal_known = focal_px is not None
        landmarks = observation.landmarks
        self._problem = lf._Problem(
            lf._landmark_model(model),
            np.zeros((68, 2)) if landmarks is None else np.asarray(landmarks, np.float64),
            observation.image_size,
            focal_px,
            settings,
            observation.noise,
            observation.spread,
        )
        self.jaw = model.landmarks68

    def choose_jaw(self, state: State) -> None:
        """Take the jaw's vertices as ``state`` shows them, until called again."""
        view = self._view(state)
        self._problem.predict(view)
        self.jaw = view.jaw

    def _view(self, state: State) -> lf._State:
        return lf._State(state.camera, state.identity, state.expression, self.jaw)

    def landmarks(self, state: State) -> Rows | None:
        """Rows over camera 7, K, E; None without detected landmarks."""
        if self.observation.landmarks is None:
            return None
        return self._problem._landmark_rows(self._view(state))

    def network(self, state: State) -> Rows | None:
        """Rows over camera 7, K, E; None without the network's landmarks."""
        target, sigma = self.observation.network_landmarks, self.observation.network_sigma
        if target is None or sigma is None:
            return None
        points, jacobian = self._problem._projection_jacobian(self._view(state))
        scale = 1 / (NETWORK_SIGMA_SCALE * np.maximum(sigma, 1e-3))[:, None]
        values = (target - state.camera.project(points)) * scale
        return (jacobian * scale[..., None]).reshape(136, -1), values.ravel()

    def camera(self, state: State) -> Rows:
        """Rows over camera 7, K, E: distance and focal length."""
        return self._problem._camera_prior(self._view(state))


def coefficient_rows(mean: Double, precision: Double, at: Double) -> Rows:
    """Square rows of a Gaussian with ``precision`` (N,) or (N, N)."""
    diagonal = precision.ndim == 1
    root = np.diag(np.sqrt(precision)) if diagonal else np.linalg.cholesky(precision).T
    return root, root @ (mean - at)


def light_rows(sh_light: Double, normals: NDArray, weight: NDArray, channels: int) -> Rows:
    """Rows over the light's 9 C columns: :mod:`..texture.light`'s prior.

    ``normals`` (N, 3) and ``weight`` (N,) say where the mean shading is taken, which is that of a
    well-exposed photo.
    """
    light = sh_light[:, :channels].T  # (C, 9)
    start = np.zeros(9)
    start[:3] = 2.6, 0.25, 0.5
    mean = np.kron(np.full((1, channels), 1 / channels), np.eye(9))
    apart = np.eye(9 * channels) - np.tile(mean, (channels, 1))
    common_scale = np.sqrt(channels) / light_fit._COMMON_SIGMA
    apart_scale = np.tile(1 / light_fit._CHANNEL_SIGMA, channels)
    basis = sh_basis(np.asarray(normals, np.float64))
    shade = np.maximum(basis @ light.T, 0.05)  # (N, C)
    share = weight / max(float(weight.sum()), 1e-9)
    level = share @ np.log(shade)
    exposure = np.zeros((channels, 9 * channels))
    for c in range(channels):
        exposure[c, 9 * c : 9 * c + 9] = share @ (basis / shade[:, c, None])
    cast = exposure - exposure.mean(0)
    rows = np.vstack(
        [
            common_scale[:, None] * mean,
            apart_scale[:, None] * apart,
            exposure.mean(0)[None] / light_fit.EXPOSURE_SIGMA,
            cast / light_fit.CAST_SIGMA,
        ]
    )
    flat = light.ravel()
    values = np.concatenate(
        [
            common_scale * (start - mean @ flat),
            -apart_scale * (apart @ flat),
            [-level.mean() / light_fit.EXPOSURE_SIGMA],
            -(level - level.mean()) / light_fit.CAST_SIGMA,
        ]
    )
    return rows, values
