"""The fit that starts from the shipped network: its reading, refined on the photo.

The network's answer is start and, pooled with the face model's own prior, prior of the refinement
on landmarks and pixels; the expression's are :mod:`.expression_prior`'s where there are landmarks.
It speaks of the default model; for imported ones :mod:`.translated` says the same in their terms.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import Camera
from ..model import DEFAULT_MODEL, FaceModel, load_model
from .covering import UNSEEN_EXPRESSIONS
from .evidence import Evidence, plausible
from .expression_prior import expression_prior
from .observation import Beginning, State
from .prior import Prior
from .reading import CROP_SIZE, Reading
from .reading_noise import identity_precision
from .result import FaceFit, of_refined
from .translated import Translation

#: Standard deviation of the log of the network's distance.
DISTANCE_SIGMA = 0.35
#: How much the network counts beside the face model's own prior, 0 to 1.  Chosen on 24 rendered
#: heads (``bench accuracy --seed 99``): 0.25 to 1 are within 0.01 mm of each other.
NETWORK_SHARE = 0.6
#: The same of a face half of which is covered: the network was trained on few of these.
COVERED_SHARE = 0.3
#: How often its identity counts: landmarks and pixels err together, as one model's do, and would be
#: trusted so much more than they deserve.  With 1 the identities of 1,100 drawn pictures come out
#: 1.14 times too far from the average (regression of the truth on them).  Chosen on drawings, 47
#: Cycles heads and 51 film frames: 3, 4 and 5 leave the heads' surface 0.594, 0.587 and 0.584 mm
#: off in the mean, one person's heads 1.57, 1.47 and 1.38 mm apart, other people's 2.62, 2.54 and
#: 2.47.
IDENTITY_WEIGHT = 4.0
#: How often what is said of the brows counts, for the same reason: else a resting brow of the 15
#: labelled frames is lowered.  Of all expressions it would cost the posed surface 0.01 mm.
BROWS_WEIGHT = 4.0


def fit_with_network(
    evidence: Evidence, model: FaceModel, quality: str, identity: NDArray | None = None
) -> FaceFit:
    """Refine what the network reads; ``identity`` (K,) is kept where it is known."""
    from .refine import refine

    begun = begin_with_network(evidence, model)
    if identity is not None:
        begun = begun.holding(identity)
    refined = refine(
        model, evidence.observation(), begun.start, begun.prior, quality, begun.focal_known
    )
    read = begun.start.identity if identity is None else None
    return of_refined(evidence, model, refined, begun.source, read)


def begin_with_network(evidence: Evidence, model: FaceModel) -> Beginning:
    """Where the refinement of what the network reads starts."""
    reading = evidence.reading
    assert reading is not None
    estimate = reading.estimate
    known = load_model(DEFAULT_MODEL)
    camera, focal_known = _camera(evidence, known, reading)
    start = State(
        camera, estimate.identity, estimate.expression, estimate.albedo, estimate.sh_light
    )
    prior = posterior(reading, float(camera.translation[2]))
    translation = Translation.to(model)
    if translation is not None:
        start, prior = translation.translate(start, prior)
    # Pooled with the habits of people in photos: rare shapes stay small.
    habits = Prior.of_model(model)
    covered = evidence.covering is not None
    prior = prior.pooled(habits, COVERED_SHARE if covered else NETWORK_SHARE)
    if evidence.opinions is not None and translation is None:
        prior = expression_prior(prior, habits, evidence.opinions, model.expression_names)
        prior = prior.surer_of(model.expression_names, "brow", BROWS_WEIGHT)
        start = replace(start, expression=np.clip(prior.expression, *model.expression_range.T))
    if covered:
        prior = prior.not_seeing(model.expression_names, UNSEEN_EXPRESSIONS, habits)
        start = replace(start, expression=prior.expression)
    prior = prior.seeing_teeth(model.expression_names, evidence.teeth)
    return Beginning(start, prior, focal_known, "network")


def posterior(reading: Reading, distance_mm: float) -> Prior:
    """What the network knows, as a prior: its estimate and its measured error.

    That of the identity is :mod:`.reading_noise`'s, which was measured on what photos are like.
    """
    estimate, k = reading.estimate, len(reading.estimate.identity)
    return Prior(
        identity=estimate.identity,
        identity_precision=IDENTITY_WEIGHT * identity_precision(),
        expression=estimate.expression,
        expression_precision=np.linalg.inv(reading.shape_covariance[k:, k:]),
        albedo=estimate.albedo,
        albedo_precision=np.linalg.inv(reading.albedo_covariance),
        distance_mm=distance_mm,
        distance_sigma=DISTANCE_SIGMA,
    )


def _camera(evidence: Evidence, model: FaceModel, reading: Reading) -> tuple[Camera, bool]:
    """The photo's camera as the network sees it, and whether its focal length is EXIF's."""
    from ..network.crop_camera import photo_camera
    from ..network.layout import anchor_of

    pose, focal_px = reading.estimate.pose, evidence.photo.focal_px
    place = (anchor_of(model), reading.crop.to_photo, CROP_SIZE, evidence.image_size)
    for focal in (focal_px, None):
        camera = photo_camera(pose, *place, focal)
        if focal is None or plausible(camera):
            break
    return camera, focal is not None
