"""478 points of a face and 52 scores of its expression: Google's MediaPipe Face Landmarker.

Two networks, see ``assets/face_landmarker.md``.  The first finds points in a crop of 256 x 256
pixels and runs by OpenCV.  The second never sees a pixel: it reads 146 of the points
(:mod:`.mixer`).  Its scores have the names of ARKit's blend shapes and were learnt from people,
whom our drawings only resemble.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..bounded import MB, read_bytes
from ..errors import ModelError
from ..kept import kept
from ..model.load import ASSETS
from .mixer import Mixer
from .region_crops import sampled

Bytes = NDArray[np.uint8]
Double = NDArray[np.float64]

POINTS_FILE = ASSETS / "face_landmarks_detector.tflite"
#: Of that file: what else would be given to OpenCV's parser was not looked at.
SHA256 = "c7d54204ce0448474c7f3fa9af494787c0965cbdd6f20fc72867e43046bd43d5"
SCORES_FILE = ASSETS / "face_blendshapes.npz"
#: Pixels, the side of the crop that the first network sees, and how many points it tells.
SIZE, POINTS = 256, 478
#: The crop's side over the longer side of the points' box, as MediaPipe has it.
MARGIN = 1.5
#: dlib's landmarks end at the brows: so many times their height the points' box begins above.  So
#: the crop is as large as the one by the points (79 pictures: 1.00 +- 0.03), and its middle is off
#: by 0.011 of its side.
_FOREHEAD = 0.2
#: The outer corners of the right and the left eye.
_RIGHT_EYE, _LEFT_EYE = 33, 263
#: The middles of the right and the left iris.
_IRISES = [468, 473]
#: Points of the upper and of the lower lid over the right pupil and beside it, then the left one's.
_LIDS = [[[158, 159, 160], [144, 145, 153]], [[385, 386, 387], [373, 374, 380]]]
#: The ends of two diameters of each iris.
_IRIS_RINGS = [[[469, 470], [471, 472]], [[474, 475], [476, 477]]]
#: An eye is never drawn smaller or larger by more than the square of this.
_MOST = 1.3
#: Points along the upper and along the lower edge of the brows, at the landmarks 17 to 26.
_BROWS = [
    [70, 63, 105, 66, 107, 336, 296, 334, 293, 300],
    [46, 53, 52, 65, 55, 285, 295, 282, 283, 276],
]
#: Of the presence: below it, what the first network saw is no face.
PRESENT = 0.5
#: What the first network calls the points and the presence of a face.
_OUTPUTS = ("Identity", "Identity_1")
#: Relative size and radians of the crops about the one that the first one's points place.
_FURTHER = ((1.0, 0.0), (0.93, 0.06), (1.07, -0.06))
#: The points that the second network sees (``face_blendshapes_graph.cc`` of MediaPipe).
# fmt: off
_SEEN = np.array([
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66,
    67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144,
    145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173,
    176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283, 284,
    285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324, 332,
    334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386,
    387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473,
    474, 475, 476, 477,
])
#: Of the scores; the first says how surely the face is at rest.
NAMES: tuple[str, ...] = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft",
    "browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft",
    "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight",
    "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft",
    "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen",
    "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft",
    "mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight", "mouthRollLower",
    "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight",
    "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight",
)
# fmt: on

#: A network of OpenCV's keeps its input, so one at a time.
_LOCK = threading.Lock()


@dataclass(frozen=True, eq=False)
class FaceMesh:
    """What the networks say of one face."""

    points: Double  #: (478, 2) pixels of the photo, 468 of the face, then five of each iris
    presence: float  #: 0..1 how surely this is a face
    scores: Double  #: (52,) 0..1, by :data:`NAMES`

    @property
    def irises(self) -> Double | None:
        """(2, 2) pixels of the right and the left iris' middle; None where this is no face."""
        return self.points[_IRISES] if self.presence >= PRESENT else None

    @property
    def brows(self) -> Double | None:
        """(10, 2) pixels of the brows' middles, in the places of the landmarks 17 to 26.

        None where this is no face.
        """
        return self.points[_BROWS].mean(axis=0) if self.presence >= PRESENT else None

    @property
    def lids(self) -> Double | None:
        """(2, 2, 2) pixels of the right eye's upper and lower lid over its pupil, then the left's.

        None where this is no face.  The first network draws the far eye of a turned head too small,
        its iris too: people's lids are 0.77 times as far apart there at 40 degrees, their irises
        0.73 times as large.  So half of what the irises differ by is taken back.
        """
        if self.presence < PRESENT:
            return None
        lids = self.points[_LIDS].mean(axis=2)
        rings = self.points[_IRIS_RINGS]
        width = np.linalg.norm(rings[:, 0] - rings[:, 1], axis=-1).mean(axis=-1)
        scale = np.sqrt(width.mean() / np.maximum(width, 1e-9)).clip(1 / _MOST, _MOST)
        middle = lids.mean(axis=1, keepdims=True)
        return middle + scale[:, None, None] * (lids - middle)


def face_mesh(pixels: Bytes, marks: NDArray, looks: int = 4) -> FaceMesh:
    """Of the face with landmarks ``marks`` (68, 2) in ``pixels`` (H, W, 3) uint8 sRGB.

    ``looks``: 1 to 4 crops.  The first is placed by the landmarks; from two on it only places the
    others, whose mean is taken: on 79 pictures scores of the first are 0.036 off the mean of seven
    crops, those of the second 0.02.

    Raises :class:`ModelError` where a network's file is missing or damaged.
    """
    found = [_look(pixels, *_by_marks(np.asarray(marks, np.float64)))]
    if looks > 1:
        centre, side, turn = _by_points(found[0][0])
        further = _FURTHER[: looks - 1]
        found = [_look(pixels, centre, side * grow, turn + lean) for grow, lean in further]
    mesh = np.mean([points for points, _ in found], axis=0)
    presence = float(np.mean([presence for _, presence in found]))
    return FaceMesh(mesh, presence, np.mean([scores_of(points) for points, _ in found], axis=0))


def _look(pixels: Bytes, centre: Double, side: float, turn: float) -> tuple[Double, float]:
    """Points (478, 2) and presence, as the first network sees them in one crop.

    ``centre`` (2,) and ``side`` are pixels of the photo, ``turn`` the radians by which the crop is
    turned in it.
    """
    along = np.array([np.cos(turn), np.sin(turn)])
    linear = SIZE / side * np.stack([along, (-along[1], along[0])])
    matrix = np.c_[linear, (SIZE - 1) / 2 - linear @ centre]
    batch = cv2.dnn.blobFromImage(sampled(pixels, matrix, SIZE), 1 / 255)
    with _LOCK:
        network = _network()
        network.setInput(batch)
        at, presence = network.forward(_OUTPUTS)
    seen = at.reshape(POINTS, 3)[:, :2].astype(np.float64) - 0.5  # its pixels begin at 0
    points = np.linalg.solve(linear, (seen - matrix[:, 2]).T).T
    return points, float(1 / (1 + np.exp(-presence.ravel()[0])))


def _by_marks(marks: Double) -> tuple[Double, float, float]:
    """Centre, side and turn of the crop for landmarks (68, 2)."""
    turn = _turn(marks[36:42].mean(axis=0), marks[42:48].mean(axis=0))
    level = _levelled(marks, turn)
    low, high = level.min(axis=0), level.max(axis=0)
    low[1] -= _FOREHEAD * (high[1] - low[1])
    return _framed(low, high, turn)


def _by_points(points: Double) -> tuple[Double, float, float]:
    """The same for the networks' own (478, 2)."""
    turn = _turn(points[_RIGHT_EYE], points[_LEFT_EYE])
    level = _levelled(points, turn)
    return _framed(level.min(axis=0), level.max(axis=0), turn)


def _turn(right_eye: Double, left_eye: Double) -> float:
    across = left_eye - right_eye
    return float(np.arctan2(across[1], across[0]))


def _levelled(points: Double, turn: float) -> Double:
    """``points`` (P, 2) turned back about the photo's first pixel."""
    cos, sin = np.cos(turn), np.sin(turn)
    return points @ np.array([[cos, -sin], [sin, cos]])


def _framed(low: Double, high: Double, turn: float) -> tuple[Double, float, float]:
    """Centre, side and turn for a box from ``low`` to ``high`` (2,) of levelled points."""
    centre = _levelled((low + high) / 2, -turn)
    return centre, max(MARGIN * float((high - low).max()), 1.0), turn


def scores_of(points: NDArray) -> Double:
    """(52,) 0..1 of points (478, 2): the second network, by :data:`NAMES`.

    Neither place, size nor turn of the face matters: the points are levelled by the eyes first,
    which MediaPipe leaves to the photographer.
    """
    points = np.asarray(points, np.float64)
    seen = _levelled(points, _turn(points[_RIGHT_EYE], points[_LEFT_EYE]))[_SEEN]
    seen -= seen.mean(axis=0)
    seen /= max(float(np.linalg.norm(seen, axis=1).mean()), 1e-9)
    return _mixer()(seen.astype(np.float32))


def warm() -> None:
    """Load both networks."""
    _network()
    _mixer()


@kept(maxsize=1)
def _network() -> cv2.dnn.Net:
    try:
        data = read_bytes(POINTS_FILE, 8 * MB)
    except OSError as error:
        raise ModelError(f"The network of a face's points is missing: {POINTS_FILE}.") from error
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise ModelError(f"{POINTS_FILE} is damaged or another version; install the add-on again.")
    return cv2.dnn.readNetFromTFLite(np.frombuffer(data, np.uint8))


@kept(maxsize=1)
def _mixer() -> Mixer:
    return Mixer.load(SCORES_FILE)
