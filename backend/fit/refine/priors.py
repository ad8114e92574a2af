"""Landmarks and priors as whitened rows: ``rows @ change = values`` in the least-squares sense.

Columns: camera 7, identity K, albedo A, light 9 C (channel by channel), expression E.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...model import FaceModel
from ...model.contour import landmark_points
from .. import landmark_fit as lf
from ..lids import lid_rows
from ..mouth import FACING_LIPS
from ..observation import Observation, State
from ..prior import Prior
from ..reading import NETWORK_SIGMA_SCALE

#: mm, of lips that touch: what is left is not seen.
LIPS_SIGMA_MM = 0.25
#: mm nearer than at rest that the landmarks of lips that touch are taken to be: expressions part
#: lips unevenly, and each head's own shapes (:mod:`...model.lips`) take back what lies within the
#: other lip. On five photos of shut mouths 0 leaves slits of 0.1 to 0.3 mm, 0.4 none. Of 15
#: labelled frames two shut mouths end with landmarks 2.0 mm apart with 0.4 and 1.4 with 1.0, and
#: two in their films with 1.9 and 2.3 with 0.7 and 1.8 and 2.0 with 1.0; no lips look pressed.
LIPS_PRESSED_MM = 1.0

Double = NDArray[np.float64]
Rows = tuple[Double, Double]


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
        self._problem = lf.LandmarkProblem(
            lf.landmark_model(model),
            np.zeros((68, 2)) if landmarks is None else np.asarray(landmarks, np.float64),
            observation.image_size,
            focal_px,
            settings,
            observation.noise,
            observation.spread,
        )
        self.jaw = model.landmarks68
        # The mean head's lips touch; their landmarks, on the edges that one sees, are apart.
        upper, lower = landmark_points(model, model.mean, model.landmarks68)[
            np.transpose(FACING_LIPS)
        ]
        self._lips_shut = np.maximum(upper[:, 1] - lower[:, 1] - LIPS_PRESSED_MM, 0.0)

    def choose_jaw(self, state: State) -> None:
        """Take the jaw's vertices as ``state`` shows them, until called again."""
        view = self._view(state)
        self._problem.predict(view)
        self.jaw = view.jaw

    def _view(self, state: State) -> lf.FitState:
        return lf.FitState(state.camera, state.identity, state.expression, self.jaw)

    def landmarks(self, state: State) -> Rows | None:
        """Rows over camera 7, K, E; None without detected landmarks."""
        if self.observation.landmarks is None:
            return None
        return self._problem.landmark_rows(self._view(state))

    def network(self, state: State) -> Rows | None:
        """Rows over camera 7, K, E; None without the network's landmarks."""
        target, sigma = self.observation.network_landmarks, self.observation.network_sigma
        if target is None or sigma is None:
            return None
        points, jacobian = self._problem.projection_jacobian(self._view(state))
        scale = 1 / (NETWORK_SIGMA_SCALE * np.maximum(sigma, 1e-3))[:, None]
        values = (target - state.camera.project(points)) * scale
        return (jacobian * scale[..., None]).reshape(136, -1), values.ravel()

    def lips(self, state: State) -> Rows | None:
        """Rows over camera 7, K, E that close the mouth; None where it is not seen to be shut."""
        if not self.observation.lips_touch:
            return None
        points, basis = self._problem.landmark_points(self._view(state))
        upper, lower = np.transpose(FACING_LIPS)
        rows = np.zeros((len(upper), 7 + len(basis)))
        rows[:, 7:] = (basis[:, upper, 1] - basis[:, lower, 1]).T / LIPS_SIGMA_MM
        apart = points[upper, 1] - points[lower, 1]
        return rows, (self._lips_shut - apart) / LIPS_SIGMA_MM

    def lids(self, state: State) -> Rows | None:
        """Rows over camera 7, K, E that open the eyes as far as they are; None where unseen."""
        if self.observation.lids is None:
            return None
        points, jacobian = self._problem.projection_jacobian(self._view(state))
        return lid_rows(self.observation.lids, state.camera, points, jacobian)

    def camera(self, state: State) -> Rows:
        """Rows over camera 7, K, E: distance and focal length."""
        return self._problem.camera_prior(self._view(state))


def coefficient_rows(mean: Double, precision: Double, at: Double) -> Rows:
    """Square rows of a Gaussian with ``precision`` (N,) or (N, N)."""
    diagonal = precision.ndim == 1
    root = np.diag(np.sqrt(precision)) if diagonal else np.linalg.cholesky(precision).T
    return root, root @ (mean - at)
