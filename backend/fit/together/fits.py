"""From the evidence about one person in several photos to the fit of one head to each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...exchange.options import Options
from ...geometry.chunks import each
from ...model import FaceModel
from ...photo import Photo
from .. import begin, schedule_of
from ..evidence import Evidence
from ..observation import Beginning, Refined
from ..refine import refine
from ..result import FaceFit, of_refined
from .joint import Sight, solve_together


@dataclass(frozen=True, eq=False)
class Sighted:
    """One photo before all are fitted together: its evidence, and the head by itself."""

    evidence: Evidence
    begun: Beginning
    alone: FaceFit  #: by landmarks and priors
    refined: Refined  #: of which ``alone`` was read off


def sighted(evidence: Evidence, model: FaceModel) -> Sighted:
    """Of one photo, whose pixels are looked at."""
    begun = begin(evidence, model)
    refined = refine(
        model, evidence.observation(), begun.start, begun.prior, "fast", begun.focal_known
    )
    read = begun.start.identity if begun.source == "network" else None
    alone = of_refined(evidence, model, refined, begun.source, read)
    return Sighted(evidence, begun, alone, refined)


def without_pixels(photo: Photo) -> Photo:
    """``photo`` as an empty picture of its size, which takes no memory."""
    empty = np.broadcast_to(np.zeros((), np.uint8), photo.pixels.shape)
    return replace(photo, pixels=empty)


def fit_together(
    photos: Sequence[Sighted],
    model: FaceModel,
    options: Options,
    weights: Sequence[float] | None = None,
    identity: NDArray | None = None,
) -> list[Refined]:
    """One head for all ``photos``, each with its own camera, light and expression.

    ``weights`` (0..1) are how far each is believed.  ``identity`` (K,) is kept where it is known.
    What is found is read off with the photos' pixels by :func:`fit_of`.
    """
    given = [schedule_of(one.evidence, options) for one in photos]
    # Where one goes by landmarks alone, all do.
    quality = "fast" if "fast" in given else options.quality
    if identity is not None:

        def held(one: Sighted) -> Refined:
            begun = replace(one.begun, start=one.refined.state).holding(identity)
            seen = one.evidence.observation()
            return refine(model, seen, begun.start, begun.prior, quality, begun.focal_known)

        return each(held, photos)
    believed = [1.0] * len(photos) if weights is None else list(weights)
    sights = [
        Sight(one.evidence.observation(), one.begun, one.refined.state, weight)
        for one, weight in zip(photos, believed, strict=True)
    ]
    return solve_together(model, sights, quality)


def fit_of(one: Sighted, model: FaceModel, refined: Refined) -> FaceFit:
    """What ``refined`` says of the photo, whose pixels the evidence of ``one`` has again."""
    return of_refined(one.evidence, model, refined, one.begun.source)
