"""The fit of a model that the shipped network does not know: landmarks, then the photo.

Shape, expression and colours come from the landmarks and from the refinement on the photo's pixels,
under the model's own priors or what a network of the user's own says.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..model import FaceModel
from ..model.contour import landmark_points
from .covering import UNSEEN_EXPRESSIONS
from .evidence import Evidence, plausible
from .gaze import estimate_gaze
from .landmark_fit import fit_landmarks
from .observation import Beginning, State
from .prior import Prior
from .result import FaceFit, of_refined

if TYPE_CHECKING:  # torch is imported by those who need it
    from ..original.answer import NetworkAnswer


def fit_to_landmarks(evidence: Evidence, model: FaceModel) -> FaceFit:
    """The fit to the 68 landmarks alone."""
    photo, marks = evidence.photo, evidence.marks
    fit_to = partial(
        fit_landmarks,
        model,
        marks,
        evidence.image_size,
        teeth=evidence.teeth,
        noise=evidence.noise,
        spread=evidence.spread,
    )
    focal = photo.focal_px
    fit = fit_to(focal_px=focal)
    if focal and not plausible(fit.camera):
        focal, fit = None, fit_to()
    vertices = model.vertices(fit.identity, fit.expression)
    gaze = estimate_gaze(model, evidence.irises, marks, vertices, fit.camera)
    if gaze.any():
        fit = fit_to(focal_px=focal, gaze=gaze, start=fit)
    return FaceFit(
        camera=fit.camera,
        identity=fit.identity,
        expression=fit.expression,
        albedo=np.empty(0, np.float32),
        sh_light=np.zeros((9, 3), np.float32),
        landmarks68=fit.landmarks68,
        landmarks3d=fit.landmarks3d,
        observed=fit.observed,
        crop=evidence.crop,
        error_px=fit.error_px,
        source="landmarks",
        detected=marks.astype(np.float32),
    )


def fit_without_network(
    evidence: Evidence, model: FaceModel, quality: str, identity: NDArray | None = None
) -> FaceFit:
    """Fit ``model`` to the landmarks and refine it on the photo.

    Where a network of the user's own was asked, its answer takes the place of the mean face: the
    refinement starts there, and going away from it costs what going away from the mean does
    otherwise.  ``quality`` "fast" leaves the refinement out and gives such an answer as it is, in
    its own pose.  ``identity`` (K,) is kept where it is known.
    """
    from .refine import refine

    fit = fit_to_landmarks(evidence, model)
    answer = evidence.answer
    if quality == "fast" and identity is None:
        return fit if answer is None else _as_answered(evidence, model, fit, answer)
    begun = _begin(evidence, model, fit)
    if identity is not None:
        begun = begun.holding(identity)
    refined = refine(
        model, evidence.observation(), begun.start, begun.prior, quality, begun.focal_known
    )
    return of_refined(evidence, model, refined, begun.source)


def begin_without_network(evidence: Evidence, model: FaceModel) -> Beginning:
    """Where the refinement starts: with the landmarks, or what a network of the user's says."""
    return _begin(evidence, model, fit_to_landmarks(evidence, model))


def _begin(evidence: Evidence, model: FaceModel, fit: FaceFit) -> Beginning:
    answer = evidence.answer
    start = State(fit.camera, fit.identity.astype(float), fit.expression.astype(float))
    prior = Prior.of_model(model).seeing_teeth(model.expression_names, evidence.teeth)
    if answer is not None:
        start = replace(start, identity=answer.identity, expression=answer.expression)
        prior = replace(prior, identity=answer.identity, expression=answer.expression)
    if evidence.covering is not None:
        own = Prior.of_model(model)
        prior = prior.not_seeing(model.expression_names, UNSEEN_EXPRESSIONS, own)
        start = replace(start, expression=prior.expression)
    focal = evidence.photo.focal_px
    known = focal is not None and bool(np.isclose(fit.camera.focal, focal))
    return Beginning(start, prior, known, "landmarks")


def _as_answered(
    evidence: Evidence, model: FaceModel, fit: FaceFit, answer: NetworkAnswer
) -> FaceFit:
    """``fit`` with the shape, expression and pose that the user's network says."""
    vertices = model.vertices(answer.identity, answer.expression)
    points = landmark_points(model, vertices, fit.landmarks68)
    apart = np.linalg.norm(answer.camera.project(points) - fit.observed, axis=1)
    return replace(
        fit,
        camera=answer.camera,
        identity=answer.identity.astype(np.float32),
        expression=answer.expression.astype(np.float32),
        landmarks3d=points.astype(np.float32),
        error_px=float(apart.mean()),
    )
