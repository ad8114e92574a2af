"""What the shipped network reads in a face's crop: coefficients, pose, landmarks and its doubt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from ..align import Crop, box_quad, ffhq_crop, quad_crop
from ..detect import Detection
from ..kept import kept
from ..model import DEFAULT_MODEL, load_model

if TYPE_CHECKING:  # torch is imported by those who need it
    from ..network.predict import Estimate, Regressor

Double = NDArray[np.float64]

CROP_SIZE = 224
#: Crops beside the first whose estimates are averaged: turned by degrees, enlarged.
_VARIATIONS: dict[str, tuple[tuple[float, float], ...]] = {
    "fast": (),
    "balanced": ((5.0, 0.96), (-5.0, 1.05)),
    "best": ((5.0, 0.96), (-5.0, 1.05), (9.0, 1.0), (-9.0, 1.0), (0.0, 0.92), (0.0, 1.09)),
}
#: How often the network finds its own crop anew, where there are no landmarks to crop by.
_OWN_CROPS = 2
#: Where the network expects its landmarks to err by more of the box's side, there is no face: 28
#: photos have 0.012 to 0.033, 60 renderings up to 0.028, patches beside faces 0.088 to 0.16, and
#: backgrounds and noise from 0.111 on.
UNREADABLE_SIGMA = 0.055
#: So many times what it says the network's landmarks err.  On 47 Cycles heads 2, 1.3 and 1 leave
#: the landmarks 1.55, 1.48 and 1.48 % off, the posed surface 0.616, 0.610 and 0.607 mm in the mean.
NETWORK_SIGMA_SCALE = 1.0


@dataclass(frozen=True, eq=False)
class Reading:
    """The network's answer about one face of a photo."""

    crop: Crop
    estimate: Estimate
    landmarks: Double  #: (68, 2) pixels of the photo
    landmark_sigma: Double  #: (68,) their expected errors, pixels of the photo
    shape_covariance: Double  #: (K + E, K + E) of the errors of identity and expression
    albedo_covariance: Double  #: (A, A) of those of the albedo
    sigma: float  #: mean expected error of the landmarks, in sides of the face's box
    note: str = ""  #: a sentence about what it was computed on

    @property
    def readable(self) -> bool:
        """Whether the network sees a face there."""
        return self.sigma <= UNREADABLE_SIGMA


@kept(maxsize=1)
def regressor_for(model_name: str) -> Regressor | None:
    """The shipped network where it was trained for the face model, else None."""
    if model_name != DEFAULT_MODEL:
        return None
    return _shipped()


@kept(maxsize=1)
def _shipped() -> Regressor:
    from ..network.predict import Regressor

    return Regressor(load_model(DEFAULT_MODEL))


def read_aligned(
    pixels: NDArray[np.uint8], marks: NDArray, side: float, quality: str, regressor: Regressor
) -> Reading:
    """Read the FFHQ crop by ``marks`` (68, 2) of ``pixels`` (H, W, 3) uint8 sRGB.

    ``side`` is that of the face's box in pixels; the better the ``quality``, the more variations
    of the crop are averaged.
    """
    crop = ffhq_crop(pixels, marks)
    images = [crop.image, *(_varied(crop.image, *one) for one in _VARIATIONS[quality])]
    estimate = merged(regressor.regress(np.stack(images)))
    sigma = estimate.landmark_sigma * crop.zoom * CROP_SIZE / 2
    landmarks = _in_photo(crop, regressor.landmarks(estimate, CROP_SIZE))
    measured = regressor.weights.extras
    return Reading(
        crop,
        estimate,
        landmarks,
        sigma,
        measured["shape_covariance"].astype(np.float64),
        measured["albedo_covariance"].astype(np.float64),
        float(sigma.mean() / side),
        regressor.note,
    )


def read_detected(
    pixels: NDArray[np.uint8], found: Detection, side: float, quality: str, regressor: Regressor
) -> Reading:
    """Read a face of which only the detector's box is known; see :func:`read_aligned`."""
    crop = quad_crop(pixels, box_quad(found.box, found.quarter_turns))
    for _ in range(_OWN_CROPS - 1):
        crop = ffhq_crop(pixels, _single(crop, regressor))
    return read_aligned(pixels, _single(crop, regressor), side, quality, regressor)


def _single(crop: Crop, regressor: Regressor) -> Double:
    """(68, 2) pixels of the photo: the landmarks by ``crop`` alone."""
    estimate = regressor.regress(crop.image[None])[0]
    return _in_photo(crop, regressor.landmarks(estimate, CROP_SIZE))


def merged(estimates: list[Estimate]) -> Estimate:
    """The first one's pose and certainty with the mean of all coefficients."""
    first = estimates[0]
    names = ("identity", "expression", "albedo", "sh_light")
    return replace(
        first, **{name: np.mean([getattr(e, name) for e in estimates], axis=0) for name in names}
    )


def _in_photo(crop: Crop, points: Double) -> Double:
    """(N, 2) pixels of the photo for ``points`` (N, 2) of the crop."""
    return np.c_[points, np.ones(len(points))] @ crop.to_photo[:2].T


def _varied(image: NDArray[np.uint8], degrees: float, zoom: float) -> NDArray[np.uint8]:
    """``image`` turned and enlarged about its middle."""
    side = len(image)
    middle = ((side - 1) / 2, (side - 1) / 2)
    matrix = cv2.getRotationMatrix2D(middle, degrees, zoom)
    return cv2.warpAffine(
        image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
