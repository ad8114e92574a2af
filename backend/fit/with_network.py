"""The estimate of one face: the network's, the landmarks', and the refinement on the photo.

Landmarks say where things are, the network what the rest looks like, and the photo's pixels decide
between them.  Where landmarks are guesses or not wanted, the network finds its own crop in a few
looks.  Without a network a face is fitted to its landmarks alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from ..align import Crop, box_quad, ffhq_crop, quad_crop
from ..errors import NoFaceError
from ..geometry.camera import Camera
from ..model import DEFAULT_MODEL, FaceModel, load_model
from ..photo import Photo
from .contour import landmark_points
from .corrections import Corrections
from .faces import Face
from .gaze import estimate_gaze
from .landmark_fit import fit_landmarks
from .mouth import visible_teeth
from .noise import LandmarkNoise, dlib_noise

if TYPE_CHECKING:  # torch is imported by those who need it
    from ..network.predict import Estimate, Regressor
    from .refine import Prior, Refined

Float = NDArray[np.float32]
Double = NDArray[np.float64]

CROP_SIZE = 224
#: EXIF of a cropped or edited photo can put the head at an impossible distance.
PLAUSIBLE_DISTANCE_MM = (200.0, 8000.0)
#: Standard deviation of the log of the network's distance.
DISTANCE_SIGMA = 0.35
#: How much the network's opinion counts beside the face model's own prior, 0 to 1.
NETWORK_SHARE = 0.6
#: Variance of dlib's errors where the network's landmarks, which are better, stand beside them: of
#: what was measured.
DETECTOR_VARIANCE = 4.0
#: Of an identity that is given, standard deviations.
KNOWN_IDENTITY_SIGMA = 1e-3
#: Crops beside the first whose estimates are averaged: turned by degrees, enlarged.
_LOOKS: dict[str, tuple[tuple[float, float], ...]] = {
    "fast": (),
    "balanced": ((5.0, 0.96), (-5.0, 1.05)),
    "best": ((5.0, 0.96), (-5.0, 1.05), (9.0, 1.0), (-9.0, 1.0), (0.0, 0.92), (0.0, 1.09)),
}
#: Looks at crops that the network finds itself, where there are no landmarks.
_OWN_CROPS = 2
#: dlib's landmarks lie so far from the network's, in sides of the face's box, when one is wrong.
DISAGREEMENT = 0.10
#: Where the network expects its landmarks to err by more of the box's side, there is no face: 28
#: photos have 0.012 to 0.033, 60 renderings up to 0.028, patches beside faces 0.088 to 0.16, and
#: backgrounds and noise from 0.111 on.
UNREADABLE_SIGMA = 0.055


@dataclass(frozen=True, eq=False)
class FaceFit:
    """What was found about one face."""

    camera: Camera  #: of the photo
    identity: Float  #: (K,)
    expression: Float  #: (E,)
    albedo: Float  #: (A,) empty where only landmarks were used
    sh_light: Float  #: (9, 3) zero where only landmarks were used
    landmarks68: NDArray[np.int32]  #: (68,) nearest vertex ids as seen in this view
    landmarks3d: Float  #: (68, 3) posed, head coordinates, mm
    observed: Float  #: (68, 2) where the photo has them, as well as is known
    crop: Crop
    error_px: float  #: mean distance of fitted landmarks from ``observed``
    source: str  #: "network" or "landmarks"
    detected: Float  #: (68, 2) dlib's landmarks, or the network's where those were not used
    disagreement: float | None = None  #: of dlib and the network, in sides of the face's box
    inlier: float | None = None  #: share of the visible skin that the refined head explains
    residual: float | None = None  #: how far its colours miss the photo's, log
    network_sigma: float | None = None  #: the network's own expected error, in the box's sides


@lru_cache(maxsize=2)
def regressor_for(model_name: str) -> Regressor | None:
    """The shipped network where it was trained for the face model, else None."""
    if model_name != DEFAULT_MODEL:
        return None
    from ..network.predict import Regressor

    return Regressor(load_model(model_name))


def fit_face(
    model: FaceModel,
    photo: Photo,
    face: Face,
    regressor: Regressor | None,
    quality: str,
    corrections: Corrections | None = None,
    identity: NDArray | None = None,
) -> FaceFit:
    """Estimate ``face``; without ``regressor`` from its landmarks alone.

    ``corrections`` are landmarks set by hand, which come before any that were found.
    ``identity`` (K,) is kept where it is known; only with ``regressor``.

    Raises :class:`NoFaceError` where neither landmarks nor network can read a face.
    """
    if regressor is not None:
        return _NetworkFit(model, photo, face, regressor, quality, corrections, identity).run()
    if face.landmarks is None:
        raise _unreadable(photo)
    return _fit_to_landmarks(model, photo, face, face.landmarks, corrections)


def _unreadable(photo: Photo) -> NoFaceError:
    return NoFaceError(
        f"The face in {photo.path.name} is turned too far to the side, or too much of it is "
        "covered, for its landmarks to be found; choose a photo that shows both eyes."
    )


class _NetworkFit:
    """One face: look, look again, refine."""

    def __init__(
        self,
        model: FaceModel,
        photo: Photo,
        face: Face,
        regressor: Regressor,
        quality: str,
        corrections: Corrections | None,
        identity: NDArray | None = None,
    ) -> None:
        self.model, self.photo, self.face = model, photo, face
        self.identity = identity
        self.corrections = corrections or Corrections(None, face.side)
        self.noise = self.corrections.noise(dlib_noise().scaled(DETECTOR_VARIANCE), face.spread)
        self.regressor, self.quality = regressor, quality
        height, width = photo.pixels.shape[:2]
        self.image_size = (width, height)

    def run(self) -> FaceFit:
        marks = self.face.landmarks
        if marks is not None:
            marks = self.corrections.marks(marks)
            crop = ffhq_crop(self.photo.pixels, marks)
            estimate = self._estimate(crop)
            found = self._network_landmarks(crop, estimate)
            apart = float(np.linalg.norm(found - marks, axis=1).mean()) / self.face.side
            if apart > DISAGREEMENT:
                marks = None
        if marks is None:
            crop, estimate = self._own_crop()
            found, apart = self._network_landmarks(crop, estimate), None
            if self._sigma(crop, estimate) > UNREADABLE_SIGMA:
                # Then nothing speaks for the network and against dlib.
                return fit_face(
                    self.model, self.photo, self.face, None, self.quality, self.corrections
                )
        found = self.corrections.marks(found)
        refined = self._refine(crop, estimate, marks, found)
        return self._result(crop, estimate, refined, marks, found, apart)

    def _own_crop(self) -> tuple[Crop, Estimate]:
        """The crop by the network's landmarks, from the detector's box in a few looks."""
        detection = self.face.detection
        crop = quad_crop(self.photo.pixels, box_quad(detection.box, detection.quarter_turns))
        for _ in range(_OWN_CROPS):
            marks = self._network_landmarks(crop, self.regressor.regress(crop.image[None])[0])
            crop = ffhq_crop(self.photo.pixels, marks)
        return crop, self._estimate(crop)

    def _estimate(self, crop: Crop) -> Estimate:
        """The network's, averaged over slightly different crops but for the pose."""
        looks = [crop.image, *(_turned(crop.image, *look) for look in _LOOKS[self.quality])]
        return merged(self.regressor.regress(np.stack(looks)))

    def _sigma(self, crop: Crop, estimate: Estimate) -> float:
        """The network's expected error, in sides of the face's box."""
        pixels = estimate.landmark_sigma.mean() * crop.zoom * CROP_SIZE / 2
        return float(pixels / self.face.side)

    def _network_landmarks(self, crop: Crop, estimate: Estimate) -> Double:
        """(68, 2) pixels of the photo."""
        marks = self.regressor.landmarks(estimate, CROP_SIZE)
        return np.c_[marks, np.ones(68)] @ crop.to_photo[:2].T

    def _refine(
        self, crop: Crop, estimate: Estimate, marks: NDArray | None, found: Double
    ) -> Refined:
        from ..network.crop_camera import photo_camera
        from ..network.layout import anchor_of
        from .refine import Observation, Prior, State, refine
        from .refine.priors import NETWORK_SIGMA_SCALE

        place = (anchor_of(self.model), crop.to_photo, CROP_SIZE, self.image_size)
        camera = photo_camera(estimate.pose, *place, self.photo.focal_px)
        known = self.photo.focal_px is not None
        if known and not _plausible(camera):
            camera, known = photo_camera(estimate.pose, *place), False
        observation = Observation(
            image=crop.image,
            to_photo=crop.to_photo,
            image_size=self.image_size,
            grey=self.photo.grey,
            landmarks=None if marks is None else np.asarray(marks, np.float64),
            noise=self.noise,
            spread=self.face.spread,
            network_landmarks=found,
            network_sigma=self.corrections.sigmas(
                estimate.landmark_sigma * crop.zoom * CROP_SIZE / 2, NETWORK_SIGMA_SCALE
            ),
        )
        start = State(
            camera, estimate.identity, estimate.expression, estimate.albedo, estimate.sh_light
        )
        teeth = visible_teeth(self.photo.pixels, found if marks is None else marks)
        habits = Prior.of_model(self.model)  # of people in photos: rare shapes stay small
        known_to_network = posterior(self.regressor, estimate, float(camera.translation[2]))
        prior = known_to_network.pooled(habits, NETWORK_SHARE)
        prior = prior.seeing_teeth(self.model.expression_names, teeth)
        if self.identity is not None:
            known_shape = np.asarray(self.identity, np.float64)
            sure = np.full(len(known_shape), KNOWN_IDENTITY_SIGMA**-2.0)
            prior = replace(prior, identity=known_shape, identity_precision=sure)
            start = replace(start, identity=known_shape)
        return refine(self.model, observation, start, prior, self.quality, known)

    def _result(
        self,
        crop: Crop,
        estimate: Estimate,
        refined: Refined,
        marks: NDArray | None,
        found: Double,
        apart: float | None,
    ) -> FaceFit:
        state, model = refined.state, self.model
        assert state.albedo is not None and state.sh_light is not None  # as the start's
        expression = state.expression.astype(np.float32)
        vertices = model.vertices(state.identity, expression)
        points = landmark_points(model, vertices, refined.landmarks68)
        seen = state.camera.project(points)
        if marks is None:
            observed = self.corrections.marks(seen)
        else:
            observed = _unbiased(marks, state.camera, points, self.noise)
        gaze = estimate_gaze(model, self.photo.pixels, observed, vertices, state.camera)
        looks = gaze != 0
        if looks.any():
            look = [name.startswith("eyeLook") for name in model.expression_names]
            expression[look] = gaze[look]
        return FaceFit(
            camera=state.camera,
            identity=state.identity.astype(np.float32),
            expression=expression,
            albedo=state.albedo.astype(np.float32),
            sh_light=state.sh_light.astype(np.float32),
            landmarks68=refined.landmarks68,
            landmarks3d=points.astype(np.float32),
            observed=observed.astype(np.float32),
            detected=(found if marks is None else marks).astype(np.float32),
            crop=crop,
            error_px=float(np.linalg.norm(seen - observed, axis=1).mean()),
            source="network",
            disagreement=apart,
            inlier=refined.inlier,
            residual=refined.residual,
            network_sigma=self._sigma(crop, estimate),
        )


def merged(estimates: list[Estimate]) -> Estimate:
    """The first one's pose and certainty with the mean of all coefficients."""
    first = estimates[0]
    names = ("identity", "expression", "albedo", "sh_light")
    return replace(
        first, **{name: np.mean([getattr(e, name) for e in estimates], axis=0) for name in names}
    )


def posterior(regressor: Regressor, estimate: Estimate, distance_mm: float) -> Prior:
    """What the network knows, as the prior of the refinement: its estimate and measured error."""
    from .refine import Prior

    extras = regressor.weights.extras
    shape = extras["shape_covariance"].double().numpy()
    albedo = extras["albedo_covariance"].double().numpy()
    k = len(estimate.identity)
    return Prior(
        identity=estimate.identity,
        identity_precision=np.linalg.inv(shape[:k, :k]),
        expression=estimate.expression,
        expression_precision=np.linalg.inv(shape[k:, k:]),
        albedo=estimate.albedo,
        albedo_precision=np.linalg.inv(albedo),
        distance_mm=distance_mm,
        distance_sigma=DISTANCE_SIGMA,
    )


def _unbiased(marks: NDArray, camera: Camera, points: Double, noise: LandmarkNoise) -> Double:
    """dlib's landmarks without its bias in this view."""
    yaw, _, roll = camera.euler_degrees
    scale = camera.focal / float(camera.to_camera(points)[:, 2].mean())
    return marks - noise.offset(yaw, roll, scale)


def _turned(image: NDArray[np.uint8], degrees: float, zoom: float) -> NDArray[np.uint8]:
    """``image`` turned and enlarged about its middle."""
    side = len(image)
    middle = ((side - 1) / 2, (side - 1) / 2)
    matrix = cv2.getRotationMatrix2D(middle, degrees, zoom)
    return cv2.warpAffine(
        image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )


def _fit_to_landmarks(
    model: FaceModel,
    photo: Photo,
    face: Face,
    landmarks: NDArray,
    corrections: Corrections | None,
) -> FaceFit:
    noise = dlib_noise()
    if corrections is not None:
        landmarks, noise = corrections.marks(landmarks), corrections.noise(noise, face.spread)
    height, width = photo.pixels.shape[:2]
    fit_to = partial(
        fit_landmarks,
        model,
        landmarks,
        (width, height),
        teeth=visible_teeth(photo.pixels, landmarks),
        noise=noise,
        spread=face.spread,
    )
    focal = photo.focal_px
    fit = fit_to(focal_px=focal)
    if photo.focal_px and not _plausible(fit.camera):
        focal, fit = None, fit_to()
    vertices = model.vertices(fit.identity, fit.expression)
    gaze = estimate_gaze(model, photo.pixels, landmarks, vertices, fit.camera)
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
        crop=ffhq_crop(photo.pixels, landmarks),
        error_px=fit.error_px,
        source="landmarks",
        detected=np.asarray(landmarks, np.float32),
    )


def _plausible(camera: Camera) -> bool:
    near, far = PLAUSIBLE_DISTANCE_MM
    return bool(near < camera.translation[2] < far)
