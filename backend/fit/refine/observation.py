"""What refinement starts from and what it returns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ...geometry.camera import Camera
from ...model import FaceModel
from ..landmark_fit import (
    TEETH_JAW_SIGMA,
    TEETH_SHARES,
    FitSettings,
    expression_sigma,
    mirror_pairs,
)
from ..noise import LandmarkNoise

Double = NDArray[np.float64]


#: What teeth that fill the mouth tell of an expression: its mean and standard deviation.
BARED_TEETH = {
    "jawOpen": (0.0, TEETH_JAW_SIGMA),
    "mouthUpperUp": (0.4, 0.2),
    "mouthLowerDown": (0.35, 0.2),
}


@dataclass(frozen=True, eq=False)
class Observation:
    """One face in a photo.  Pixels count from the centre of the top-left one."""

    image: NDArray[np.uint8]  #: (S, S, 3) sRGB, the face's crop
    to_photo: Double  #: (3, 3) pixels of ``image`` to pixels of the photo (:class:`~..align.Crop`)
    image_size: tuple[int, int]  #: (width, height) of the photo
    grey: bool = False  #: the photo has no colour
    landmarks: Double | None = None  #: (68, 2) detected, photo pixels
    noise: LandmarkNoise | None = None  #: how they err; independent points unless given
    spread: float | None = None  #: how far the detector's votes disagreed
    network_landmarks: Double | None = None  #: (68, 2) of the network's head, photo pixels
    network_sigma: Double | None = None  #: (68,) their expected error in photo pixels

    @property
    def valid(self) -> NDArray[np.bool_]:
        """(S, S) True where the crop shows the photo rather than its padding."""
        side = len(self.image)
        x, y = np.meshgrid(np.arange(side), np.arange(side))
        at = np.stack([x, y, np.ones_like(x)], -1) @ self.to_photo.T
        return ((at[..., :2] >= 0) & (at[..., :2] <= np.array(self.image_size) - 1)).all(-1)


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
        """The face model's own, as :func:`~..landmark_fit.fit_landmarks` has it.

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
        """Where two opinions meet: ``share`` (0..1) of this one, the rest of ``other``'s.

        Logarithmic pooling (Genest and Zidek 1986): densities to the power of their shares.  A
        doubtful opinion so gives way to the other, where a wider covariance would only leave the
        coefficients free.  The camera's priors are this one's.
        """
        merged = {}
        for name in ("identity", "expression", "albedo"):
            own, its = (_square(getattr(p, name + "_precision")) for p in (self, other))
            precision = share * own + (1 - share) * its
            pull = share * own @ getattr(self, name) + (1 - share) * its @ getattr(other, name)
            merged |= {name: np.linalg.solve(precision, pull), name + "_precision": precision}
        return replace(self, **merged)

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
        own = _square(self.expression_precision)
        precision = own + np.diag(weight)
        mean = np.linalg.solve(precision, own @ self.expression + weight * target)
        return replace(self, expression=mean, expression_precision=precision)


def _square(precision: Double) -> Double:
    return np.diag(precision) if precision.ndim == 1 else precision


@dataclass(frozen=True, eq=False)
class State:
    """A head in front of the photo's camera."""

    camera: Camera  #: of the whole photo
    identity: Double  #: (K,) standard deviations
    expression: Double  #: (E,) within ``model.expression_range``
    albedo: Double | None = None  #: (A,) standard deviations; None: not known yet
    sh_light: Double | None = None  #: (9, 3) head coordinates; None: not known yet


@dataclass(frozen=True, eq=False)
class Refined:
    """What :func:`~.refine` found."""

    state: State
    landmarks68: NDArray[np.int32]  #: (68,) vertex ids as seen in this view
    energy_before: dict[str, float]  #: by term: landmarks, network, photo, prior
    energy_after: dict[str, float]
    inlier: float  #: 0..1 share of the visible skin that the result explains; 1 if not looked at
    residual: float  #: typical log residual of the photo there; 0 if not looked at
    weights: NDArray[np.float32] = field(repr=False)  #: (S, S) 0..1 belief in the crop's pixels
    steps: int = 0
    improved: bool = False  #: False: the start was the best there is
