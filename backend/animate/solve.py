"""Pose and expression of one frame, identity and camera known: a small bounded Gauss-Newton.

Landmarks with their measured noise (:mod:`..fit.noise`) say where things are; what the
picture itself says of the weights (:mod:`.appearance`) enters as a Gaussian.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..fit.landmark_fit import GAPS, FitSettings, landmark_model
from ..fit.lids import FRAME_LIDS_SIGMA_MM, lid_rows
from ..fit.mouth import FACING_LIPS
from ..fit.noise import VARIANCE_SCALE, dlib_noise
from ..fit.prior import Prior
from ..fit.refine.priors import LIPS_PRESSED_MM, LIPS_SIGMA_MM
from ..geometry.camera import Camera, projection_jacobian
from ..geometry.least_squares import partly_bounded_minimum
from ..geometry.pose import initial_camera, rotate
from ..geometry.rotation import roll_matrix
from ..model import FaceModel
from ..model.contour import FRONTAL_YAW_DEGREES

Double = NDArray[np.float64]

ROUNDS_COLD, ROUNDS_WARM = 12, 4
#: Stop when no landmark moves further, pixels of a face 100 mm wide by 300 pixels.
_STILL = 0.02
#: How much landmarks count on the weights beside what the picture itself says of them.
LANDMARK_TRUST = 0.2
_LIDS = np.array([37, 38, 40, 41, 43, 44, 46, 47])
_LID_SIGMA_MM = 6.0
#: How many times as sure a belief is that landmarks are measured by.
_SURE = 1e4
#: Of one step, radians and parts of the distance.
_LIMIT = 0.4


@dataclass(frozen=True, eq=False)
class Pose:
    """One frame's head."""

    rotation: Double  #: (3, 3) head to camera
    translation: Double  #: (3,) mm
    weights: Double  #: (E,) within the model's range


@dataclass(frozen=True, eq=False)
class WeightPrior:
    """A Gaussian on the weights."""

    mean: Double  #: (E,)
    precision: Double  #: (E, E)


class FrameSolver:
    """For one person and camera."""

    def __init__(
        self,
        model: FaceModel,
        identity: NDArray,
        camera_matrix: Double,
        marked: Double | None = None,
    ) -> None:
        """``marked`` (68, 2) as :meth:`misses` has it, of this person; none unless given."""
        self.model, self.camera_matrix = model, np.asarray(camera_matrix, np.float64)
        self.low, self.high = model.expression_range.astype(np.float64).T
        prior = Prior.of_model(model)
        self.prior = WeightPrior(prior.expression, prior.expression_precision)
        self._noise = dlib_noise()
        self._marked = np.zeros((68, 2)) if marked is None else marked
        self._whitening = self._noise.whitening()
        # Where the picture is looked at, dlib's lids only get in the way: they hardly close.
        loose = self._noise.covariance.copy()
        rows = np.concatenate([2 * _LIDS, 2 * _LIDS + 1])
        loose[rows, rows] += _LID_SIGMA_MM**2
        self._without_lids = np.linalg.inv(np.linalg.cholesky(loose))
        k = len(identity)
        mean, basis = landmark_model(model).at(model.landmarks68)
        upper, lower = mean[np.transpose(FACING_LIPS)]
        self._lips_shut = np.maximum(upper[:, 1] - lower[:, 1] - LIPS_PRESSED_MM, 0.0)
        self._mean = mean + np.tensordot(np.asarray(identity, np.float64), basis[:k], 1)
        self._basis = np.ascontiguousarray(basis[k:])
        strips = model.contour_candidates
        self._strip_ids = np.unique(strips[strips >= 0])
        at = {vertex: i for i, vertex in enumerate(self._strip_ids.tolist())}
        self._strips = [[at[v] for v in row if v >= 0] for row in strips.tolist()]
        ids = self._strip_ids
        shape = np.asarray(identity, np.float64)
        self._strip_mean = model.mean[ids] + np.tensordot(shape, model.identity_basis[:, ids], 1)
        self._strip_basis = model.expression_basis[:, ids].astype(np.float64)

    def solve(
        self,
        landmarks: Double,
        spread: float | None = None,
        start: Pose | None = None,
        belief: WeightPrior | None = None,
        shut: float = 0.0,
        lids: Double | None = None,
    ) -> Pose:
        """The pose for ``landmarks`` (68, 2) pixels, from ``start`` (of the frame before).

        ``belief`` on the weights; the model's own prior unless given.  ``shut`` (0 to 1): how
        surely the lips touch.  ``lids`` (2, 2, 2) as :func:`~..fit.lids.lid_rows` has them.
        """
        trust = 1.0 if belief is None else LANDMARK_TRUST
        belief = belief or self.prior
        if shut > 0.0:
            belief = self._with_lips(belief, shut)
        cold = start is None
        pose = self.first(landmarks) if start is None else start
        scale = 1.0
        if spread is not None and self._noise.spread > 0:
            scale = float(np.clip((spread / self._noise.spread) ** 2, *VARIANCE_SCALE))
        own = self._whitening if trust == 1.0 else self._without_lids
        whitening = own * np.sqrt(trust / scale)
        gap = np.full(len(GAPS), np.sqrt(trust) / FitSettings.gap_mm)
        if trust < 1.0:
            gap[np.isin(GAPS[:, 0], _LIDS)] = 0.0
        for _ in range(ROUNDS_COLD if cold else ROUNDS_WARM):
            pose, moved = self._step(pose, landmarks, whitening, belief, gap, lids)
            if moved < _STILL:
                break
        return pose

    def misses(self, landmarks: Double, spread: float | None, belief: WeightPrior) -> Double:
        """(68, 2) mm by which ``landmarks`` lie elsewhere than those of a head that does what
        ``belief`` says; x right, y down in a picture that rolls with the head."""
        sure = WeightPrior(belief.mean, _SURE * belief.precision)
        pose = self.solve(landmarks, spread, None, sure)
        points, _ = self._points(pose)
        camera = self.camera(pose)
        upright, bias = self._upright(camera, points)
        return (landmarks - camera.project(points)) @ upright.T - bias - self._marked

    def _with_lips(self, belief: WeightPrior, shut: float) -> WeightPrior:
        """``belief`` and that the inner lips are as near as on the mean head, whose lips touch.

        The same rows close them in photos (:meth:`..fit.refine.priors.LandmarkTerms.lips`).
        """
        upper, lower = np.transpose(FACING_LIPS)
        rows = (self._basis[:, upper, 1] - self._basis[:, lower, 1]).T / LIPS_SIGMA_MM
        apart = self._mean[upper, 1] - self._mean[lower, 1]
        values = (self._lips_shut - apart) / LIPS_SIGMA_MM
        precision = belief.precision + shut * rows.T @ rows
        pull = belief.precision @ belief.mean + shut * rows.T @ values
        return WeightPrior(np.linalg.solve(precision, pull), precision)

    def first(self, landmarks: Double) -> Pose:
        """Neutral, placed by the landmarks of eyes and nose."""
        size = tuple(int(2 * x + 1) for x in self.camera_matrix[:2, 2])
        camera = initial_camera(
            self._mean[17:60], landmarks[17:60], 900.0, self.camera_matrix[0, 0], (size[0], size[1])
        )
        return Pose(
            camera.rotation, camera.translation, np.clip(self.prior.mean, self.low, self.high)
        )

    def camera(self, pose: Pose) -> Camera:
        """The camera that sees the head in this pose."""
        return Camera(self.camera_matrix, pose.rotation, pose.translation)

    def _points(self, pose: Pose) -> tuple[Double, Double]:
        """(68, 3) mm and (E, 68, 3) what moves them; the far jaw as it is seen."""
        points = self._mean + np.tensordot(pose.weights, self._basis, 1)
        camera = self.camera(pose)
        yaw = camera.euler_degrees[0]
        if abs(yaw) < FRONTAL_YAW_DEGREES:
            return points, self._basis
        strip = self._strip_mean + np.tensordot(pose.weights, self._strip_basis, 1)
        reach = camera.project(strip) @ (pose.rotation[:2, 0] * (1.0 if yaw > 0 else -1.0))
        basis = self._basis.copy()
        for i in range(9, 17) if yaw > 0 else range(8):
            row = self._strips[i]
            if row:
                best = row[int(np.argmax(reach[row]))]
                points[i], basis[:, i] = strip[best], self._strip_basis[:, best]
        return points, basis

    def _upright(self, camera: Camera, points: Double) -> tuple[Double, Double]:
        """(2, 2) pixels to mm in the rolling frame, and the detector's bias there (68, 2)."""
        yaw, _, roll = camera.euler_degrees
        scale = camera.focal / float(camera.to_camera(points)[:, 2].mean())
        bias = self._noise.bias[0] + np.sin(np.radians(yaw)) * self._noise.bias[1]
        return roll_matrix(roll).T / scale, bias

    def _step(
        self,
        pose: Pose,
        landmarks: Double,
        whitening: Double,
        belief: WeightPrior,
        gap_weight: Double,
        lids: Double | None,
    ) -> tuple[Pose, float]:
        """A Gauss-Newton step and how far it moves the landmarks, mm."""
        points, basis = self._points(pose)
        camera = self.camera(pose)
        upright, bias = self._upright(camera, points)
        seen = camera.project(points)
        missed = (landmarks - seen) @ upright.T - self._marked
        # (68, 2, 6 + E) mm: turn, shift x and y, log distance, weights; the lens is known.
        moves = np.delete(projection_jacobian(camera, points, basis), 6, axis=2)
        jacobian = upright @ moves
        rows = whitening @ jacobian.reshape(136, -1)
        values = whitening @ (missed - bias).ravel()
        upper, lower = GAPS.T
        each = np.repeat(gap_weight, 2)
        gap = (jacobian[upper] - jacobian[lower]).reshape(2 * len(GAPS), -1) * each[:, None]
        gap_values = (missed[upper] - missed[lower]).ravel() * each
        hessian = rows.T @ rows + gap.T @ gap
        gradient = rows.T @ values + gap.T @ gap_values
        if lids is not None:
            rows, values = lid_rows(lids, camera, points, moves, FRAME_LIDS_SIGMA_MM)
            hessian += rows.T @ rows
            gradient += rows.T @ values
        hessian[6:, 6:] += belief.precision
        gradient[6:] += belief.precision @ (belief.mean - pose.weights)
        hessian[np.arange(6), np.arange(6)] += 1e-9
        low, high = self.low - pose.weights, self.high - pose.weights
        change = partly_bounded_minimum(hessian, gradient, low, high)
        moved = jacobian.reshape(136, -1) @ change
        turn, shift, further = np.clip(change[:3], -_LIMIT, _LIMIT), change[3:5], change[5]
        further = np.exp(np.clip(further, -_LIMIT, _LIMIT))
        translation = pose.translation * further + np.append(shift, 0.0)
        weights = np.clip(pose.weights + change[6:], self.low, self.high)
        return Pose(rotate(pose.rotation, turn), translation, weights), float(np.abs(moved).max())
