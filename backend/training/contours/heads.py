"""Landmarks of random heads before random cameras, many at once, exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...fit.landmark_fit import landmark_model
from ...geometry.rotation import FACING
from ...model import FaceModel
from ...model.contour import FRONTAL_YAW_DEGREES
from ..synthetic.view import DISTANCE_MM, FILM_MM, FOCAL_MM, FRAME_MM
from .expressions import sample_expressions

Double = NDArray[np.float64]
Float = NDArray[np.float32]
Rng = np.random.Generator

#: Degrees, the largest of each turn; beyond, one eye and half a mouth are guessed.
YAW, PITCH, ROLL = 50.0, 35.0, 25.0
#: Standard deviation of a component of identity: people differ more than the model's heads do.
IDENTITY_SIGMA = 1.1


@dataclass(frozen=True, eq=False)
class Heads:
    """N heads.  Pixels are about a millimetre at the head's distance, (0, 0) its origin."""

    expression: Double  #: (N, E)
    neutral: Float  #: (N, 68, 2) pixels without expression
    posed: Float  #: (N, 68, 2) with it; the far jaw as it is seen
    yaw: Double  #: (N,) degrees
    roll: Double  #: (N,) degrees


class Sampler:
    """Draws :class:`Heads` of ``model``."""

    def __init__(self, model: FaceModel) -> None:
        self.model, self.names = model, tuple(model.expression_names)
        mean, basis = landmark_model(model).at(model.landmarks68)
        #: (68, 3) mm: the mean head's landmarks.
        self.template = mean
        strips = model.contour_candidates
        ids = np.unique(strips[strips >= 0])
        place = {vertex: i for i, vertex in enumerate(ids.tolist())}
        self._strips = [np.array([68 + place[v] for v in row if v >= 0]) for row in strips.tolist()]
        bases = np.concatenate([model.identity_basis[:, ids], model.expression_basis[:, ids]])
        whole = np.concatenate([basis, bases], axis=1)  # (K + E, 68 + S, 3)
        self._mean = np.concatenate([mean, model.mean[ids]]).astype(np.float32)
        self._basis = whole.reshape(len(whole), -1).astype(np.float32)

    def draw(self, count: int, rng: Rng) -> Heads:
        """``count`` random heads, expressions and views."""
        expression = sample_expressions(self.names, count, rng)
        k = len(self.model.identity_basis)
        identity = IDENTITY_SIGMA * rng.normal(size=(count, k))
        return self.seen(identity, expression, *_cameras(count, rng))

    def seen(
        self, identity: NDArray, expression: NDArray, angles: NDArray, distance: NDArray
    ) -> Heads:
        """Heads (N, K), (N, E) turned by ``angles`` (N, 3) degrees, ``distance`` (N,) mm away.

        Angles are yaw, pitch and roll as :attr:`~...geometry.camera.Camera.euler_degrees`.
        """
        k = len(self.model.identity_basis)
        turn = Rotation.from_euler("YXZ", angles * (1, -1, -1), degrees=True).as_matrix()
        rotation = (FACING @ turn).astype(np.float32)
        shape = self._points(identity, self._basis[:k]) + self._mean
        moved = shape + self._points(expression, self._basis[k:])
        yaw, _, roll = angles.T
        pair = [self._project(points, rotation, distance, yaw) for points in (shape, moved)]
        return Heads(np.asarray(expression, np.float64), pair[0], pair[1], yaw, roll)

    def _points(self, weights: NDArray, basis: Float) -> Float:
        return (np.asarray(weights, np.float32) @ basis).reshape(len(weights), -1, 3)

    def _project(self, points: Float, rotation: Float, distance: NDArray, yaw: NDArray) -> Float:
        """(N, 68, 2); the jaw's far side as :func:`~...model.contour.visible_jaw` has it."""
        seen = points @ rotation.transpose(0, 2, 1)
        away = np.asarray(distance, np.float32)[:, None, None]
        pixels = seen[..., :2] * (away / (seen[..., 2:] + away))
        outward = rotation[:, :2, 0] * np.where(yaw > 0, 1, -1)[:, None].astype(np.float32)
        found = pixels[:, :68].copy()
        turned = np.abs(yaw) >= FRONTAL_YAW_DEGREES
        for i, strip in enumerate(self._strips):
            far = np.flatnonzero(turned & ((yaw > 0) if i > 8 else (yaw < 0) & (i < 8)))
            if not len(far) or not len(strip):
                continue
            reach = np.einsum("nsx,nx->ns", pixels[far][:, strip], outward[far])
            found[far, i] = pixels[far, strip[reach.argmax(axis=1)]]
        return found


def _cameras(count: int, rng: Rng) -> tuple[Double, Double]:
    """Angles (N, 3) in degrees and distances (N,) in mm, as those of training pictures."""
    wide = rng.random(count) < 0.5
    near = np.clip(rng.normal(0, 18, count), -YAW, YAW)
    yaw = np.where(wide, rng.uniform(-YAW, YAW, count), near)
    pitch = np.clip(rng.normal(0, np.where(wide, 14, 10)), -PITCH, PITCH)
    roll = np.clip(rng.normal(0, 8, count), -ROLL, ROLL)
    focal = _log_uniform(FOCAL_MM, count, rng)
    frame = _log_uniform(FRAME_MM, count, rng)
    distance = np.clip(2 * frame * focal / FILM_MM, *DISTANCE_MM)
    return np.stack([yaw, pitch, roll], axis=1), distance


def _log_uniform(span: tuple[float, float], count: int, rng: Rng) -> Double:
    low, high = span
    return np.exp(rng.uniform(float(np.log(low)), float(np.log(high)), count))
