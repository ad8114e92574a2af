"""Landmarks that the user set by hand: taken as all but exact, whatever else is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .noise import VARIANCE_SCALE, LandmarkNoise

#: How far off a hand puts a landmark: a pixel of a face 512 pixels wide, in that width ...
SIGMA = 1 / 512
#: ... and in mm: the detector's box is about as wide as a face is long.
SIGMA_MM = 0.35


class Corrections:
    """``points`` put into what was found of one face, and into what is thought of its error."""

    def __init__(self, points: Sequence[Sequence[float]] | None, side: float) -> None:
        """``points`` as ``Options`` hold them; ``side`` that of the face's box in pixels."""
        self.index = np.array([point[0] for point in points or ()], int)
        self.points = np.array([point[1:] for point in points or ()], np.float64).reshape(-1, 2)
        self.sigma = SIGMA * side  #: pixels

    def marks(self, marks: NDArray) -> NDArray[np.float64]:
        """``marks`` (68, 2) with the corrected ones in their places."""
        moved = np.array(marks, np.float64)
        moved[self.index] = self.points
        return moved

    def sigmas(self, sigma: NDArray, scale: float) -> NDArray[np.float64]:
        """``sigma`` (68,) in pixels, that of a hand where corrected; used times ``scale``."""
        known = np.array(sigma, np.float64)
        known[self.index] = self.sigma / scale
        return known

    def noise(self, noise: LandmarkNoise, spread: float | None) -> LandmarkNoise:
        """``noise`` for marks of which some are corrected.

        These have no bias and the error of a hand, and tell nothing of the detector's error at
        the others (its Gaussian is marginalised).  ``spread`` is what the noise will be used with.
        """
        if not len(self.index):
            return noise
        scale = 1.0
        if spread is not None and noise.spread > 0:
            scale = float(np.clip((spread / noise.spread) ** 2, *VARIANCE_SCALE))
        bias, covariance = noise.bias.copy(), noise.covariance.copy()
        rows = np.concatenate([2 * self.index, 2 * self.index + 1])
        bias[:, self.index] = 0.0
        covariance[rows], covariance[:, rows] = 0.0, 0.0
        covariance[rows, rows] = SIGMA_MM**2 / scale
        loose = tuple(point for point in noise.loose if point not in self.index)
        return replace(noise, bias=bias, covariance=covariance, loose=loose)
