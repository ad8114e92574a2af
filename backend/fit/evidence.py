"""What a photo shows of one face: all that a fit goes by, put together once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..align import Crop, ffhq_crop
from ..errors import NoFaceError
from ..exchange.options import Options
from ..geometry.camera import Camera
from ..model import DEFAULT_MODEL, FaceModel
from ..network.face_landmarker import face_mesh
from ..photo import Photo
from .corrections import Corrections
from .covering import Covering, find_covering
from .expression_prior import BROWS, BROWS_SCALE, Opinions, opinions_of, used_up
from .faces import Face
from .mouth import visible_teeth
from .noise import LandmarkNoise, dlib_noise
from .observation import Observation
from .reading import NETWORK_SIGMA_SCALE, Reading, read_aligned, read_detected, regressor_for
from .translated import Translation

if TYPE_CHECKING:  # torch is imported by those who need it
    from ..network.predict import Regressor
    from ..original.answer import NetworkAnswer

Double = NDArray[np.float64]

#: Variance of dlib's errors where the network's landmarks, which are better, stand beside them: of
#: what was measured.  Chosen on 24 rendered heads (``bench accuracy --seed 99``): landmarks
#: 1.63 % with 1, 1.56 % with 4.
DETECTOR_VARIANCE = 4.0
#: dlib's landmarks lie so far from the network's, in sides of the face's box, when one is wrong.
DISAGREEMENT = 0.10
#: The network's landmarks err like dlib's whose votes disagree by this much of the face's side.
NETWORK_SPREAD = 0.02
#: Expected error in pixels of a landmark of the network's that cannot be seen.
UNKNOWN_PX = 1e6
#: Crops in which irises are looked for where nothing else is asked of the expression.
IRIS_LOOKS = 2
#: EXIF of a cropped or edited photo can put the head at an impossible distance.
PLAUSIBLE_DISTANCE_MM = (200.0, 8000.0)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of one face before a head is fitted to it.  Pixels are the photo's."""

    photo: Photo
    face: Face
    crop: Crop  #: the face as FFHQ aligns it
    corrections: Corrections  #: landmarks set by hand, already part of all that is below
    landmarks: Double | None  #: (68, 2) as detected; None where the network's are better
    noise: LandmarkNoise  #: how ``landmarks`` err
    spread: float | None  #: how far the detector's votes disagreed, in sides of the face's box
    teeth: float  #: 0..1 share of the opening between the lips that shows teeth
    reading: Reading | None = None  #: the network's; None where it was not asked or sees no face
    disagreement: float | None = None  #: of detector and network, in sides of the face's box
    answer: NetworkAnswer | None = None  #: what a network of the user's own says
    opinions: Opinions | None = None  #: what brows, eyes and mouth say of the expression
    covering: Covering | None = None  #: what covers the mouth, where something does

    @property
    def marks(self) -> Double:
        """(68, 2) the landmarks that are best: as detected, else as the network reads them."""
        if self.landmarks is not None:
            return self.landmarks
        assert self.reading is not None  # as :func:`gather` makes sure
        return self.reading.landmarks

    @property
    def irises(self) -> Double | None:
        """(2, 2) pixels of the right and the left iris; None where no face is seen."""
        if self.opinions is not None:
            return self.opinions.irises
        return face_mesh(self.photo.pixels, self.marks, IRIS_LOOKS).irises

    @property
    def image_size(self) -> tuple[int, int]:
        """Width and height of the photo."""
        height, width = self.photo.pixels.shape[:2]
        return width, height

    def of_photo(self, photo: Photo) -> Evidence:
        """This evidence with the pixels of ``photo``, which was read again."""
        return replace(self, photo=photo)

    def observation(self) -> Observation:
        """What the refinement compares a head with."""
        reading = self.reading
        opinions = self.opinions if self.covering is None else None
        touching = opinions is not None and opinions.lips_touch
        return Observation(
            image=self.crop.image,
            to_photo=self.crop.to_photo,
            image_size=self.image_size,
            grey=self.photo.grey,
            landmarks=self.landmarks,
            noise=self.noise,
            spread=self.spread,
            network_landmarks=None if reading is None else reading.landmarks,
            network_sigma=None if reading is None else reading.landmark_sigma,
            covered=None if self.covering is None else self.covering.crop,
            lips_touch=touching,
            lids=None if self.opinions is None else self.opinions.lids,
        )


def gather(photo: Photo, face: Face, model: FaceModel, options: Options) -> Evidence:
    """The evidence about ``face`` of ``photo`` for a fit of ``model`` with ``options``.

    The shipped network is asked where it was trained for the model or its answer can be translated;
    for other models only where the detector's landmarks are guesses, and only for landmarks.

    Raises :class:`NoFaceError` where neither detector nor network can read the face,
    :class:`~..errors.ModelError` where ``options.network`` is none, or is for another model.
    """
    corrections = Corrections(options.corrected, face.side)
    if options.estimate == "landmarks":
        return _detected(photo, face, corrections)
    if network_speaks(options, model):
        regressor = regressor_for(DEFAULT_MODEL)
        assert regressor is not None
        return _read(photo, face, corrections, options.quality, regressor)
    network = None
    if options.network:
        from ..original.answer import AskedNetwork

        network = AskedNetwork(options.network, model)
    if face.landmarks is None:
        face = _with_network_landmarks(photo, face)
    evidence = _detected(photo, face, corrections)
    if network is not None:
        answer = network.ask(photo.pixels, evidence.marks.astype(np.float32))
        evidence = replace(evidence, answer=answer)
    return evidence


def network_knows(options: Options) -> bool:
    """Whether the shipped network is asked for the coefficients and was trained for the model."""
    own = options.estimate == "network" and not options.network
    return own and regressor_for(options.model) is not None


def network_speaks(options: Options, model: FaceModel) -> bool:
    """Whether it is, of ``model`` itself or of the default model's surface in its place."""
    if network_knows(options):
        return True
    own = options.estimate == "network" and not options.network
    return own and Translation.to(model) is not None


def plausible(camera: Camera) -> bool:
    """Whether the head is where heads are when photos are taken."""
    near, far = PLAUSIBLE_DISTANCE_MM
    return bool(near < camera.translation[2] < far)


def _detected(photo: Photo, face: Face, corrections: Corrections) -> Evidence:
    """By the detector's landmarks alone."""
    if face.landmarks is None:
        raise _unreadable(photo)
    marks = corrections.marks(face.landmarks)
    crop = ffhq_crop(photo.pixels, marks)
    evidence = Evidence(
        photo,
        face,
        crop,
        corrections,
        marks,
        corrections.noise(dlib_noise(), face.spread),
        face.spread,
        visible_teeth(photo.pixels, marks),
    )
    return _uncovered(evidence, _covering(photo, crop, marks))


def _covering(photo: Photo, crop: Crop, marks: Double) -> Covering | None:
    height, width = photo.pixels.shape[:2]
    return find_covering(crop, marks, (width, height))


def _uncovered(evidence: Evidence, covering: Covering | None) -> Evidence:
    """``evidence`` less all that lies under ``covering``, but for landmarks set by hand."""
    if covering is None:
        return evidence
    hidden = covering.landmarks.copy()
    hidden[evidence.corrections.index] = False
    reading = evidence.reading
    if reading is not None:
        sigma = np.where(hidden, UNKNOWN_PX, reading.landmark_sigma)
        reading = replace(reading, landmark_sigma=sigma)
    return replace(
        evidence,
        noise=evidence.noise.hiding(hidden),
        teeth=0.0,
        reading=reading,
        covering=replace(covering, landmarks=hidden),
    )


def _read(
    photo: Photo, face: Face, corrections: Corrections, quality: str, regressor: Regressor
) -> Evidence:
    """By the detector's landmarks, where these agree with the network, and by the network."""
    marks, reading, apart, covering = None, None, None, None
    if face.landmarks is not None:
        marks = corrections.marks(face.landmarks)
        reading = read_aligned(photo.pixels, marks, face.side, quality, regressor)
        covering = _covering(photo, reading.crop, marks)
        away = np.linalg.norm(reading.landmarks - marks, axis=1)
        apart = float((away if covering is None else away[~covering.landmarks]).mean()) / face.side
    if reading is None or apart is None or apart > DISAGREEMENT:
        marks, apart = None, None
        reading = read_detected(photo.pixels, face.detection, face.side, quality, regressor)
        if not reading.readable:  # then nothing speaks for the network and against the detector
            return _detected(photo, face, corrections)
        covering = _covering(photo, reading.crop, reading.landmarks)
    noise = dlib_noise().on_people().scaled(DETECTOR_VARIANCE)
    sigma = reading.landmark_sigma.copy()
    best = reading.landmarks if marks is None else marks
    opinions = opinions_of(photo.pixels, best, regressor.model, marks is not None)
    if opinions is not None:
        noise = used_up(noise, opinions)
        sigma[BROWS] *= BROWS_SCALE
    reading = replace(
        reading,
        landmarks=corrections.marks(reading.landmarks),
        landmark_sigma=corrections.sigmas(sigma, NETWORK_SIGMA_SCALE),
    )
    evidence = Evidence(
        photo,
        face,
        reading.crop,
        corrections,
        marks,
        corrections.noise(noise, face.spread),
        face.spread,
        visible_teeth(photo.pixels, best),
        reading,
        apart,
        opinions=opinions,
    )
    return _uncovered(evidence, covering)


def _with_network_landmarks(photo: Photo, face: Face) -> Face:
    """``face`` with the landmarks of the default head that the network sees in it."""
    regressor = regressor_for(DEFAULT_MODEL)
    assert regressor is not None
    reading = read_detected(photo.pixels, face.detection, face.side, "fast", regressor)
    if not reading.readable:
        raise _unreadable(photo)
    return replace(face, landmarks=reading.landmarks, spread=NETWORK_SPREAD)


def _unreadable(photo: Photo) -> NoFaceError:
    return NoFaceError(
        f"The face in {photo.path.name} is turned too far to the side, or too much of it is "
        "covered, for its landmarks to be found; choose a photo that shows both eyes."
    )
