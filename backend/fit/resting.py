"""How high a person's eyebrows rest, from frames spread over a clip, and how far one is raised.

One photo shows how high a brow is, not how high this person's is at rest (:mod:`.brows`).  A
clip shows more: brows that move, and frames in which the network of the eyes sees them lowered.
With the resting height b and what the scores say too much, e, as unknowns of the clip, a frame's
height h, the lowered weight d that the network reads and the score u of a raised brow
(:mod:`.brows`) are

    h ~ N(b + r w, s^2),    d ~ N(max(-w, 0), t^2),    max(u - e, 0) ~ N(max(w, 0), v^2),
    p(w = 0) = q,  else w uniform over [-1, 1],

and b ~ N(m, S^2) as in people; e is mostly 0.  Brows may be raised throughout a clip, so q is not
known either: all of :data:`_AT_REST` are as likely.  By the largest likelihood alone such a clip's
raised brows would be taken for resting ones; so frames, which are alike, count for little
(:data:`FRAMES_COUNT`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import brows as by_detector
from .brows import Brows, Score, Scores, score_misfit, told_by

Double = NDArray[np.float64]

#: mm over the mean head's, Google's brows on photographs: mean and standard deviation of resting
#: brows (25 photographs of different people).
RESTING_MM, RESTING_SIGMA_MM = -4.0, 3.3
#: mm by which they go up with a weight of 1, as far as the face model's inner ones do, and down:
#: the largest movements of a person in three films are 10 and 5.5.
RAISED_MM, LOWERED_MM = 6.5, 5.5
#: mm by which the heights of one person's resting brows vary from frame to frame (1.1 in a film
#: whose head turns, by Google's points; 2.0 by dlib's), and the error of a lowered weight as the
#: networks read it.
HEIGHT_SIGMA_MM, LOWERED_SIGMA = 1.3, 0.2
#: Error of scores that say less than a brow moves: of one person who raises low brows by 2 to 6 mm
#: they say nothing in five of eight frames.
MISSING_SIGMA = 0.8
#: So many independent frames the frames of a clip are worth together.  Of three films' 15 labelled
#: frames 12 or 13 were read right by dlib's heights with 1.2 and 2.4, 11 to 13 with 3.6, 11 with
#: 7.2; by Google's, of 42 frames of the three 34 to 36 with 2.4 to 7.2; drawn heads want many, and
#: brows that are raised throughout few.
FRAMES_COUNT = 3.0
#: What scores of a person's resting brows may say too much, and how likely each is: of 26 photos of
#: resting brows one scores 0.41, the others at most 0.14; of two drawn heads one 0.3 to 0.6.
OVERSTATED, OVERSTATED_SHARES = (0.0, 0.15, 0.3, 0.45), (0.9, 0.05, 0.03, 0.02)
#: Shares of frames in which brows rest; all as likely.
_AT_REST = (0.1, 0.3, 0.5, 0.7, 0.9)
#: The same for one frame, its person's rest being known: with 0.5, 0.3 and 0.15 brows that are
#: labelled as raised are so by 0.25, 0.30 and 0.36 in the mean, with the same mistakes.
_RESTS_NOW = 0.3

_BROWS = slice(17, 27)
_MOVES = np.linspace(-1, 1, 41)
_MOVED_MM = np.where(_MOVES > 0, RAISED_MM, LOWERED_MM) * _MOVES
_RESTS = np.arange(-16.0, 12.01, 0.5)  # mm
_HEIGHTS = np.arange(-30.0, 30.01, 0.5)  # mm


@dataclass(frozen=True, eq=False)
class RestingBrows:
    """What is believed of a person's resting brows.

    Of five heights, as brows rise as a whole and at their inner ends: inner ends of both, of the
    right, of the left, the whole right brow, the whole left one.
    """

    shares: Double  #: (5, B) how likely each resting height is, of each of the five
    overstated: Double  #: (5,) what is expected that the scores say too much

    @classmethod
    def of(
        cls, heights: NDArray, lowered: NDArray, scores: Sequence[Scores | None] = ()
    ) -> RestingBrows:
        """From frames of one person.

        ``heights`` (N, 2, 2) mm are those of :func:`heights_of`; ``lowered`` (N, 2) the weights of
        right and left as the networks read them; ``scores`` N of raised brows, or none at all.  N
        may be 0: then it is what is known of people.
        """
        heights = np.asarray(heights, np.float64).reshape(-1, 2, 2)
        lowered = np.clip(np.asarray(lowered, np.float64).reshape(-1, 2), 0.0, 1.0)
        both = lowered.mean(axis=1)
        sides = (both, lowered[:, 0], lowered[:, 1], lowered[:, 0], lowered[:, 1])
        five = [_five_scores(one) for one in scores or [None] * len(heights)]
        seen = enumerate(zip(_five(heights).T, sides, strict=True))
        found = [_posterior(h, d, [one[i] for one in five]) for i, (h, d) in seen]
        shares, overstated = zip(*found, strict=True)
        return cls(np.stack(shares), np.array(overstated))

    @property
    def middles(self) -> Double:
        """(5,) mm the expected resting heights."""
        return self.shares @ _RESTS

    def reader(self) -> BrowReader:
        """For many frames."""
        return BrowReader(np.stack([_likely(one) for one in self.shares]), self.overstated)


@dataclass(frozen=True, eq=False)
class BrowReader:
    """What each height says of a person whose resting brows are known."""

    tables: Double  #: (5, H, W) how likely each movement is at each height
    overstated: Double  #: (5,) as :class:`RestingBrows` has it

    def read(
        self,
        marks: NDArray,
        template: NDArray,
        scores: Scores | None = None,
        points: NDArray | None = None,
    ) -> Brows:
        """Of landmarks ``marks`` (68, 2) and ``points``, as :func:`heights_of` has them.

        ``scores`` of raised brows, where there are any.
        """
        five = _five(heights_of(marks, template, points)[None])[0]
        told = _less(_five_scores(scores), self.overstated)
        seen = zip(five, self.tables, told, strict=True)
        up, down = zip(*(_expected(h, table, score) for h, table, score in seen), strict=True)
        return Brows(up[0], (up[3], up[4]), (down[1], down[2]))


def heights_of(marks: NDArray, template: NDArray, points: NDArray | None = None) -> Double:
    """(2, 2) mm: inner and outer brows by right and left, as :func:`.brows.brow_heights` has them.

    ``points`` (10, 2) pixels are Google's brows in the places of the landmarks 17 to 26
    (:attr:`..network.face_landmarker.FaceMesh.brows`), which dlib's ``marks`` (68, 2) only follow
    in part: of one person's brows it sees the highest in the middle.  Where there are none,
    dlib's stand in, moved to where Google's rest.
    """
    if points is None:
        heights = by_detector.brow_heights(marks, template)
        return np.stack(heights) + RESTING_MM - by_detector.RESTING_MM
    marks = np.array(marks, np.float64)
    marks[_BROWS] = points
    return np.stack(by_detector.brow_heights(marks, template))


def _five(heights: Double) -> Double:
    """(N, 5) of (N, 2, 2): see :class:`RestingBrows`."""
    inner, whole = heights[:, 0], heights.mean(axis=1)
    return np.column_stack([inner.mean(axis=1), inner, whole])


def _five_scores(scores: Scores | None) -> tuple[Score, Score, Score, Score, Score]:
    """For each of the five heights."""
    ends, right, left = told_by(scores)
    return ends, ends, ends, right, left


def _moving(at_rest: float) -> Double:
    """(W,) how likely each of the movements is."""
    rest = np.abs(_MOVES) < 1e-9
    return np.where(rest, at_rest, (1 - at_rest) / (len(_MOVES) - 1))


def _less(scores: Sequence[Score], overstated: Sequence[float] | Double) -> list[Score]:
    """``scores`` less what they say too much, each its own."""
    return [
        None if one is None else (max(one[0] - float(more), 0.0), one[1])
        for one, more in zip(scores, overstated, strict=True)
    ]


def _posterior(heights: Double, lowered: Double, scores: Sequence[Score]) -> tuple[Double, float]:
    """(B,) of the resting heights, from (N,) heights, lowered weights and scores; and what is
    expected that the scores say too much."""
    prior = -(((_RESTS - RESTING_MM) / RESTING_SIGMA_MM) ** 2) / 2
    off = (heights[:, None, None] - _RESTS[:, None] - _MOVED_MM) / HEIGHT_SIGMA_MM
    read = (np.maximum(-_MOVES, 0) - lowered[:, None]) / LOWERED_SIGMA
    alone = -(off**2 + read[:, None] ** 2) / 2  # (N, B, W)
    count = FRAMES_COUNT / max(len(heights), 1)
    found = []
    for more, share in zip(OVERSTATED, OVERSTATED_SHARES, strict=True):
        told = _less(scores, [more] * len(scores))
        misfits = np.array([score_misfit(_MOVES, one, MISSING_SIGMA) for one in told])
        logs = alone - misfits.reshape(-1, 1, len(_MOVES))
        top = logs.max(axis=2, initial=-np.inf)
        likely = np.exp(logs - top[..., None])
        found.append(
            [
                np.log(share) + prior + count * (top + np.log(likely @ _moving(q))).sum(axis=0)
                for q in _AT_REST
            ]
        )
    likely = np.exp(np.array(found) - np.max(found)).sum(axis=1)  # (4, B)
    likely /= likely.sum()
    return likely.sum(axis=0), float(likely.sum(axis=1) @ OVERSTATED)


def _likely(shares: Double) -> Double:
    """(H, W) how likely each movement is at each height, the rest being spread so."""
    off = (_HEIGHTS[:, None, None] - _RESTS[:, None] - _MOVED_MM) / HEIGHT_SIGMA_MM
    logs = -(off**2) / 2
    likely = np.exp(logs - logs.max(axis=(1, 2), keepdims=True)) * shares[:, None]
    likely = likely.sum(axis=1) * _moving(_RESTS_NOW)
    return likely / likely.sum(axis=1, keepdims=True)


def _expected(height_mm: float, table: Double, score: Score) -> tuple[float, float]:
    """Raised and lowered weight to expect at a height, by its ``table`` (H, W), and its score."""
    place = np.interp(height_mm, _HEIGHTS, np.arange(len(_HEIGHTS)))
    below = min(int(place), len(_HEIGHTS) - 2)
    likely = table[below] + (place - below) * (table[below + 1] - table[below])
    likely = likely * np.exp(-score_misfit(_MOVES, score, MISSING_SIGMA))
    likely /= max(float(likely.sum()), 1e-300)
    return float(likely @ np.maximum(_MOVES, 0)), float(likely @ np.maximum(-_MOVES, 0))
