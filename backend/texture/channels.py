"""Colours (H, W, 3) beside plain fields (H, W), by OpenCV.

numpy runs through a last axis of three in loops of three: of 1024 x 1024 a product takes 27 ms,
with :func:`tripled` 1.6, a mean 58 and :func:`mean_of` 0.7.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

_MEAN = np.full((1, 3), 1 / 3, np.float32)
#: Standard deviation in texels that :func:`wide_blur` leaves for the blur itself: what
#: it gives is off by 0.2 % of its own spread with 4, and by 0.08 % with 8 in two to three times the
#: time (noise in a circle, sigmas of 16 to 34).
_WIDE = 4.0


def tripled(field: NDArray) -> NDArray:
    """``field`` (H, W) or (N,) as (H, W, 3) or (N, 3), the same in each channel."""
    return repeated(field, 3)


def repeated(field: NDArray, channels: int) -> NDArray:
    """``field`` (H, W) or (N,) as (H, W, C) or (N, C), the same in each of ``channels``."""
    if not field.size:  # which OpenCV refuses
        return np.zeros((*field.shape, channels), field.dtype)
    return cv2.merge([field] * channels).reshape(*field.shape, channels)


def wide_blur(picture: Float, sigma: float) -> Float:
    """``picture`` (H, W[, C]) blurred by a Gaussian of ``sigma`` texels, black beyond its border.

    Where that is wide it is worked out at a half of the size, a quarter and so on, as pyramids do
    (Burt and Adelson 1983): of four channels of 1024 x 1024 at a sigma of 34 in 15 ms, not 900.
    """
    factor = 2 ** max(0, int(np.log2(max(sigma, 0.3) / _WIDE)))
    height, width = picture.shape[:2]
    small = picture
    if factor > 1:
        # Whole steps, and as much black around it as the blur brings in.
        below, beside = -height % factor, -width % factor
        padded = cv2.copyMakeBorder(picture, 0, below, 0, beside, cv2.BORDER_CONSTANT)
        size = (padded.shape[1] // factor, padded.shape[0] // factor)
        small = cv2.resize(padded, size, interpolation=cv2.INTER_AREA)
        # The mean over squares has blurred already, and so will the way back.
        sigma = np.sqrt(max((sigma / factor) ** 2 - 1 / 12 - 1 / 6, 0.01))
    small = cv2.GaussianBlur(small, (0, 0), max(sigma, 0.3), borderType=cv2.BORDER_CONSTANT)
    if factor == 1:
        return small
    size = (small.shape[1] * factor, small.shape[0] * factor)
    return cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)[:height, :width]


def mean_of(colour: Float) -> Float:
    """(H, W) or (N,) the mean of the channels of ``colour`` (H, W, 3) or (N, 3)."""
    shape = colour.shape[:-1]
    if not colour.size:
        return np.zeros(shape, colour.dtype)
    return cv2.transform(colour.reshape(shape[0], -1, 3), _MEAN).reshape(shape)
