"""Gaussian priors of a head's coefficients, and how they are put together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..model import FaceModel
from .landmark_fit import (
    TEETH_JAW_SIGMA,
    TEETH_SHARES,
    FitSettings,
    expression_sigma,
    mirror_pairs,
)

Double = NDArray[np.float64]

#: Of an identity that is given, standard deviations.
KNOWN_IDENTITY_SIGMA = 1e-3
#: Of an expression that cannot be seen, about the mean of its prior.
UNSEEN_SIGMA = 0.01
#: What teeth that fill the mouth tell of an expression: its mean and standard deviation.
BARED_TEETH = {
    "jawOpen": (0.0, TEETH_JAW_SIGMA),
    "mouthUpperUp": (0.4, 0.2),
    "mouthLowerDown": (0.35, 0.2),
}


@dataclass(frozen=True, eq=False)
class Prior:
    """Gaussians on the coefficients; a precision is a diagonal (N,) or a matrix (N, N)."""

    identity: Double  #: (K,) mean, standard deviations of the model
    identity_precision: Double
    expression: Double  #: (E,) mean weights
    expression_precision: Double
    albedo: Double  #: (A,) mean
    albedo_precision: Double
    distance_mm: float = FitSettings.distance_mm  #: mean of the head's distance
    distance_sigma: float = FitSettings.distance_sigma  #: of its logarithm
    focal_sigma: float = FitSettings.focal_sigma  #: of its logarithm, where the photo is silent

    @classmethod
    def of_model(cls, model: FaceModel, gaze: NDArray | None = None) -> Prior:
        """The face model's own, as :func:`~.landmark_fit.fit_landmarks` has it.

        ``gaze`` (E,) are weights to expect.
        """
        k, a = len(model.identity_basis), len(model.albedo_basis)
        names = model.expression_names
        sigma = expression_sigma(names, model.expression_range)
        precision = np.diag(sigma**-2.0)
        for left, right in mirror_pairs(names):
            apart = np.zeros(len(names))
            apart[left], apart[right] = 1.0, -1.0
            precision += np.outer(apart, apart) / FitSettings.mirror_sigma**2
        expected = np.zeros(len(names)) if gaze is None else np.asarray(gaze, np.float64)
        return cls(np.zeros(k), np.ones(k), expected, precision, np.zeros(a), np.ones(a))

    def pooled(self, other: Prior, share: float) -> Prior:
        """Where two priors meet: ``share`` (0..1) of this one, the rest of ``other``'s.

        Logarithmic pooling (Genest and Zidek 1986): densities to the power of their shares.  A
        doubtful one so gives way to the other, where a wider covariance would only leave the
        coefficients free.  The camera's priors are this one's.
        """
        merged = {}
        for name in ("identity", "expression", "albedo"):
            own, its = (square(getattr(p, name + "_precision")) for p in (self, other))
            precision = share * own + (1 - share) * its
            pull = share * own @ getattr(self, name) + (1 - share) * its @ getattr(other, name)
            merged |= {name: np.linalg.solve(precision, pull), name + "_precision": precision}
        return replace(self, **merged)

    def surer_of(self, names: tuple[str, ...], prefix: str, weight: float) -> Prior:
        """With ``weight`` times the precision of the expressions whose names begin so.

        ``names`` (E,) of the expressions; what goes together goes together as before.
        """
        root = np.where([name.startswith(prefix) for name in names], np.sqrt(weight), 1.0)
        precision = square(self.expression_precision) * np.outer(root, root)
        return replace(self, expression_precision=precision)

    def holding(self, identity: NDArray) -> Prior:
        """Knowing that the identity is ``identity`` (K,)."""
        known = np.asarray(identity, np.float64)
        sure = np.full(len(known), KNOWN_IDENTITY_SIGMA**-2.0)
        return replace(self, identity=known, identity_precision=sure)

    def not_seeing(self, names: tuple[str, ...], parts: tuple[str, ...], model: Prior) -> Prior:
        """Knowing nothing of the expressions that begin with ``parts``: at ``model``'s mean.

        They are held there (:data:`UNSEEN_SIGMA`): what is seen around would else move them.
        ``names`` (E,) of the expressions.
        """
        unseen = np.array([name.startswith(parts) for name in names], bool)
        precision = square(self.expression_precision).copy()
        precision[unseen], precision[:, unseen] = 0.0, 0.0
        precision[unseen, unseen] = UNSEEN_SIGMA**-2.0
        mean = np.where(unseen, model.expression, self.expression)
        return replace(self, expression=mean, expression_precision=precision)

    def seeing_teeth(self, names: tuple[str, ...], teeth: float) -> Prior:
        """Knowing that ``teeth`` (0..1) of the opening between the lips shows teeth.

        It comes on top of what was believed, however firmly: teeth that fill the mouth hold the
        jaw, and then it is the lips that part.  ``names`` (E,) of the expressions.
        """
        sure = float(np.interp(teeth, TEETH_SHARES, [0.0, 1.0]))
        weight, target = np.zeros(len(names)), np.zeros(len(names))
        for i, name in enumerate(names):
            for prefix, (expected, sigma) in BARED_TEETH.items():
                if name.startswith(prefix):
                    weight[i], target[i] = sure / sigma**2, expected
        if not weight.any():
            return self
        own = square(self.expression_precision)
        precision = own + np.diag(weight)
        mean = np.linalg.solve(precision, own @ self.expression + weight * target)
        return replace(self, expression=mean, expression_precision=precision)


def square(precision: Double) -> Double:
    """(N, N) of a diagonal (N,) or of itself."""
    return np.diag(precision) if precision.ndim == 1 else precision
