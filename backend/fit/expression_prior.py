"""What is believed of an expression before the solve: people's habits, and what a face looks like.

The networks of eyes and mouth (:mod:`..network.regions`) say a Gaussian N(m, s^2) of a weight.  It
is a posterior, in which the habits of their drawings are: mostly at rest, else anything.  People's
habits (:class:`~.prior.Prior`) are of the same kind, so they shall not count a second time, and the
two are pooled: densities to the power of shares a and 1 - a (Genest and Zidek 1986),

    precision  a / s^2 + (1 - a) / h^2,      mean  (a m / s^2 + (1 - a) m_h / h^2) / precision.

Dividing a Gaussian of the drawings out instead makes a lowered brow, read as 0.64 +- 0.2, tell
nothing, as that is about how far the drawings' weights spread (``docs/expressions.md``).

Raised brows are not told from the crops of real people: there the landmarks speak
(:mod:`.brows`), and of lowered ones both.  The whole-face network is not asked, as it looked at
drawn faces whose brows and lids mostly rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..model import FaceModel
from ..network.regions import RegionReading, regions_of
from .brows import Brows, Scores, read_brows
from .mouth import lips_touch
from .noise import LandmarkNoise
from .prior import Prior, square
from .scores import PHOTO_LOOKS, SCALES, bare, look_at

Double = NDArray[np.float64]

#: The share of the networks in lids, squints and gaze, in what :mod:`.scores` has from two of them,
#: and in all else.  With 1.0, 0.8 and 0.6 for all, of 58 labelled pictures' lids 55, 51 and 51 are
#: read right, of 57 mouths 47, 47 and 48, of 54 smiles 43, 47 and 47 (quality "fast"); of 52 brows
#: 34, 35 and 35 with 1.0, 0.7 and 0.5 for the brows ("balanced"); that was our networks alone.
EYES_SHARE, TOGETHER_SHARE, OTHER_SHARE = 1.0, 1.0, 0.6
EYES = "eye"
#: Expressions which the landmarks tell, and the crops do not.
BY_LANDMARKS = ("browInnerUp", "browOuterUp")
#: Landmarks that are used up: they follow lids in part, and would open them again, by their heights
#: and, going together as they do, by a millimetre sideways.
LIDS, LID_CORNERS = np.array([37, 38, 40, 41, 43, 44, 46, 47]), np.array([36, 45])
#: mm of their further error in the solve.
LIDS_SIGMA_MM, LID_CORNERS_SIGMA_MM = 20.0, 8.0
#: What the networks say of a lid that is on its way down, and from which weight on.
LOWERED = ("eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight")
LOWERED_FROM = 0.3
#: The brows' landmarks as the network has them err by so many times what it says.
BROWS, BROWS_SCALE = np.arange(17, 27), 3.0


@dataclass(frozen=True, eq=False)
class Opinions:
    """What is said of the expression of one face."""

    regions: RegionReading  #: by the pixels of eyes, brows and mouth, and by points of the face
    brows: Brows | None  #: by the detector's landmarks and scores; None where there are neither
    lips_touch: bool  #: by the landmarks and the pixels of the mouth
    raised: Scores | None = None  #: of brows, as ``brows`` has used them
    irises: Double | None = None  #: (2, 2) pixels of the right and the left one, where seen
    points: Double | None = None  #: (10, 2) pixels of the brows, as :mod:`.resting` has them
    lids: Double | None = None  #: (2, 2, 2) as :mod:`.lids` has them, where seen


def opinions_of(
    pixels: NDArray[np.uint8], marks: NDArray, model: FaceModel, detected: bool
) -> Opinions | None:
    """Of the face with ``marks`` (68, 2), the detector's or not, in ``pixels`` (H, W, 3) uint8.

    None where the networks do not know ``model``'s expressions.
    """
    reader = regions_of(model)
    if reader is None:
        return None
    look = look_at(reader, pixels, marks, PHOTO_LOOKS)
    brows = None
    if detected or look.raised is not None:
        brows = read_brows(marks if detected else None, reader.template, look.raised)
    touch = lips_touch(marks, look.regions.points, reader.template)
    return Opinions(look.regions, brows, touch, look.raised, look.irises, look.brows, look.lids)


def used_up(noise: LandmarkNoise, opinions: Opinions) -> LandmarkNoise:
    """``noise`` for a solve that has ``opinions``: lids that come down are marked badly.

    Open eyes are marked well enough, and without their marks the head would stare.
    """
    said = dict(zip(opinions.regions.names, opinions.regions.mean, strict=True))
    if opinions.lids is None and max(said.get(name, 0.0) for name in LOWERED) < LOWERED_FROM:
        return noise
    return noise.without(LIDS, LIDS_SIGMA_MM).without(LID_CORNERS, LID_CORNERS_SIGMA_MM)


def expression_prior(
    prior: Prior, habits: Prior, opinions: Opinions, names: tuple[str, ...]
) -> Prior:
    """``prior`` with the expression that ``habits`` and ``opinions`` give.

    ``names`` (E,) of the expressions.
    """
    told, mean, shares = _told(opinions, names)
    left = np.sqrt(1 - shares)
    precision = square(habits.expression_precision) * np.outer(left, left)
    pull = precision @ habits.expression + shares * told * mean
    precision += np.diag(shares * told)
    said = {} if opinions.brows is None else opinions.brows.weights()
    for name, (value, sigma) in said.items():
        i = names.index(name)
        precision[i, i] += sigma**-2.0
        pull[i] += sigma**-2.0 * value
    found = np.linalg.solve(precision, pull)
    return replace(prior, expression=found, expression_precision=precision)


def _told(opinions: Opinions, names: tuple[str, ...]) -> tuple[Double, Double, Double]:
    """(E,) precision, mean and share of what the networks say; share 0 where they say nothing."""
    regions = opinions.regions
    precision, mean, shares = np.zeros((3, len(names)))
    for name, value, sigma in zip(regions.names, regions.mean, regions.sigma, strict=True):
        if not name.startswith(BY_LANDMARKS):
            i = names.index(name)
            precision[i], mean[i] = sigma**-2.0, np.clip(value, 0, 1)
            shares[i] = _share_of(name, opinions.raised is not None)
    return precision, mean, shares


def _share_of(name: str, together: bool) -> float:
    """``together``: both kinds of networks saw a face."""
    if name.startswith(EYES):
        return EYES_SHARE
    return TOGETHER_SHARE if together and bare(name) in SCALES else OTHER_SHARE
