"""What is believed of an expression before the solve: people's habits, and what a face looks like.

The networks of eyes and mouth (:mod:`..network.regions`) say of a weight x how likely it is by a
Gaussian N(m, s^2), which is a posterior: their drawings' own mixture N(m0, v0) is in it, and that
shall not count, because the habits of people in photos do.  Divided out (Bayes), the likelihood is
a Gaussian too:

    precision  1 / s^2 - 1 / v0,      mean  (m / s^2 - m0 / v0) / (1 / s^2 - 1 / v0)

Where s^2 is not below v0 the picture told nothing, and the precision is 0.  People are no drawings,
so the precision, not the mean, is that of a wider s.

Raised brows are not told from the crops of real people (``docs/expressions.md``): there the
regressor of contours speaks, which knows what is identity.  The whole-face network is not asked,
as it looked at drawn faces whose brows and lids mostly rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..model import FaceModel
from ..network.regions import RegionReading, regions_of
from .expression_regressor import Opinion, regressor_of
from .noise import LandmarkNoise
from .prior import Prior, square

Double = NDArray[np.float64]

#: Standard deviations of the regions' networks on people, of those on their drawings.  Of 0.8 and
#: 1.3, the second gave more right labels on 59 pictures at quality "fast".
REGIONS_SIGMA_SCALE = 1.3
#: A likelihood's mean can lie far outside of a weight's range where s^2 is just below v0.
REGIONS_RANGE = (-0.1, 1.1)
#: Expressions which the contours' regressor tells, and the crops do not.
BY_CONTOURS = ("browInnerUp", "browOuterUp")
#: Landmarks that are used up: they follow lids in part, and would open them again, by their heights
#: and, going together as they do, by a millimetre sideways.
LIDS, LID_CORNERS = np.array([37, 38, 40, 41, 43, 44, 46, 47]), np.array([36, 45])
#: mm of their further error in the solve.
LIDS_SIGMA_MM, LID_CORNERS_SIGMA_MM = 20.0, 8.0
#: The brows' landmarks as the network has them err by so many times what it says.
BROWS, BROWS_SCALE = np.arange(17, 27), 3.0


@dataclass(frozen=True, eq=False)
class Opinions:
    """What is said of the expression of one face."""

    contours: Opinion  #: by the landmarks as a whole
    regions: RegionReading  #: by the pixels of eyes, brows and mouth


def opinions_of(
    pixels: NDArray[np.uint8], marks: NDArray | None, model: FaceModel
) -> Opinions | None:
    """Of the face with ``marks`` (68, 2) in ``pixels`` (H, W, 3) uint8.

    None without marks, and where the regressor or the networks do not know ``model``'s expressions.
    """
    contours, regions = regressor_of(model), regions_of(model)
    if marks is None or contours is None or regions is None:
        return None
    return Opinions(contours.opinion(marks), regions.read(pixels, marks))


def used_up(noise: LandmarkNoise) -> LandmarkNoise:
    """``noise`` for a solve that has the :class:`Opinions`."""
    return noise.without(LIDS, LIDS_SIGMA_MM).without(LID_CORNERS, LID_CORNERS_SIGMA_MM)


def expression_prior(
    prior: Prior, habits: Prior, opinions: Opinions, names: tuple[str, ...]
) -> Prior:
    """``prior`` with the expression that ``habits`` and ``opinions`` give.

    ``names`` (E,) of the expressions.  Gaussians multiplied: precisions add, and so do means times
    precisions.
    """
    precision = square(habits.expression_precision)
    pull = precision @ habits.expression
    told, mean = _likelihood(opinions.regions, names)
    brows = np.flatnonzero([name.startswith(BY_CONTOURS) for name in names])
    told[brows] = 0.0
    precision = precision + np.diag(told)
    pull = pull + told * mean
    contours = opinions.contours  # their marginal, of the brows alone
    raised = np.linalg.inv(contours.covariance[np.ix_(brows, brows)])
    precision[np.ix_(brows, brows)] += raised
    pull[brows] += raised @ contours.mean[brows]
    found = np.linalg.solve(precision, pull)
    return replace(prior, expression=found, expression_precision=precision)


def _likelihood(regions: RegionReading, names: tuple[str, ...]) -> tuple[Double, Double]:
    """(E,) precision and mean of what the pictures of the regions tell of each weight."""
    precision, mean = np.zeros(len(names)), np.zeros(len(names))
    at = [names.index(name) for name in regions.names]
    draws = 1 / np.maximum(regions.draws.variance, 1e-6)
    said = regions.sigma**-2.0
    precision[at] = np.maximum(said / REGIONS_SIGMA_SCALE**2 - draws, 0.0)
    # Where the precision is above 0, this is: the scale is above 1.
    apart = np.where(precision[at] > 0, said - draws, 1.0)
    mean[at] = np.clip((said * regions.mean - draws * regions.draws.mean) / apart, *REGIONS_RANGE)
    return precision, mean
