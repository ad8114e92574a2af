"""How much a pixel's colour is like those of skin, hair or clothing: histograms in Lab."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ..geometry.srgb import SRGB_TO_LINEAR, encode_bytes

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]

#: Bins of a colour histogram per Lab axis, and its blur in bins.
_BINS, _BLUR = 32, 1.3
_SHIFT = 3  # from a byte to its bin
#: What no colour is less likely than.
FLOOR = float(np.log(1.0 / _BINS**3))
#: Log of how much likelier one colour model must find a seed than the other.
SURE = 1.0
#: So far round the middle of the face, in faces, is skin and no hair.
_MIDDLE = 0.2
#: Quantiles of the skin's brightness between which it is believed.
_TAILS = (0.08, 0.995)


def bare_skin(lab: NDArray[np.uint8], sure: Bool, above: Bool, face: float) -> Bool:
    """``sure`` (h, w) without what hair hangs over: pixels that are more like those ``above`` than
    like the middle of the face."""
    rows, columns = np.nonzero(sure)
    if not len(rows) or not above.any():
        return sure
    gap = np.hypot(rows - np.median(rows), columns - np.median(columns))
    middle = histogram(lab[rows, columns][gap < _MIDDLE * face])
    hidden = log_likelihood(histogram(lab[above]), lab) > log_likelihood(middle, lab) + SURE
    return sure & ~hidden if (sure & ~hidden).any() else sure


def shaded(rgb: NDArray[np.uint8], light: Sequence[float]) -> NDArray[np.uint8]:
    """(N, 3) Lab of skin ``rgb`` (M, 3) sRGB in ``light``, parts of its own."""
    if not len(rgb):
        return rgb
    linear = SRGB_TO_LINEAR[without_tails(rgb)]
    shown = encode_bytes(np.clip(np.concatenate([linear * part for part in light]), 0, 1))
    return cv2.cvtColor(shown[None], cv2.COLOR_RGB2LAB)[0]


def without_tails(lab: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``lab`` (N, 3) without its darkest and brightest: nostrils, lashes, glare."""
    if not len(lab):
        return lab
    low, high = np.quantile(lab[:, 0], _TAILS)
    return lab[(lab[:, 0] >= low) & (lab[:, 0] <= high)]


def histogram(lab: NDArray[np.uint8]) -> Float:
    """A smoothed histogram of ``lab`` (N, 3), of sum 1, in the order of :func:`_bins`."""
    counted = np.bincount(_bins(lab), minlength=_BINS**3).reshape(_BINS, _BINS, _BINS)
    smooth = gaussian_filter(counted.astype(np.float32), (_BLUR, _BLUR * 0.6, _BLUR * 0.6))
    return (smooth / max(float(smooth.sum()), 1e-9)).ravel()


def log_likelihood(colours: Float, lab: NDArray[np.uint8]) -> Float:
    """(...) log of how likely each pixel of ``lab`` (..., 3) is by the histogram ``colours``."""
    return np.log(colours + 1e-7).take(_bins(lab))


def _bins(lab: NDArray[np.uint8]) -> NDArray[np.int32]:
    """(...) number of the bin of ``lab`` (..., 3)."""
    light, a, b = (lab[..., axis].astype(np.int32) >> _SHIFT for axis in range(3))
    return (light * _BINS + a) * _BINS + b
