"""Which faces of a photo, and where: detection, the choice, and their landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from ..align import LandmarkPredictor
from ..detect import Detection, Detector, DlibDetector
from ..detect.detector import largest_first
from ..errors import NoFaceError, PhotoError
from ..model import DEFAULT_MODEL
from ..photo import Photo
from .reading import UNREADABLE_SIGMA, read_detected, regressor_for

#: Votes that disagree by more are guesses: a profile, the back of a head, no face at all.
UNUSABLE_SPREAD = 0.028
#: Scores under which the network is asked whether there is a face.
WEAK = {"hog": 1.0, "hog_upsampled": 1.0, "mmod": 0.6}
#: The network's expected error, in sides of the box, up to which what the detector did not take for
#: a face is one: with a bar or a mask over the mouth nine of ten faces have up to 0.036, other
#: places that resemble faces from 0.076 on.
VOUCHED_SIGMA = 0.045
#: Sharpness under which a face is blurred, and the part of the sharpest one's that it must lack:
#: 28 photos have 0.064 to 0.76; a Gaussian of 2 and 3 % of the box's side leaves 0.017 and 0.010 of
#: the sample's 0.21.
BLURRED, BLURRED_BESIDE = 0.035, 0.25
#: Side in pixels at which sharpness is compared.
_COMPARED_SIDE = 80
#: Sides of a detected box by which the face may reach beyond it.
_MARGIN = 0.15


@dataclass(frozen=True, eq=False)
class Face:
    """A detected face."""

    number: int  #: 1 is the largest of the photo
    detection: Detection
    landmarks: np.ndarray | None  #: (68, 2) pixels of the photo; None: not asked for, or guesses
    spread: float | None  #: disagreement of the landmark votes over the box's side

    @property
    def side(self) -> float:
        """The box's side in pixels (of the square with its area)."""
        return float(np.sqrt(self.detection.area))


@lru_cache(maxsize=1)
def default_detector() -> DlibDetector:
    """The detector that all calls share."""
    return DlibDetector()


@lru_cache(maxsize=1)
def default_predictor() -> LandmarkPredictor:
    """The landmark predictor that all calls share."""
    return LandmarkPredictor()


def detect_faces(
    photo: Photo, face: int | str, detector: Detector | None, thorough: bool = True
) -> list[Face]:
    """The chosen ``face`` ("largest", "all" or a number) of ``photo``, without landmarks.

    ``thorough``: see :meth:`Detector.detect`; the numbers are those of what was found so.

    Raises :class:`NoFaceError` when there is none, or not that one, and :class:`PhotoError` when
    the file was cut off and has no whole face.
    """
    every = face != "largest" or photo.there is not None
    found = _found(photo, detector, every, thorough)
    return [Face(number, one, None, None) for number, one in _choose(found, face, photo)]


def prominent_faces(photo: Photo, detector: Detector | None) -> list[Face]:
    """All faces of ``photo`` that the quickest way to find any finds, without landmarks.

    Raises as :func:`detect_faces`.
    """
    found = _found(photo, detector, photo.there is not None, False)
    return [Face(number, one, None, None) for number, one in _choose(found, "all", photo)]


def _found(photo: Photo, detector: Detector | None, every: bool, thorough: bool) -> list[Detection]:
    """As :meth:`Detector.detect`, but faces alone, sharp ones first."""
    found = (detector or default_detector()).detect(photo.pixels, every=every, thorough=thorough)
    if detector is None:
        found = _plausible(photo, found) or _vouched(photo)
    if photo.there is not None:
        found = _whole(found, photo)
    return _sharp_first(photo, found)


def _sharp_first(photo: Photo, found: list[Detection]) -> list[Detection]:
    """``found``, blurred faces after those that are sharp: the lens was set to
    those."""
    if len(found) < 2:
        return found
    sharp = [sharpness(photo.pixels, one.box) for one in found]
    least = min(BLURRED, BLURRED_BESIDE * max(sharp))
    return [found[k] for k in sorted(range(len(found)), key=lambda k: sharp[k] < least)]


def sharpness(pixels: np.ndarray, box: np.ndarray) -> float:
    """Variance of the Laplacian over that of the face in ``box``, at one size for all faces."""
    height, width = pixels.shape[:2]
    low = np.clip(np.floor(box[:2]).astype(int), 0, (width - 1, height - 1))
    high = np.clip(np.ceil(box[2:]).astype(int) + 1, low + 1, (width, height))
    part = cv2.cvtColor(pixels[low[1] : high[1], low[0] : high[0]], cv2.COLOR_RGB2GRAY)
    side = _COMPARED_SIDE
    enlarged = min(part.shape) < side
    part = cv2.resize(
        part, (side, side), interpolation=cv2.INTER_LINEAR if enlarged else cv2.INTER_AREA
    ).astype(np.float32)
    return float(cv2.Laplacian(part, cv2.CV_32F).var() / max(float(part.var()), 1.0))


def _plausible(photo: Photo, found: list[Detection]) -> list[Detection]:
    """Those that the detector is sure of, or the network can read."""
    return [
        one
        for one in found
        if one.score >= WEAK[one.method] or _sigma(photo, one) <= UNREADABLE_SIGMA
    ]


def _vouched(photo: Photo) -> list[Detection]:
    """The faces that the detector did not dare to call so, but the network reads: covered ones."""
    doubtful = default_detector().doubtful(photo.pixels)
    return largest_first(one for one in doubtful if _sigma(photo, one) <= VOUCHED_SIGMA)


def _sigma(photo: Photo, found: Detection) -> float:
    """The network's expected error about ``found``, in sides of its box."""
    regressor = regressor_for(DEFAULT_MODEL)
    assert regressor is not None
    side = float(np.sqrt(found.area))
    return read_detected(photo.pixels, found, side, "fast", regressor).sigma


def with_landmarks(photo: Photo, face: Face) -> Face:
    """``face`` with dlib's landmarks, unless its votes show that they are guesses.

    Raises :class:`~.errors.ModelError` when the predictor's file is missing.
    """
    found = face.detection
    marks, spread = default_predictor().predict_with_spread(
        photo.pixels, found.box, found.quarter_turns
    )
    usable = spread <= UNUSABLE_SPREAD
    return Face(face.number, found, marks if usable else None, spread)


def _whole(detections: list[Detection], photo: Photo) -> list[Detection]:
    """Those that lie in what is there of a file that was cut off, chins and brows too."""
    assert photo.there is not None
    low, high = np.reshape(photo.there, (2, 2))
    whole = []
    for one in detections:
        corners = np.reshape(one.box, (2, 2))
        margin = _MARGIN * np.ptp(corners, axis=0)
        inside = np.clip([corners[0] - margin, corners[1] + margin], 0, photo.size)
        if (inside[0] >= low).all() and (inside[1] <= high).all():
            whole.append(one)
    if not whole:
        across, down = high - low
        raise PhotoError(
            f"{photo.path} was cut off: of its {photo.size[0]} x {photo.size[1]} pixels only "
            f"{across} x {down} are there, without a whole face; copy or download it again."
        )
    return whole


def _choose(
    detections: list[Detection], face: int | str, photo: Photo
) -> list[tuple[int, Detection]]:
    height, width = photo.pixels.shape[:2]
    if not detections:
        raise NoFaceError(
            f"No face was found in {photo.path.name} ({width} x {height}), upright or turned; "
            "choose a photo that shows both eyes, or crop it closer to the face."
        )
    numbered = list(enumerate(detections, start=1))
    if face == "all":
        return numbered
    if face == "largest":
        return numbered[:1]
    if int(face) > len(detections):
        found = "1 face was" if len(detections) == 1 else f"{len(detections)} faces were"
        raise NoFaceError(
            f"{found} found in {photo.path.name}, so there is no face {face}; "
            f"choose 1 to {len(detections)}."
        )
    return [numbered[int(face) - 1]]
