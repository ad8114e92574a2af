"""Similarities: turn, scale and shift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Similarity:
    """``y = scale rotation x + translation`` in D dimensions."""

    scale: float
    rotation: Double  #: (D, D) without mirroring
    translation: Double  #: (D,)

    @classmethod
    def between(cls, source: NDArray, target: NDArray) -> Similarity:
        """The one that takes ``source`` (N, D) nearest to ``target`` (N, D) in least squares.

        Umeyama 1991, equations 40 to 42.  Its scale is 0 where all points of ``source`` are one.
        """
        source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
        middle, goal = source.mean(axis=0), target.mean(axis=0)
        a, b = source - middle, target - goal
        u, values, vt = np.linalg.svd(b.T @ a)
        sign = np.ones(len(values))
        sign[-1] = np.sign(np.linalg.det(u @ vt))
        rotation = (u * sign) @ vt
        scale = float(values @ sign) / max(float((a**2).sum()), 1e-12)
        return cls(scale, rotation, goal - scale * rotation @ middle)

    def apply(self, points: NDArray) -> Double:
        """(N, D) points moved."""
        return self.scale * np.asarray(points, np.float64) @ self.rotation.T + self.translation

    def inverse(self, points: NDArray) -> Double:
        """(N, D) points whose images are ``points``."""
        return (np.asarray(points, np.float64) - self.translation) @ self.rotation / self.scale

    def matrix(self) -> Double:
        """(D, D + 1) scaled rotation and translation."""
        return np.c_[self.scale * self.rotation, self.translation]

    def moved(self, turn: NDArray, shift: NDArray, growth: float, middle: NDArray) -> Similarity:
        """Itself, then a turn about ``middle`` (3,), growth by ``exp(growth)`` there, and a shift.

        ``turn`` (3,) is a rotation vector in radians; in three dimensions.
        """
        rotation, factor = Rotation.from_rotvec(turn).as_matrix(), float(np.exp(growth))
        return Similarity(
            self.scale * factor,
            rotation @ self.rotation,
            middle + shift + factor * rotation @ (self.translation - middle),
        )
