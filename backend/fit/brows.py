"""How high the eyebrows stand in the landmarks, and what that says of raised and lowered ones.

One photo shows how high a brow is, not how high this person's is at rest.  So what is said is the
mean over all that explains the height h: a movement w from -1 (lowered) to 1 (raised), which most
faces do not make, and what people's resting brows and the detector's errors vary by,

    h ~ N(m + r w, s^2),    p(w = 0) = q,  else w uniform over [-1, 1].

A brow of an ordinary height so rests, where a Gaussian prior would share each millimetre out
between identity and expression.  A score u of a raised brow (:mod:`.scores`), which one photo does
show, is a second reading, u ~ N(max(w, 0), t^2): brows that lie low may be raised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.upright import without_pose
from ..network.region_crops import POSE_WEIGHTS

Double = NDArray[np.float64]
#: Of raised inner ends, of the right and of the left brow.
Scores = tuple[float, float, float]
#: How far a brow is raised, 0 to 1, and the standard deviation of that.
Score = tuple[float, float] | None

#: mm over the mean head's, dlib's landmarks on photographs: mean and standard deviation of resting
#: brows (26 photographs of different people).
RESTING_MM, RESTING_SIGMA_MM = -2.8, 3.6
#: mm by which dlib sees brows go up or down with a weight of 1, as far as the face model's inner
#: ones go up: the largest movements of three people in films.
RAISED_MM, LOWERED_MM = 6.5, 9.0
#: Share of the faces whose brows rest.  With 0.7 instead one photo of 21 more is read as raised.
AT_REST = 0.8
#: Errors t of the scores, of inner ends and of whole brows.
INNER_SCORE_SIGMA, WHOLE_SCORE_SIGMA = 0.15, 0.2
#: Standard deviations of the two weights for the solve.  The raised one is held: the solve would
#: count the same landmarks twice, and its pixels explain brows by the skin's colour.
RAISED_SIGMA, LOWERED_SIGMA = 0.05, 0.15

_MOVEMENTS = np.linspace(-1, 1, 201)
_INNER, _OUTER = ((20, 21), (22, 23)), ((17, 18), (25, 26))
_CORNERS = ((36, 39), (42, 45))


@dataclass(frozen=True)
class Brows:
    """Expected weights, 0 to 1."""

    inner_raised: float
    raised: tuple[float, float]  #: the right brow and the left one, each as a whole
    lowered: tuple[float, float]

    def weights(self) -> dict[str, tuple[float, float]]:
        """Mean and standard deviation by the names of ARKit's shapes."""
        found = {"browInnerUp": (self.inner_raised, RAISED_SIGMA)}
        for side, raised, lowered in zip(("Right", "Left"), self.raised, self.lowered, strict=True):
            found["browOuterUp" + side] = (raised, RAISED_SIGMA)
            found["browDown" + side] = (lowered, LOWERED_SIGMA)
        return found


def read_brows(marks: NDArray | None, template: NDArray, scores: Scores | None = None) -> Brows:
    """Of landmarks ``marks`` (68, 2) pixels as dlib finds them in a photograph, if it does.

    ``template`` (68, 3) mm are the mean head's; ``scores`` of raised inner ends, right brow and
    left brow, where there are any.
    """
    inner = outer = None
    if marks is not None:
        inner, outer = brow_heights(marks, template)
    ends, *sides = told_by(scores)
    middle = movement(None if inner is None else float(inner.mean()), ends)[0]
    raised, lowered = [], []
    for side, told in enumerate(sides):
        high = whole = None
        if inner is not None and outer is not None:
            high, whole = float(inner[side]), float(inner[side] + outer[side]) / 2
        raised.append(movement(whole, told)[0])
        lowered.append(movement(high, ends)[1])
    return Brows(middle, (raised[0], raised[1]), (lowered[0], lowered[1]))


def told_by(scores: Scores | None) -> tuple[Score, Score, Score]:
    """What ``scores`` say of inner ends, right and left brow, and how that errs.

    An outer brow that is arched at rest scores up to 0.6, as a raised one does, so a whole brow is
    as far up as the inner ends are, but for what one outer score is above the other.
    """
    if scores is None:
        return None, None, None
    ends, right, left = scores
    apart = (right - left) / 2
    whole = (ends + apart, WHOLE_SCORE_SIGMA), (ends - apart, WHOLE_SCORE_SIGMA)
    return (ends, INNER_SCORE_SIGMA), *whole


def score_misfit(moves: NDArray, score: Score, missing: float | None = None) -> Double:
    """(W,) minus the logarithm of how likely ``score`` is where the brow moves by ``moves``.

    ``missing``: the error of scores that say less than the brow moves; like the others' if None.
    """
    if score is None:
        return np.zeros(len(moves))
    value, sigma = score
    off = np.maximum(moves, 0) - value
    return (off / np.where(off > 0, missing or sigma, sigma)) ** 2 / 2


def brow_heights(marks: NDArray, template: NDArray) -> tuple[Double, Double]:
    """(2,) right and left, of the inner and of the outer brows in mm.

    Over the corners of their eye, and above what the mean head has there in the same pose.
    """
    missed = without_pose(np.asarray(marks)[None], template, POSE_WEIGHTS)[0][0, :, 1]
    corners = np.array([missed[list(at)].mean() for at in _CORNERS])
    inner, outer = (
        corners - np.array([missed[list(at)].mean() for at in brows]) for brows in (_INNER, _OUTER)
    )
    return inner, outer


def movement(height_mm: float | None, score: Score = None) -> tuple[float, float]:
    """Expected raised and lowered weight of a brow ``height_mm`` high, scored as ``score``.

    None says nothing.
    """
    rest = np.abs(_MOVEMENTS) < 1e-9
    prior = np.where(rest, AT_REST, (1 - AT_REST) / (len(_MOVEMENTS) - 1))
    logs = np.log(prior) - score_misfit(_MOVEMENTS, score)
    if height_mm is not None:
        moves = np.where(_MOVEMENTS > 0, RAISED_MM, LOWERED_MM) * _MOVEMENTS
        logs -= ((height_mm - RESTING_MM - moves) / RESTING_SIGMA_MM) ** 2 / 2
    share = np.exp(logs - logs.max())  # a height beyond all is no 0 / 0
    share /= share.sum()
    return float(share @ np.maximum(_MOVEMENTS, 0)), float(share @ np.maximum(-_MOVEMENTS, 0))
