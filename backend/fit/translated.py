"""What the shipped network says of a face, in the terms of an imported face model.

The network's answer is a surface of the default head in front of a camera.  Which of its points
each vertex of an imported model is, is known from the import's registration; so that model's
coefficients follow by least squares, and what the network is sure of becomes a prior for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from ..geometry.camera import Camera
from ..geometry.harmonics import sh_basis
from ..geometry.least_squares import bounded_minimum
from ..geometry.similarity import Similarity
from ..model import DEFAULT_MODEL, FaceModel, load_model
from ..model.stored import load_extras
from .landmark_fit import expression_sigma
from .observation import State
from .prior import Prior, square

Double = NDArray[np.float64]

#: Vertices of the face that are compared; more say the same again.
POINTS = 2500
#: Counterparts are believed from here on.
LEAST_BELIEF = 0.5
#: How far counterparts are off, mm, and how many of the compared points err independently.
COUNTERPART_SIGMA_MM, INDEPENDENT = 1.0, 250.0
ROUNDS = 4
#: Of coefficients on which the network tells nothing; the model's own prior is pooled with it.
FAINT_PRECISION = 1e-3
#: Where ``store.py`` notes whose colours a model has, and that they are the default model's.
COLOURS, DEFAULTS = "colours", "default"


@dataclass(frozen=True, eq=False)
class Translation:
    """N points of the face in the default model and in an imported one, each in its own axes."""

    model: FaceModel
    default: FaceModel
    similarity: Similarity  #: from the default model's axes to the other's
    weight: Double  #: (N,) one over the variance, mm^-2
    default_mean: Double  #: (N, 3) mm
    default_identity: Double  #: (K, N, 3)
    default_expression: Double  #: (E, N, 3)
    mean: Double  #: (N, 3)
    identity: Double  #: (own K, N, 3)
    expression: Double  #: (own E, N, 3)

    @classmethod
    def to(cls, model: FaceModel) -> Translation | None:
        """To an imported ``model``; None where nothing is known of its points."""
        return _translation(model)

    def translate(self, start: State, told: Prior) -> tuple[State, Prior]:
        """``start`` and ``told``, which speak of the default model, for the other one."""
        place, identity = self._placed(start.identity)
        jacobian, offset = self._identity_rows(place)
        sure = square(told.identity_precision)
        missed = told.identity - offset
        precision = jacobian.T @ sure @ jacobian + FAINT_PRECISION * np.eye(len(identity))
        identity_mean = np.linalg.solve(precision, jacobian.T @ sure @ missed)
        changes = self._expression_rows(place)
        certain = square(told.expression_precision)
        firm = changes.T @ certain @ changes + FAINT_PRECISION * np.eye(changes.shape[1])
        firm_mean = np.linalg.solve(firm, changes.T @ certain @ told.expression)
        camera = _seen_from(start.camera, place)
        colours = self.model.header.get(COLOURS) == DEFAULTS
        state = State(
            camera,
            identity,
            self._expression(start.expression, place),
            start.albedo if colours else None,
            _turned_light(start.sh_light, place.rotation)
            if colours and start.sh_light is not None
            else None,
        )
        modes = len(self.model.albedo_basis)
        prior = Prior(
            identity=identity_mean,
            identity_precision=precision,
            expression=firm_mean,
            expression_precision=firm,
            albedo=told.albedo if colours else np.zeros(modes),
            albedo_precision=told.albedo_precision if colours else np.ones(modes),
            distance_mm=float(camera.translation[2]),
            distance_sigma=told.distance_sigma,
            focal_sigma=told.focal_sigma,
        )
        return state, prior

    def _placed(self, told: Double) -> tuple[Similarity, Double]:
        """Where the default head ``told`` (K,) lies in the other's axes, and that one's identity.

        Turn, size and shift are free, for models differ in what is upright and how large heads
        are; the identity is held by its prior.
        """
        target = self.default_mean + np.tensordot(told, self.default_identity, 1)
        identity = np.zeros(len(self.identity))
        place = self.similarity
        root = np.sqrt(self.weight)[:, None]
        basis = (root * self.identity).reshape(len(identity), -1).T
        prior = np.r_[np.full(7, 1e-9), np.ones(len(identity))]
        for _ in range(ROUNDS):
            points = place.apply(target)
            middle = points.mean(axis=0)
            own = self.mean + np.tensordot(identity, self.identity, 1)
            # The default head moves towards the other, which changes towards it.
            rows = np.hstack([-_motions(points - middle, root), basis])
            missed = (root * (points - own)).ravel()
            gradient = rows.T @ missed - prior * np.r_[np.zeros(7), identity]
            change = np.linalg.solve(rows.T @ rows + np.diag(prior), gradient)
            place = place.moved(change[:3], change[3:6], float(change[6]), middle)
            identity = identity + change[7:]
        return place, identity

    def _identity_rows(self, place: Similarity) -> tuple[Double, Double]:
        """(K, own K), (K,): the default's identity that lies nearest to one of the other's.

        ``rows @ own + offset``, in standard deviations; pose and size left aside.
        """
        own = place.inverse(self.mean)
        root = np.sqrt(self.weight)[:, None]
        count = len(self.default_identity)
        motions = _motions(own - own.mean(axis=0), root)
        rows = np.hstack([motions, (root * self.default_identity).reshape(count, -1).T])
        prior = np.r_[np.full(7, 1e-9), np.ones(count)]
        solve = np.linalg.solve(rows.T @ rows + np.diag(prior), rows.T)[7:]
        turned = self.identity @ place.rotation / place.scale
        jacobian = solve @ (root * turned).reshape(len(turned), -1).T
        return jacobian, solve @ (root * (own - self.default_mean)).ravel()

    def _expression_rows(self, place: Similarity) -> Double:
        """(E, own E) the default's weights that are nearest to the other's expressions."""
        root = np.sqrt(self.weight)[:, None]
        sigma = expression_sigma(self.default.expression_names, self.default.expression_range)
        rows = (root * self.default_expression).reshape(len(sigma), -1).T
        turned = self.expression @ place.rotation / place.scale
        right = rows.T @ (root * turned).reshape(len(turned), -1).T
        return np.linalg.solve(rows.T @ rows + np.diag(sigma**-2.0), right)

    def _expression(self, told: Double, place: Similarity) -> Double:
        """(own E,) the other's weights, within their range, that move its points as ``told``."""
        root = np.sqrt(self.weight)[:, None]
        moved = place.scale * np.tensordot(told, self.default_expression, 1) @ place.rotation.T
        rows = (root * self.expression).reshape(len(self.expression), -1).T
        sigma = expression_sigma(self.model.expression_names, self.model.expression_range)
        low, high = self.model.expression_range.T.astype(np.float64)
        hessian = rows.T @ rows + np.diag(sigma**-2.0)
        return bounded_minimum(hessian, rows.T @ (root * moved).ravel(), low, high)


@lru_cache(maxsize=2)
def _translation(model: FaceModel) -> Translation | None:
    try:
        extras = load_extras(model.name)
    except ModelError:
        return None  # not one of those that were imported
    needed = ("similarity", "default_triangle", "default_weights", "default_belief")
    if any(name not in extras for name in needed):
        return None
    default = load_model(DEFAULT_MODEL)
    corners, weights = extras["default_triangle"], extras["default_weights"].astype(np.float64)
    belief = np.asarray(extras["default_belief"], np.float64)
    if len(belief) != len(model.mean) or corners.min() < 0 or corners.max() >= len(default.mean):
        return None
    ids = _chosen(model, belief)
    if not len(ids):
        return None
    corners, weights = corners[ids], weights[ids]

    def at(values: NDArray) -> Double:
        """(..., N, 3) ``values`` (..., D, 3) of the default's vertices at the counterparts."""
        return np.einsum("nk,...nkd->...nd", weights, values[..., corners, :]).astype(np.float64)

    strength = belief[ids] * INDEPENDENT / max(belief[ids].sum(), 1e-9)
    matrix = np.asarray(extras["similarity"], np.float64)
    scale = float(np.cbrt(np.linalg.det(matrix[:, :3])))
    return Translation(
        model,
        default,
        Similarity(scale, matrix[:, :3] / scale, matrix[:, 3]),
        strength / COUNTERPART_SIGMA_MM**2,
        at(default.mean),
        at(default.identity_basis),
        at(default.expression_basis),
        np.asarray(model.mean[ids], np.float64),
        np.asarray(model.identity_basis[:, ids], np.float64),
        np.asarray(model.expression_basis[:, ids], np.float64),
    )


def _chosen(model: FaceModel, belief: Double) -> NDArray[np.intp]:
    """Vertices of the face's skin whose counterparts are believed, evenly many of them."""
    skin = np.zeros(len(model.mean), bool)
    kinds = [number for number, kind in enumerate(model.material_kinds) if kind == "skin"]
    skin[np.unique(model.polygons[np.isin(model.polygon_material, kinds)])] = True
    good = np.flatnonzero(skin & (belief > LEAST_BELIEF) & (model.mask("face") > 0.5))
    return good[:: max(1, len(good) // POINTS)]


def _motions(points: Double, root: Double) -> Double:
    """(3 N, 7) how turn 3, shift 3 and log size move ``points`` (N, 3), times ``root`` (N, 1)."""
    turns = [np.cross(axis, points) for axis in np.eye(3)]
    shifts = [np.tile(axis, (len(points), 1)) for axis in np.eye(3)]
    return np.stack([(root * one).ravel() for one in (*turns, *shifts, points)], axis=1)


def _seen_from(camera: Camera, place: Similarity) -> Camera:
    """``camera``, before which the default head stands, in the axes where it lies at ``place``."""
    rotation = camera.rotation @ place.rotation.T
    shift = place.scale * camera.translation - rotation @ place.translation
    return Camera(camera.camera_matrix, rotation, shift)


def _turned_light(light: NDArray, rotation: Double) -> Double:
    """(9, 3) ``light`` on a head whose normals were turned by ``rotation`` (3, 3)."""
    normals = np.random.default_rng(0).normal(size=(64, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    before = sh_basis(normals) @ np.asarray(light, np.float64)
    return np.linalg.lstsq(sh_basis(normals @ rotation.T), before, rcond=None)[0]
