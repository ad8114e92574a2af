"""How far a result can be relied on, from what was measured on the way to it.

The score is the error of the clearest tenth of drawn pictures over the one to be expected here.
What tells it was found on 1,267 drawings with known heads (pictures of 70 to 384 pixels, within 62
degrees, four of ten as JPEG): the logarithm of the posed face's error by least squares on each
piece of evidence.  The network's own expected error tells most, then how far its landmarks lie from
the detector's, what the light leaves unexplained, and large movements of the face in the solve.
Photos of people have more of all these than drawings: of 28 half have at least 0.68, and five,
plainly the hardest, less than 0.55.  See ``docs/expressions.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .evidence import Evidence
from .result import FaceFit

#: A score from which on a head is as good as most people's: the error to be expected is at most
#: 1.8 times that of the clearest drawings, 1.5 times that of most.
GOOD_FROM = 0.55
#: Mean landmark error, as a part of the face box's side, from which on a fit is called poor.
POOR_FIT = 0.04


@dataclass(frozen=True)
class Confidence:
    """0 a guess, 1 as good as it gets; and why it is not 1, in sentences for the user."""

    score: float
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class _Ramp:
    """A factor of the score: 1 up to ``good``, ``least`` from ``bad`` on, its logarithm straight
    between.

    From ``told`` on it is worth the sentence.
    """

    good: float
    bad: float
    least: float
    told: float
    sentence: str

    def share(self, value: float, end: float) -> float:
        """How much of the way from ``good`` to ``end``."""
        return (value - self.good) / (end - self.good)

    def factor(self, value: float) -> float:
        return self.least ** min(max(self.share(value, self.bad), 0.0), 1.0)


# "sigma", "disagreement" and "residual" begin where the clearest tenth of the drawings ends,
# "moved" above their median: beneath that it tells nothing.  They fall by exp(-23.5), exp(-4.4) and
# exp(-2.2) a unit and exp(-0.17 / mm), as least squares have it but for the light, which has 1.8
# there and tells more of Cycles' heads.  With the network a turned or small head is hardly worse
# than a frontal, large one; its far half or its skin is a guess all the same, which the likeness
# pays for.  That, and what is beyond all that the drawings have (half the face or the mouth
# covered), is set by hand.
_RAMPS = {
    "moved": _Ramp(
        1.35,
        4.0,
        0.64,
        4.5,
        "The photo pulls the face {:.1f} mm away from the first look at it; check the preview.",
    ),
    "sigma": _Ramp(
        0.0115,
        0.0465,
        0.44,
        0.036,
        "The face is hard to read here; check the preview.",
    ),
    "residual": _Ramp(
        0.052,
        0.302,
        0.58,
        0.27,
        "The light on the face is too uneven to be explained, so skin and shape are less certain.",
    ),
    "yaw": _Ramp(
        15.0,
        50.0,
        0.95,
        40.0,
        "The head is turned {:.0f} degrees to the side, so its far half is guessed; a photo from "
        "the front gives a better likeness.",
    ),
    "face": _Ramp(
        130.0,
        40.0,
        0.9,
        78.0,
        "The face is only {:.0f} pixels wide, so shape and texture are vague; use a larger "
        "picture.",
    ),
    "spread": _Ramp(
        0.02,
        0.08,
        0.95,
        0.0267,
        "The landmarks are uncertain here (a side view, or something covers the face).",
    ),
    "disagreement": _Ramp(
        0.018,
        0.118,
        0.64,
        0.075,
        "Two ways of finding the face's features disagree by {:.0%} of its size; check the "
        "preview.",
    ),
    "covered": _Ramp(
        0.45,
        0.65,
        0.6,
        0.58,
        "About {:.0%} of the face looks unlike skin in this light (hair, glasses, a hand, a hard "
        "shadow), so its shape is partly guessed.",
    ),
    "hidden": _Ramp(
        0.0,
        0.25,
        0.5,
        0.2,
        "Something covers the mouth (a mask, a bar, a scarf), so jaw, lips and {:.0%} of the "
        "landmarks are guessed.",
    ),
}


def assess(
    yaw_degrees: float,
    face_px: float,
    *,
    spread: float | None = None,
    disagreement: float | None = None,
    network_sigma: float | None = None,
    inlier: float | None = None,
    hidden: float | None = None,
    residual: float | None = None,
    moved_mm: float | None = None,
) -> Confidence:
    """The reliability of one result; what is None was not measured and does not count.

    ``yaw_degrees`` of the head, ``face_px`` the side of the face's box, ``spread`` of the
    detector's votes (over the box's side), ``disagreement`` the mean distance between the
    detector's and the network's landmarks and ``network_sigma`` the network's own mean expected
    error (both over the box's side), ``inlier`` and ``residual`` of :class:`~.refine.Refined`,
    ``hidden`` the share of the landmarks that something covers, ``moved_mm`` of
    :class:`~.result.FaceFit`.
    """
    measured = {
        "yaw": abs(yaw_degrees),
        "face": face_px,
        "spread": spread,
        "disagreement": disagreement,
        "sigma": network_sigma,
        "covered": None if inlier is None else 1 - inlier,
        "hidden": hidden,
        "residual": residual,
        "moved": moved_mm,
    }
    score, reasons = 1.0, []
    for name, value in measured.items():
        if value is None:
            continue
        ramp = _RAMPS[name]
        score *= ramp.factor(value)
        # The worst first: what is furthest beyond where it begins to be worth a sentence.
        if (beyond := ramp.share(value, ramp.told)) > 1:
            reasons.append((-beyond, ramp.sentence.format(value)))
    return Confidence(score, tuple(sentence for _, sentence in sorted(reasons)))


def confidence_of(evidence: Evidence, fit: FaceFit) -> Confidence:
    """The reliability of ``fit``."""
    return assess(
        fit.camera.euler_degrees[0],
        evidence.face.side,
        spread=evidence.face.spread,
        disagreement=fit.disagreement,
        network_sigma=fit.network_sigma,
        inlier=fit.inlier,
        hidden=None if evidence.covering is None else evidence.covering.share,
        residual=fit.residual,
        moved_mm=fit.moved_mm,
    )


def warnings_of(evidence: Evidence, fit: FaceFit) -> Iterator[str]:
    """What else the user should know of ``fit``, in sentences."""
    if evidence.reading is not None and evidence.reading.note:
        yield evidence.reading.note
    width, height = evidence.image_size
    x, y = fit.detected.T
    outside = np.count_nonzero((x < 0) | (y < 0) | (x > width - 1) | (y > height - 1))
    if outside > 3:
        yield f"The face is cut off by the picture's edge ({outside} of 68 landmarks lie outside)."
    side = evidence.face.side
    if fit.error_px > POOR_FIT * side:
        yield (
            f"The head fits the landmarks poorly ({fit.error_px / side:.1%} of the face's "
            "size); check the preview."
        )
