"""Many photos' quadratic costs with unknowns that all share, solved together.

Each photo has unknowns of its own and those of the person.  For given shared ones a photo's own are
a small problem by themselves; eliminated (Schur complement), they leave a system of the shared ones
alone, which is the sum over the photos (Triggs et al. 2000, "Bundle Adjustment", section 6.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...geometry.least_squares import partly_bounded_minimum

Double = NDArray[np.float64]

#: Choices of which bounds hold; they settle after two or three.
_CHOICES = 8


@dataclass(frozen=True, eq=False)
class Quadratic:
    """One photo's cost ``x H x / 2 - g x``, of which the last unknowns have bounds."""

    hessian: Double  #: (M, M)
    gradient: Double  #: (M,)
    columns: NDArray[np.int64]  #: (C,) which of its unknowns are shared ...
    places: NDArray[np.int64]  #: (C,) ... and which of the shared unknowns these are
    low: Double  #: (E,) of the last E unknowns, which are the photo's own
    high: Double  #: (E,)
    weight: float = 1.0  #: how much it counts


def joint_minimum(
    photos: Sequence[Quadratic], hessian: Double, gradient: Double
) -> tuple[Double, list[Double]]:
    """The shared unknowns (S,) and, per photo, all of its (M,) at the least weighted sum of costs.

    ``hessian`` (S, S) and ``gradient`` (S,) are the shared unknowns' own part.  A photo's bounded
    unknowns that press against a bound are held there while the shared ones are solved for.
    """
    parts = [_Part(photo) for photo in photos]
    shared: Double = np.zeros(len(gradient))
    for _ in range(_CHOICES):
        total, right = hessian.copy(), gradient.copy()
        for part in parts:
            reduced, target = part.reduced()
            where = part.photo.places
            total[np.ix_(where, where)] += part.photo.weight * reduced
            right[where] += part.photo.weight * target
        shared = np.asarray(np.linalg.solve(total, right), np.float64)
        changed = [part.choose(shared) for part in parts]
        if not any(changed):
            break
    return shared, [part.whole(shared) for part in parts]


class _Part:
    """A photo's own unknowns, and which of them are held at a bound."""

    def __init__(self, photo: Quadratic) -> None:
        self.photo = photo
        count = len(photo.gradient)
        own = np.ones(count, bool)
        own[photo.columns] = False
        self.own = np.flatnonzero(own)
        shared = photo.columns
        self.inner = photo.hessian[np.ix_(self.own, self.own)]
        self.across = photo.hessian[np.ix_(self.own, shared)]
        self.outer = photo.hessian[np.ix_(shared, shared)]
        self.pull, self.shared_pull = photo.gradient[self.own], photo.gradient[shared]
        self.free = len(self.own) - len(photo.low)
        self.held = np.zeros(len(self.own), bool)
        self.values = np.zeros(len(self.own))

    def reduced(self) -> tuple[Double, Double]:
        """(C, C) and (C,) what this photo says of its shared unknowns."""
        held, loose = self.held, ~self.held
        at = self.values[held]
        pull = self.pull[loose] - self.inner[np.ix_(loose, held)] @ at
        shared_pull = self.shared_pull - self.across[held].T @ at
        across = self.across[loose]
        inner = self.inner[np.ix_(loose, loose)]
        scale = 1 / np.sqrt(np.diag(inner))
        scaled = inner * np.outer(scale, scale)
        right = np.column_stack([pull, across]) * scale[:, None]
        solved = np.linalg.solve(scaled, right) * scale[:, None]
        return self.outer - across.T @ solved[:, 1:], shared_pull - across.T @ solved[:, 0]

    def choose(self, shared: Double) -> bool:
        """Solve for its own unknowns at ``shared`` (S,); whether others are held than before."""
        low, high = self.photo.low, self.photo.high
        pull = self.pull - self.across @ shared[self.photo.places]
        self.values = partly_bounded_minimum(self.inner, pull, low, high)
        bounded = self.values[self.free :]
        held = np.zeros(len(self.own), bool)
        held[self.free :] = (bounded <= low) | (bounded >= high)
        changed = bool((held != self.held).any())
        self.held = held
        return changed

    def whole(self, shared: Double) -> Double:
        """(M,) all unknowns of the photo."""
        out = np.empty(len(self.photo.gradient))
        out[self.photo.columns] = shared[self.photo.places]
        out[self.own] = self.values
        return out
