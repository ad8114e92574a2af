"""Expressions of one basis as those of another: principal components and ARKit's shapes.

Least squares over all vertices within the weights' ranges (Lawson and Hanson 1974, chapter 23, with
upper bounds); the bases enter by their products only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...geometry.least_squares import bounded_least_squares

Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ExpressionMapping:
    """E native expressions and 52 of ARKit's on one mesh; products are means over V vertices."""

    native: Double  #: (E, E) mm^2
    arkit: Double  #: (52, 52)
    cross: Double  #: (52, E)
    native_range: Double  #: (E, 2)

    @classmethod
    def of(cls, native: NDArray, arkit: NDArray, native_range: NDArray) -> ExpressionMapping:
        """From the bases (E, V, 3) and (52, V, 3), mm."""
        count = native.shape[1]
        a, b = native.reshape(len(native), -1), arkit.reshape(len(arkit), -1)
        return cls(
            np.asarray(a @ a.T, np.float64) / count,
            np.asarray(b @ b.T, np.float64) / count,
            np.asarray(b @ a.T, np.float64) / count,
            np.asarray(native_range, np.float64),
        )

    def to_arkit(self, expression: NDArray) -> tuple[Double, float]:
        """ARKit weights (52,) in 0..1 for native ``expression`` (E,), and the error in mm.

        The error is the root mean square over all vertices.
        """
        unit = np.tile([0.0, 1.0], (len(self.arkit), 1))
        return _solve(self.arkit, self.cross, self.native, np.asarray(expression), unit)

    def from_arkit(self, weights: NDArray) -> tuple[Double, float]:
        """Native coefficients (E,) in their range for ARKit ``weights`` (52,), and the error."""
        given = np.asarray(weights)
        return _solve(self.native, self.cross.T, self.arkit, given, self.native_range)

    def extras(self) -> dict[str, Double]:
        """As the store keeps it."""
        return {
            "mapping_native": self.native,
            "mapping_arkit": self.arkit,
            "mapping_cross": self.cross,
            "mapping_native_range": self.native_range,
        }

    @classmethod
    def from_extras(cls, extras: dict[str, NDArray]) -> ExpressionMapping:
        """From what :meth:`extras` gave."""
        names = ("native", "arkit", "cross", "native_range")
        return cls(*(np.asarray(extras[f"mapping_{name}"], np.float64) for name in names))


def _solve(
    gram: Double, cross: Double, other: Double, given: Double, bounds: Double
) -> tuple[Double, float]:
    right = cross @ given
    solution = bounded_least_squares(gram, right[None], bounds)[0]
    squared = solution @ gram @ solution - 2 * solution @ right + given @ other @ given
    return solution, float(np.sqrt(max(squared, 0.0)))
