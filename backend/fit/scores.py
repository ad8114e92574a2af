"""What eyes and mouth look like to all networks that look at them, put together.

Two of our own see pixels and were taught by drawings (:mod:`..network.regions`); Google's sees
points and was taught by people (:mod:`..network.face_landmarker`).  On 79 labelled pictures of
people each is right where the other errs: ours takes lips that rest low for a frown, Google's a
shout for a smile, and both are blind to some weights (``docs/expressions.md``).  Readings of a
weight are Gaussians N(m, s^2), and independent enough for their precisions to be added.

A face mostly does not smile, so a smile needs evidence.  With a share q of faces whose weight is 0
and all others equally likely, what is expected of a weight read as m is

    E[w] = (1 - q) I_1 / ((1 - q) I_0 + q N(m; 0, s^2)),    I_k = integral of w^k N(m; w, s^2)

over w from 0 to 1: small readings, which noise explains, become less.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..network.face_landmarker import NAMES, PRESENT, FaceMesh, face_mesh
from ..network.region_crops import placed
from ..network.regions import SIDES, RegionReader, RegionReading
from .brows import Scores
from .lids import lids_apart_mm

Double = NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """How a score of Google's becomes a weight of ours."""

    gain: float
    sigma: float  #: of the weight
    least_sigma: float  #: ours is never surer beside it
    at_rest: float | None = None  #: share of faces whose weight is 0, where that counts


#: By the weights' names without their sides.  Gains by eye on the labelled pictures: scores of
#: drawn corners at 1 are below 0.1, and those of people who plainly pull them down 0.21 to 0.33.
SCALES = {
    "eyeBlink": Scale(1.0, 0.15, 0.15),
    "eyeLookDown": Scale(1.0, 0.15, 0.15),
    "browDown": Scale(1.0, 0.3, 0.2, 0.7),
    "mouthSmile": Scale(1.0, 0.2, 0.15, 0.7),
    "mouthFrown": Scale(3.0, 0.2, 0.2, 0.7),
    "mouthUpperUp": Scale(0.8, 0.2, 0.15),
    "mouthLowerDown": Scale(0.8, 0.2, 0.15),
    "jawOpen": Scale(1.0, 0.15, 0.15),
    "mouthPucker": Scale(1.0, 0.3, 0.6, 0.85),
}
#: The same of faces that speak, whose lips are rounded more often.  Full lips at rest, which score
#: up to 0.8 on two of 28 photos, are the person's.  Ours say at most 0.17 of rounded ones.
FRAME_SCALES = SCALES | {"mouthPucker": Scale(1.0, 0.25, 0.6, 0.5)}
#: Google's misses jaws that open a little, and is right about wide ones.
JAW = "jawOpen"
#: mm between open lids that rest, on 26 photos of people, and by how much the default head's
#: ``eyeWide`` parts them further; our networks saw 0.3 to 0.6 of it in five of those faces.
WIDE, WIDE_MM, RESTING_LIDS_MM, RESTING_LIDS_SIGMA_MM = "eyeWide", 3.7, 8.3, 1.4
#: Share of faces that do not stare, and how far what is expected of the weight is relied on.
WIDE_AT_REST, WIDE_SIGMA = 0.9, 0.15
#: Sine of the turn aside, as the landmarks have it (these see 70 degrees as 54), from which on one
#: eye is seen and Google's guesses: two drawn heads at rest scored 0.6 and 0.8 of raised brows.
LARGEST_TURN = 0.64
#: Crops that Google's sees of a photo, and of one of many frames, whose curves are smoothed.
PHOTO_LOOKS, FRAME_LOOKS = 4, 1


@dataclass(frozen=True, eq=False)
class Look:
    """What is read of one face."""

    regions: RegionReading  #: our networks' and, where these speak too, Google's together
    raised: Scores | None  #: of brows; None where no face is seen, or from the side
    irises: Double | None  #: (2, 2) pixels of the right and the left one, where a face is seen
    brows: Double | None  #: (10, 2) pixels of the landmarks 17 to 26, where a face is seen
    lids: Double | None  #: (2, 2, 2) as :mod:`.lids` has them, where a face is seen from the front


def look_at(
    reader: RegionReader,
    pixels: NDArray[np.uint8],
    marks: NDArray,
    looks: int,
    scales: Mapping[str, Scale] = SCALES,
) -> Look:
    """At the face with landmarks ``marks`` (68, 2) in ``pixels`` (H, W, 3) uint8 sRGB.

    ``looks`` as for :func:`~..network.face_landmarker.face_mesh`, ``scales`` of the scores.
    """
    regions, mesh = reader.read(pixels, marks), face_mesh(pixels, marks, looks)
    aside = abs(float(placed(marks, reader.template).hints[0, 0]))
    if aside > LARGEST_TURN:
        return Look(regions, None, mesh.irises, mesh.brows, None)
    look = together(regions, mesh, scales)
    if look.lids is None:
        return look
    wide = wide_of(lids_apart_mm(look.lids, marks, reader.template))
    return replace(look, regions=_said(look.regions, WIDE, wide, WIDE_SIGMA))


def together(regions: RegionReading, mesh: FaceMesh, scales: Mapping[str, Scale] = SCALES) -> Look:
    """``regions`` with what ``mesh`` says of the same weights."""
    if mesh.presence < PRESENT:
        return Look(regions, None, None, None, None)
    scores = dict(zip(NAMES, mesh.scores.tolist(), strict=True))
    mean, sigma = regions.mean.copy(), regions.sigma.copy()
    for i, name in enumerate(regions.names):
        scale = scales.get(bare(name))
        if scale is None or (name == JAW and scores[name] < mean[i]):
            continue
        mean[i], sigma[i] = _pooled(mean[i], sigma[i], scores[name], scale)
    raised = [scores[name] for name in ("browInnerUp", *("browOuterUp" + side for side in SIDES))]
    found = replace(regions, mean=mean, sigma=sigma)
    scores = (raised[0], raised[1], raised[2])
    return Look(found, scores, mesh.irises, mesh.brows, mesh.lids)


def wide_of(apart_mm: float) -> float:
    """What is expected of ``eyeWide`` where the lids are ``apart_mm`` apart."""
    reading = (apart_mm - RESTING_LIDS_MM) / WIDE_MM
    return expected(reading, RESTING_LIDS_SIGMA_MM / WIDE_MM, WIDE_AT_REST)


def _said(regions: RegionReading, weight: str, mean: float, sigma: float) -> RegionReading:
    """``regions`` that say N(``mean``, ``sigma``^2) of both sides of ``weight``."""
    both = np.array([bare(name) == weight for name in regions.names])
    return replace(
        regions,
        mean=np.where(both, mean, regions.mean),
        sigma=np.where(both, sigma, regions.sigma),
    )


def bare(name: str) -> str:
    """A weight's name without its side."""
    return name.removesuffix("Left").removesuffix("Right")


def _pooled(mean: float, sigma: float, score: float, scale: Scale) -> tuple[float, float]:
    """Ours, N(``mean``, ``sigma``^2), and Google's ``score``: mean and standard deviation."""
    ours, theirs = max(sigma, scale.least_sigma) ** -2.0, scale.sigma**-2.0
    precision = ours + theirs
    found = (ours * min(max(mean, 0.0), 1.0) + theirs * min(scale.gain * score, 1.0)) / precision
    spread = precision**-0.5
    if scale.at_rest is not None:
        found = expected(found, spread, scale.at_rest)
    return found, spread


def expected(mean: float, sigma: float, at_rest: float) -> float:
    """E[w] of a weight read as N(``mean``, ``sigma``^2), a share ``at_rest`` of faces having 0."""
    low, high = -mean / sigma, (1 - mean) / sigma
    inside = 0.5 * (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2)))
    first = mean * inside + sigma * (_normal(low) - _normal(high))
    whole = (1 - at_rest) * inside + at_rest * _normal(low) / sigma
    return (1 - at_rest) * first / max(whole, 1e-300)


def _normal(x: float) -> float:
    return math.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
