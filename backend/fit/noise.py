"""How far a landmark detector's points lie from the model's, and how they err together.

dlib's errors are far from independent: the jaw slides along its line as a whole, an eye moves as
one, and turned heads pull everything towards the middle.  A fit that knows this takes from 68
points what they really tell.  The figures for dlib were measured on renderings with known
landmarks (``tools/measure_landmark_noise.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..arrays import Member, read_npz
from ..bounded import short
from ..errors import ModelError
from ..geometry.rotation import roll_matrix

Double = NDArray[np.float64]

NOISE_FILE = Path(__file__).resolve().parents[2] / "assets" / "landmark_noise.npz"
_ARRAYS = {
    "bias": Member("f8", (2, 68, 2)),
    "covariance": Member("f8", (136, 136)),
    "spread": Member("f8", ()),
}

#: Beyond these parts of the measured variance the spread of a detector's votes tells nothing more.
VARIANCE_SCALE = (0.15, 6.0)
#: Error in mm of a landmark that is not seen: any place would do.
UNKNOWN_MM = 1e4

#: On people dlib marks the brows so many mm lower over the corners of the eyes than on renderings:
#: mean and standard deviation (26 photographs of different people beside 266 renderings; a face
#: mesh of another maker agrees).
BROW_DROP_MM, BROW_DROP_SIGMA_MM = 2.7, 1.2

JAW, BROWS, NOSE = slice(0, 17), slice(17, 27), slice(27, 36)
EYES, MOUTH = slice(36, 48), slice(48, 68)


@dataclass(frozen=True, eq=False)
class LandmarkNoise:
    """Gaussian error of 68 landmarks in mm at the head, in a frame turned with the head's roll.

    Axes are the picture's: x right, y down.  The bias is ``bias[0] + sin(yaw) bias[1]``.
    """

    bias: Double  #: (2, 68, 2) mm
    covariance: Double  #: (136, 136) mm^2, x0, y0, x1, ...
    spread: float  #: of the detector's votes, at which the covariance holds; 0: always
    #: Points that tell next to nothing, see :meth:`without`; nor do distances from them.
    loose: tuple[int, ...] = ()

    @classmethod
    def independent(
        cls,
        jaw: float = 4.0,
        brows: float = 2.5,
        nose: float = 1.5,
        eyes: float = 1.2,
        mouth: float = 1.5,
    ) -> LandmarkNoise:
        """No bias, and each point off by so many mm on its own: for points set by hand."""
        sigma = np.empty(68)
        sigma[JAW], sigma[BROWS], sigma[NOSE], sigma[EYES], sigma[MOUTH] = (
            jaw,
            brows,
            nose,
            eyes,
            mouth,
        )
        return cls(np.zeros((2, 68, 2)), np.diag(np.repeat(sigma, 2) ** 2), 0.0)

    def scaled(self, variance: float) -> LandmarkNoise:
        """With ``variance`` times the variance."""
        return replace(self, covariance=variance * self.covariance)

    def on_people(self) -> LandmarkNoise:
        """As it is on photographs: the brows' marks lie lower than on the renderings."""
        bias, covariance = self.bias.copy(), self.covariance.copy()
        bias[0, BROWS, 1] += BROW_DROP_MM
        rows = 2 * np.arange(68)[BROWS] + 1
        covariance[np.ix_(rows, rows)] += BROW_DROP_SIGMA_MM**2
        return replace(self, bias=bias, covariance=covariance)

    def without(self, points: NDArray, sigma_mm: float) -> LandmarkNoise:
        """With ``points`` (N,) indices off by another ``sigma_mm`` each, both ways."""
        covariance = self.covariance.copy()
        rows = np.concatenate([2 * np.asarray(points), 2 * np.asarray(points) + 1])
        covariance[rows, rows] += sigma_mm**2
        loose = tuple(sorted({*self.loose, *np.asarray(points).tolist()}))
        return replace(self, covariance=covariance, loose=loose)

    def hiding(self, hidden: NDArray[np.bool_]) -> LandmarkNoise:
        """With the landmarks ``hidden`` (68,) telling nothing, of themselves or of others."""
        covariance = self.covariance.copy()
        rows = np.flatnonzero(np.repeat(hidden, 2))
        covariance[rows], covariance[:, rows] = 0.0, 0.0
        covariance[rows, rows] = UNKNOWN_MM**2
        loose = tuple(sorted({*self.loose, *np.flatnonzero(hidden).tolist()}))
        return replace(self, covariance=covariance, loose=loose)

    def whitening(self, spread: float | None = None) -> Double:
        """(136, 136) W with ``W^T W = covariance^-1``, for votes that disagree by ``spread``.

        Votes that agree are better than those of the measurement in proportion: its renderings
        are harder for the detector than most photos.
        """
        scale = 1.0
        if spread is not None and self.spread > 0:
            scale = float(np.clip((spread / self.spread) ** 2, *VARIANCE_SCALE))
        return np.linalg.inv(np.linalg.cholesky(self.covariance * scale))

    def offset(self, yaw: float, roll: float, pixels_per_mm: float) -> Double:
        """(68, 2) the bias in pixels for a head turned by ``yaw`` and ``roll`` in degrees."""
        bias = self.bias[0] + np.sin(np.radians(yaw)) * self.bias[1]
        return pixels_per_mm * bias @ roll_matrix(roll).T


@lru_cache(maxsize=1)
def dlib_noise() -> LandmarkNoise:
    """The measured error of dlib's 68-point predictor.

    Raises :class:`ModelError` when the asset is missing or damaged.
    """
    try:
        arrays = read_npz(NOISE_FILE, _ARRAYS)
        noise = LandmarkNoise(
            bias=arrays["bias"],
            covariance=arrays["covariance"],
            spread=float(arrays["spread"]),
        )
        noise.whitening()  # a LinAlgError, a ValueError, where it is no covariance
    except (OSError, ValueError) as error:
        raise ModelError(
            f"The landmark statistics {NOISE_FILE.name} are missing or damaged ({short(error)}); "
            "install the add-on again."
        ) from error
    return noise
