"""The estimate of a face for models that no network was trained for: landmarks, then the photo.

The shipped network predicts coefficients of the default model.  For any other it is asked only
where dlib's landmarks fail, and only for landmarks; shape, expression and colours then come from
the fit to these and from the refinement on the photo's pixels, under the model's own priors.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import NoFaceError
from ..model import DEFAULT_MODEL, FaceModel, load_model
from ..photo import Photo
from .contour import landmark_points
from .corrections import Corrections
from .faces import Face
from .gaze import estimate_gaze
from .mouth import visible_teeth
from .noise import dlib_noise
from .with_network import FaceFit, fit_face, regressor_for

if TYPE_CHECKING:  # torch is imported by those who need it
    from ..original.opinion import OpinionGiver

#: The network's landmarks err like dlib's whose votes disagree by this much of the face's side.
NETWORK_SPREAD = 0.02


def fit_on_photo(
    model: FaceModel,
    photo: Photo,
    face: Face,
    quality: str,
    corrections: Corrections | None = None,
    giver: OpinionGiver | None = None,
) -> FaceFit:
    """Fit ``model`` to the landmarks of ``face`` and refine it on the photo.

    ``quality`` "fast" leaves the refinement out.  Where there is a ``giver`` its network's answer
    takes the place of the mean face: the refinement starts there, and going away from it costs what
    going away from the mean does otherwise; "fast" gives the answer as it is, in its own pose.

    Raises :class:`NoFaceError` where neither dlib nor the network can read the face.
    """
    if face.landmarks is None:
        face = _with_network_landmarks(photo, face)
    fit = fit_face(model, photo, face, None, quality, corrections)
    if quality == "fast":
        return fit if giver is None else _as_told(model, photo, fit, giver)
    return _refined(model, photo, face, fit, quality, corrections, giver)


def _with_network_landmarks(photo: Photo, face: Face) -> Face:
    """``face`` with the landmarks of the default head that the network sees in it."""
    regressor = regressor_for(DEFAULT_MODEL)
    found = fit_face(load_model(), photo, face, regressor, "fast")
    if found.source != "network":
        raise NoFaceError(f"The face in {photo.path.name} cannot be read; choose another photo.")
    return replace(face, landmarks=np.asarray(found.detected, np.float64), spread=NETWORK_SPREAD)


def _as_told(model: FaceModel, photo: Photo, fit: FaceFit, giver: OpinionGiver) -> FaceFit:
    """``fit`` with the shape, expression and pose that the giver's network says."""
    told = giver.ask(photo.pixels, fit.detected)
    camera = told.camera
    vertices = model.vertices(told.identity, told.expression)
    points = landmark_points(model, vertices, fit.landmarks68)
    apart = np.linalg.norm(camera.project(points) - fit.observed, axis=1)
    return replace(
        fit,
        camera=camera,
        identity=told.identity.astype(np.float32),
        expression=told.expression.astype(np.float32),
        landmarks3d=points.astype(np.float32),
        error_px=float(apart.mean()),
    )


def _refined(
    model: FaceModel,
    photo: Photo,
    face: Face,
    fit: FaceFit,
    quality: str,
    corrections: Corrections | None,
    giver: OpinionGiver | None,
) -> FaceFit:
    from .refine import Observation, Prior, State, refine

    given = corrections or Corrections(None, face.side)
    height, width = photo.pixels.shape[:2]
    observation = Observation(
        image=fit.crop.image,
        to_photo=fit.crop.to_photo,
        image_size=(width, height),
        grey=photo.grey,
        landmarks=np.asarray(fit.detected, np.float64),
        noise=given.noise(dlib_noise(), face.spread),
        spread=face.spread,
    )
    start = State(fit.camera, fit.identity.astype(float), fit.expression.astype(float))
    teeth = visible_teeth(photo.pixels, fit.detected)
    prior = Prior.of_model(model).seeing_teeth(model.expression_names, teeth)
    if giver is not None:
        told = giver.ask(photo.pixels, fit.detected)
        start = replace(start, identity=told.identity, expression=told.expression)
        prior = replace(prior, identity=told.identity, expression=told.expression)
    known = photo.focal_px is not None and np.isclose(fit.camera.focal, photo.focal_px)
    refined = refine(model, observation, start, prior, quality, bool(known))
    state = refined.state
    expression = state.expression.astype(np.float32)
    vertices = model.vertices(state.identity, expression)
    points = landmark_points(model, vertices, refined.landmarks68)
    seen = state.camera.project(points)
    gaze = estimate_gaze(model, photo.pixels, fit.observed, vertices, state.camera)
    looks = gaze != 0
    expression[looks] = gaze[looks]
    lit = state.albedo is not None and state.sh_light is not None
    return replace(
        fit,
        camera=state.camera,
        identity=state.identity.astype(np.float32),
        expression=expression,
        albedo=np.asarray(state.albedo, np.float32) if lit else fit.albedo,
        sh_light=np.asarray(state.sh_light, np.float32) if lit else fit.sh_light,
        landmarks68=refined.landmarks68,
        landmarks3d=points.astype(np.float32),
        error_px=float(np.linalg.norm(seen - fit.observed, axis=1).mean()),
        inlier=refined.inlier if lit else None,
        residual=refined.residual if lit else None,
    )
