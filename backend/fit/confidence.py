"""How far a result can be relied on, from what was measured on the way to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .evidence import Evidence
from .result import FaceFit

#: A piece of evidence that takes away this much of the score is worth a sentence.
WORTH_SAYING = 0.6
#: Mean landmark error, as a part of the face box's side, from which on a fit is called poor.
POOR_FIT = 0.04


@dataclass(frozen=True)
class Confidence:
    """0 a guess, 1 as good as it gets; and why it is not 1, in sentences for the user."""

    score: float
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class _Ramp:
    """A factor of the score: 1 up to ``good``, ``least`` from ``bad`` on, straight between."""

    good: float
    bad: float
    least: float
    sentence: str

    def factor(self, value: float) -> float:
        share = (value - self.good) / (self.bad - self.good)
        return 1 - (1 - self.least) * min(max(share, 0.0), 1.0)


# Turned heads and scattered landmarks weigh less than they would for a fit to landmarks: with the
# network, the posed shape of heads turned by 60 to 75 degrees is a fifth worse than that of frontal
# ones (``bench accuracy``); their far half is still a guess.
_RAMPS = {
    "yaw": _Ramp(
        15.0,
        50.0,
        0.45,
        "The head is turned {:.0f} degrees to the side, so its far half is guessed; a photo from "
        "the front gives a better likeness.",
    ),
    "face": _Ramp(
        130.0,
        40.0,
        0.3,
        "The face is only {:.0f} pixels wide, so shape and texture are vague; use a larger "
        "picture.",
    ),
    "spread": _Ramp(
        0.016,
        0.028,
        0.55,
        "The landmarks are uncertain here (a side view, or something covers the face).",
    ),
    "disagreement": _Ramp(
        0.03,
        0.10,
        0.2,
        "Two ways of finding the face's features disagree by {:.0%} of its size; check the "
        "preview.",
    ),
    "sigma": _Ramp(
        0.020,
        0.045,
        0.4,
        "The face is hard to read here; check the preview.",
    ),
    "covered": _Ramp(
        0.30,
        0.65,
        0.4,
        "About {:.0%} of the face looks unlike skin in this light (hair, glasses, a hand, a hard "
        "shadow), so its shape is partly guessed.",
    ),
    "hidden": _Ramp(
        0.0,
        0.25,
        0.5,
        "Something covers the mouth (a mask, a bar, a scarf), so jaw, lips and {:.0%} of the "
        "landmarks are guessed.",
    ),
    "residual": _Ramp(
        0.15,
        0.30,
        0.5,
        "The light on the face is too uneven to be explained, so skin and shape are less certain.",
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
) -> Confidence:
    """The reliability of one result; what is None was not measured and does not count.

    ``yaw_degrees`` of the head, ``face_px`` the side of the face's box, ``spread`` of the
    detector's votes (over the box's side), ``disagreement`` the mean distance between the
    detector's and the network's landmarks and ``network_sigma`` the network's own mean expected
    error (both over the box's side), ``inlier`` and ``residual`` of :class:`~.refine.Refined`,
    ``hidden`` the share of the landmarks that something covers.
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
    }
    score, reasons = 1.0, []
    for name, value in measured.items():
        if value is None:
            continue
        factor = _RAMPS[name].factor(value)
        score *= factor
        if factor < WORTH_SAYING:
            reasons.append((factor, _RAMPS[name].sentence.format(value)))
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
