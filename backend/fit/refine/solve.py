"""One photo's whole cost, linearised and solved: Gauss-Newton with reweighting."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...geometry.harmonics import sh_basis
from ...geometry.least_squares import partly_bounded_minimum
from ...geometry.pose import moved_camera
from ...model import FaceModel
from ...texture.light import light_prior
from ..observation import State
from ..prior import Prior
from .photometric import NOISE, Photometric
from .priors import LandmarkTerms, Rows, coefficient_rows
from .robust import belief, typical

Double = NDArray[np.float64]

#: Neighbouring samples repeat each other: at most this many independent ones are counted.  On 47
#: Cycles heads 500, 900 and 1,300 (all, with "balanced") leave the posed surface 0.637, 0.616 and
#: 0.612 mm off in the mean, landmarks 1.56, 1.55 and 1.47 %.
EFFECTIVE_SAMPLES = 1300.0
ALBEDO_LIMIT = 3.5
#: Of one step, in radians and logarithms.
LIMIT = 0.3
#: How often a step that does not help is shortened, and to which part.
BACKTRACKS, SHORTER = 5, 0.4


@dataclass
class Weights:
    """Belief in the samples, held fixed while two states are compared."""

    belief: NDArray[np.float32]  #: (N,) of the residuals
    total: NDArray[np.float32]  #: (N,) with the samples' own weight, scaled to whole samples
    scale: float  #: typical residual


class Problem:
    """Landmarks, priors and, if given, the photo."""

    def __init__(
        self,
        model: FaceModel,
        prior: Prior,
        terms: LandmarkTerms,
        image_size: tuple[int, int],
        photo: Photometric | None = None,
        light_normals: NDArray | None = None,
        strength: float | None = None,
    ) -> None:
        self.model, self.prior, self.terms, self.photo = model, prior, terms, photo
        self.image_size, self.light_normals = image_size, light_normals
        self.strength = EFFECTIVE_SAMPLES if strength is None else strength
        self.k, self.e = len(model.identity_basis), len(model.expression_basis)
        channels = photo.level.channels if photo else 0
        self.a = len(model.albedo_basis) if photo else 0
        self.light = 9 * channels
        self.size = 7 + self.k + self.a + self.light + self.e
        self._last: tuple[State, NDArray, dict[str, Rows]] | None = None

    def weigh(self, state: State) -> Weights | None:
        """Belief in the samples by their residuals for ``state``."""
        if self.photo is None:
            return None
        error = self._error(state)
        own = self.photo.samples.weight
        scale = typical(error, own)
        trust = belief(error, self.photo.samples, scale)
        effective = min(self.strength, float(own.sum())) / max(float(own.sum()), 1e-9)
        effective *= (NOISE / scale) ** 2  # what is explained badly tells little
        return Weights(trust, (own * trust * effective).astype(np.float32), scale)

    def _error(self, state: State) -> NDArray:
        assert self.photo is not None
        return _mean_error(self.photo.shaded(state).residual)

    def energy(self, state: State, weights: Weights | None) -> dict[str, float]:
        """The cost by term, in squared standard deviations."""
        terms = {name: float(values @ values) for name, (_, values) in self._rows(state).items()}
        if self.photo is not None and weights is not None:
            terms["photo"] = _photo_cost(weights, self._error(state))
        return terms

    def system(self, state: State, weights: Weights | None) -> tuple[Double, Double, float]:
        """Hessian, gradient (downhill) and cost, the columns as in :mod:`.priors`."""
        hessian, gradient = np.zeros((self.size, self.size)), np.zeros(self.size)
        cost = 0.0  # as energy() sums it up
        for rows, values in self._rows(state).values():
            hessian += rows.T @ rows
            gradient += rows.T @ values
            cost += float(values @ values)
        if self.photo is not None and weights is not None:
            more, slope, error = self._photo_system(state, weights)
            hessian += more
            gradient += slope
            cost += _photo_cost(weights, error)
        return hessian, gradient, cost

    def span(self, state: State) -> Double:
        """(2, E) how far each expression can fall and rise."""
        return self.model.expression_range.astype(np.float64).T - state.expression

    def step(self, state: State, weights: Weights | None) -> tuple[State, float]:
        """A state of lower cost and by how much; ``state`` itself and 0 when there is none."""
        hessian, gradient, cost = self.system(state, weights)
        change = partly_bounded_minimum(hessian, gradient, *self.span(state))
        for _ in range(BACKTRACKS):
            moved = self.moved(state, change)
            left = sum(self.energy(moved, weights).values())
            if left < cost:
                return moved, cost - left
            change = change * SHORTER
        return state, 0.0

    def _photo_system(self, state: State, weights: Weights) -> tuple[Double, Double, NDArray]:
        """Hessian, gradient, and the samples' errors."""
        assert self.photo is not None
        at = self.photo.shaded(state)
        jacobian = self.photo.jacobian(state, at)
        if self.terms.focal_known:
            jacobian[..., 6] = 0.0
        channels = at.residual.shape[1]
        scale = np.sqrt(weights.total / (channels * NOISE**2)).astype(np.float32)
        jacobian *= scale[:, None, None]
        rows = jacobian.reshape(-1, self.size)
        # A matrix times its own transpose is symmetric: numpy has BLAS do half of the work.
        hessian = rows.T @ rows
        gradient = rows.T @ (at.residual * scale[:, None]).ravel()
        system = hessian.astype(np.float64), gradient.astype(np.float64)
        return *system, _mean_error(at.residual)

    def _rows(self, state: State) -> dict[str, Rows]:
        """Whitened rows by term over all columns."""
        # The cost of a state is followed by a step from it.
        jaw, last = self.terms.jaw, self._last
        if last is None or last[0] is not state or last[1] is not jaw:
            last = self._last = state, jaw, self._rows_of(state)
        return last[2]

    def _rows_of(self, state: State) -> dict[str, Rows]:
        terms = self.terms
        found = {
            "landmarks": terms.landmarks(state),
            "network": terms.network(state),
            "lips": terms.lips(state),
            "lids": terms.lids(state),
        }
        head = np.r_[0 : 7 + self.k, self.size - self.e : self.size]
        rows = {
            name: (self._spread(given[0], head), given[1])
            for name, given in found.items()
            if given is not None
        }
        camera = self.terms.camera(state)
        prior = self.prior
        parts: list[tuple[Rows, NDArray]] = [(camera, head)]
        identity = coefficient_rows(prior.identity, prior.identity_precision, state.identity)
        parts.append((identity, np.arange(7, 7 + self.k)))
        expression = coefficient_rows(
            prior.expression, prior.expression_precision, state.expression
        )
        parts.append((expression, np.arange(self.size - self.e, self.size)))
        if self.photo is not None:
            assert state.albedo is not None and state.sh_light is not None
            first = 7 + self.k
            albedo = coefficient_rows(prior.albedo, prior.albedo_precision, state.albedo)
            parts.append((albedo, np.arange(first, first + self.a)))
            assert self.light_normals is not None
            light = light_prior(
                np.asarray(state.sh_light, np.float64),
                sh_basis(np.asarray(self.light_normals, np.float64)),
                self.photo.samples.weight,
                self.light // 9,
            )
            parts.append((light, np.arange(first + self.a, first + self.a + self.light)))
        rows["prior"] = (
            np.vstack([self._spread(part, columns) for (part, _), columns in parts]),
            np.concatenate([values for (_, values), _ in parts]),
        )
        return rows

    def _spread(self, rows: Double, columns: NDArray) -> Double:
        full = np.zeros((len(rows), self.size))
        full[:, columns] = rows
        return full

    def moved(self, state: State, change: Double) -> State:
        """``state`` moved by ``change``, the columns as in :mod:`.priors`."""
        k, a = self.k, self.a
        camera = moved_camera(state.camera, change[:7], self.image_size, LIMIT)
        limits = self.model.expression_range.astype(np.float64).T
        moved = replace(
            state,
            camera=camera,
            identity=state.identity + change[7 : 7 + k],
            expression=np.clip(state.expression + change[-self.e :], *limits),
        )
        if self.photo is None:
            return moved
        assert state.albedo is not None and state.sh_light is not None
        albedo = state.albedo + change[7 + k : 7 + k + a]
        light = change[7 + k + a : 7 + k + a + self.light].reshape(-1, 9).T
        return replace(
            moved,
            albedo=np.clip(albedo, -ALBEDO_LIMIT, ALBEDO_LIMIT),
            # one channel: white light, the same for all
            sh_light=state.sh_light + np.broadcast_to(light, (9, 3)),
        )


def _mean_error(residual: NDArray) -> NDArray:
    """(N,) root mean square over the channels of ``residual`` (N, C)."""
    return np.sqrt(np.square(residual).mean(1))


def _photo_cost(weights: Weights, error: NDArray) -> float:
    return float(weights.total @ error**2) / NOISE**2
