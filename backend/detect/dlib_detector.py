"""dlib's two face detectors in a cascade, the cheapest first.

HOG: the histogram-of-oriented-gradients detector (King, "Dlib-ml", JMLR 2009), faces of 80 pixels
and more; upsampling is done by choosing the size it runs on.  mmod: the CNN trained with max-margin
object detection (King, arXiv:1502.00046), which takes seconds and also sees turned heads.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import Any

import cv2
import dlib as _dlib  # has no type information
import numpy as np

from ..bounded import DAMAGE
from ..exchange.cache import read_cached, write_cached
from .detector import Bytes, Detection, Float, largest_first, overlap, turned_back, without_doubles
from .weights import MMOD, load_weights

dlib: Any = _dlib

# Longest sides, in pixels, of the picture each pass runs on (time on one core in milliseconds).
HOG_SIDE = 640  # 45
HOG_UPSAMPLED_SIDE = 1600  # 300
HOG_EVERY_SIDE = 2560  # 700
MMOD_SIDE = 512  # 1500
MMOD_EVERY_SIDE = 800  # 4000
MMOD_TURNED_SIDE = 320  # 500
MMOD_PATCH_SIDE = 240  # 250, four times
HOG_PATCH_SIDES = (240, 320)  # 20

# HOG scores: faces mostly have 1 to 3; patches, lattices and faces upside down up to 0.3 now and
# then, even at two sizes.  Under SURE, mmod has to find a face there too.
SURE = 0.5
SURE_TURNED = 0.7
#: Faces with a bar or a mask over the mouth have -0.55 to 0.9, one of ten less.
DOUBTFUL = -0.6
_HOG_FLOOR = -1.0  # what scores less is not reported
# mmod confidences: faces about 1, strong profiles from 0.25.
MMOD_SURE = 0.2
MMOD_SURE_TURNED = 0.6

#: A face that is followed: its size in the part searched, and how much more that is, in its sides.
NEAR_FACE, NEAR_MARGIN = 110.0, 0.45
NEAR_FLOOR = -0.4  #: that one is there is known

MOST_DOUBTFUL = 8  # faces that mmod is asked about one by one, a second each

# mmod frames faces in another way: the HOG box's centre offset and size in units of mmod's box
# (medians over 28 photos that both find).
_MMOD_OFFSET = np.array([0.0, 0.04])
_MMOD_SIZE = 1.0

_MAX_ENLARGEMENT = 4.0

# What dlib is given.  mmod writes beside its memory where a side is under 10 pixels, and neither
# sees a face in 32; a strip is filled up to a sixteenth of its length, and the longest side is
# that of the largest pass.
SHORTEST_SIDE, MOST_RATIO = 32, 16
LONGEST_SIDE = HOG_EVERY_SIDE

#: Pictures whose faces are remembered.
REMEMBERED = 4

# Boxes in corner coordinates of the picture searched, scores.
_Found = list[tuple[tuple[float, float, float, float], float]]


class DlibDetector:
    """Implements :class:`~.detector.Detector`.  Models are loaded at first use and kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # dlib's detectors keep scratch memory: one call at a time
        self._hog: Any = None
        self._mmod: Any = None
        self._known: dict[tuple[bytes, bool, bool], list[Detection]] = {}

    def detect(
        self, pixels: Bytes, *, every: bool = False, thorough: bool = True
    ) -> list[Detection]:
        """See :meth:`Detector.detect`; raises :class:`ModelError` when mmod's file is missing.

        The cascade: HOG at 640 pixels, HOG at 1600, mmod at 512, then HOG and mmod on the photo
        turned by 90, 180 and 270 degrees.  It ends at the first that is sure.  ``every`` runs HOG
        at 640 and up to 2560 pixels and, being ``thorough``, mmod, and joins what they find;
        without any, the cascade.

        The last pictures are remembered: a photo whose faces are shown to choose from is asked for
        again when one was chosen.
        """
        digest = hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=16).digest()
        key = digest, every, every and thorough
        with self._lock:
            if key not in self._known:
                faces = self._every(pixels, thorough) if every else []
                if not faces:
                    steps = chain(self._upright_steps(pixels), self._turned_steps(pixels))
                    faces = next((found for found in steps if found), [])
                while len(self._known) >= REMEMBERED:
                    del self._known[next(iter(self._known))]
                self._known[key] = largest_first(faces)
            return list(self._known[key])

    def prominent(self, pixels: Bytes, doubtful: bool = False) -> list[Detection]:
        """Upright faces that are not small in ``pixels``, by HOG alone (45 ms), largest first.

        ``doubtful``: also what may be none, for who can tell in another way.
        """
        with self._lock:
            found = self._hog_pass(pixels, HOG_SIDE, "hog")
        return largest_first(without_doubles(found) if doubtful else _sure(found))

    def doubtful(self, pixels: Bytes) -> list[Detection]:
        """Upright places of ``pixels`` that look a little like a face, the likeliest first.

        A covered face is among them, as are lattices and buttons: for who can tell in another way.
        """
        with self._lock:
            found = [
                one
                for side, method in ((HOG_SIDE, "hog"), (HOG_UPSAMPLED_SIDE, "hog_upsampled"))
                for one in _search(pixels, side, method, self._run_hog)
                if one.score >= DOUBTFUL
            ]
        return without_doubles(sorted(found, key=lambda one: -one.score))[:MOST_DOUBTFUL]

    def near(self, pixels: Bytes, box: Float) -> Detection | None:
        """The upright face at about the place and size of ``box`` (4,), by HOG on a small part of
        ``pixels`` (10 ms); None where it sees none."""
        low, high = np.asarray(box, np.float64).reshape(2, 2)
        side = float(np.mean(high - low))
        if not (np.isfinite([*low, *high]).all() and side > 0):
            return None
        height, width = pixels.shape[:2]
        first = np.clip(np.floor(low - NEAR_MARGIN * side), 0, (width - 1, height - 1)).astype(int)
        last = np.clip(np.ceil(high + NEAR_MARGIN * side), first + 1, (width, height)).astype(int)
        part = pixels[first[1] : last[1], first[0] : last[0]]
        scale = NEAR_FACE / side
        size = max(8, round(part.shape[1] * scale)), max(8, round(part.shape[0] * scale))
        if max(size) > LONGEST_SIDE:  # the box is a point
            return None
        small = cv2.resize(
            part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        )
        with self._lock:
            found = self._run_hog(_filled_up(small))
        best = max(
            (one for one in found if one[1] >= NEAR_FLOOR), key=lambda one: one[1], default=None
        )
        if best is None:
            return None
        corners = (np.array(best[0]) + 0.5) / scale - 0.5 + np.tile(first, 2)
        return Detection(corners.astype(np.float32), float(best[1]), "hog")

    def _every(self, pixels: Bytes, thorough: bool) -> list[Detection]:
        small = self._hog_pass(pixels, HOG_SIDE, "hog")
        side = min(HOG_EVERY_SIDE, 2 * max(pixels.shape[:2]))
        large = self._hog_pass(pixels, side, "hog_upsampled")
        if not thorough:
            return without_doubles([*_sure(small), *_sure(large)])
        turned_heads = self._mmod_pass(pixels, MMOD_EVERY_SIDE, MMOD_SURE)
        sure = without_doubles([*_sure(small), *_sure(large), *turned_heads])
        # What is left: small faces that HOG doubts, since mmod's pass is too coarse to see them.
        doubtful = without_doubles([*sure, *_seen_twice(small, large)])[len(sure) :]
        vouched = (self._stood_up(pixels, d) for d in doubtful[:MOST_DOUBTFUL])
        return without_doubles([*sure, *(d for d in vouched if d.method == "mmod")])

    def _upright_steps(self, pixels: Bytes) -> Iterator[list[Detection]]:
        yield _sure(self._hog_pass(pixels, HOG_SIDE, "hog"))
        yield _sure(self._hog_pass(pixels, HOG_UPSAMPLED_SIDE, "hog_upsampled"))
        yield self._mmod_pass(pixels, MMOD_SIDE, MMOD_SURE)

    def _turned_steps(self, pixels: Bytes) -> Iterator[list[Detection]]:
        turned = {k: np.ascontiguousarray(np.rot90(pixels, k)) for k in (1, 3, 2)}
        for side in (HOG_SIDE, HOG_UPSAMPLED_SIDE):
            name = "hog" if side == HOG_SIDE else "hog_upsampled"
            passes = {k: self._hog_pass(turned[k], side, name) for k in turned}
            yield _best_turn(passes, SURE_TURNED, pixels)
        passes = {k: self._mmod_pass(turned[k], MMOD_TURNED_SIDE, MMOD_SURE_TURNED) for k in turned}
        yield _best_turn(passes, MMOD_SURE_TURNED, pixels)

    def _hog_pass(self, pixels: Bytes, side: int, method: str) -> list[Detection]:
        found = [d for d in _search(pixels, side, method, self._run_hog) if d.score >= 0]
        return sorted(found, key=lambda d: -d.score)

    def _run_hog(self, picture: Bytes) -> _Found:
        if self._hog is None:
            self._hog = _frontal_detector()
        boxes, scores, _ = self._hog.run(picture, 0, _HOG_FLOOR)
        return [(_corners(b), s) for b, s in zip(boxes, scores, strict=True)]

    def _mmod_pass(self, pixels: Bytes, side: int, sure: float) -> list[Detection]:
        found = [d for d in _search(pixels, side, "mmod", self._run_mmod) if d.score >= sure]
        return without_doubles(self._stood_up(pixels, d) for d in found)

    def _run_mmod(self, picture: Bytes) -> _Found:
        if self._mmod is None:
            self._mmod = load_weights(MMOD, dlib.cnn_face_detection_model_v1)
        return [(_corners(found.rect), found.confidence) for found in self._mmod(picture, 0)]

    def _stood_up(self, pixels: Bytes, detection: Detection) -> Detection:
        """The face as mmod sees it in the likeliest of four turns; or ``detection`` itself.

        mmod finds lying faces without telling, at times more surely than upright ones.  HOG finds
        upright ones only, but misses profiles.  The sum of both told all faces tried, by 0.5.
        """
        x0, y0, x1, y1 = detection.box
        margin = 0.5 * (x1 - x0)
        left, top = max(int(x0 - margin), 0), max(int(y0 - margin), 0)
        patch = pixels[top : int(y1 + margin) + 1, left : int(x1 + margin) + 1]
        best, highest = detection, -np.inf
        for turns in range(4):
            turned = np.ascontiguousarray(np.rot90(patch, turns))
            upright = self._hog_likelihood(turned)
            for found in _search(turned, MMOD_PATCH_SIDE, "mmod", self._run_mmod):
                box = turned_back(found.box, turns, patch.shape[1], patch.shape[0])
                box += np.array([left, top, left, top], dtype=np.float32)
                likelihood = found.score + upright
                if likelihood > highest and overlap(box, detection.box) > 0.5:
                    best, highest = replace(found, box=box, quarter_turns=turns), likelihood
        if best.method != "mmod":
            return best
        return replace(best, box=_hog_framing(best.box, best.quarter_turns))

    def _hog_likelihood(self, patch: Bytes) -> float:
        """HOG's highest score in ``patch``, -1 or more, at two sizes since its own are coarse."""
        found = [d for side in HOG_PATCH_SIDES for d in _search(patch, side, "hog", self._run_hog)]
        return max((d.score for d in found), default=_HOG_FLOOR)


def _search(
    pixels: Bytes, side: int, method: str, run: Callable[[Bytes], _Found]
) -> list[Detection]:
    """``run`` on ``pixels`` resized to a longest ``side``; boxes in pixels of ``pixels``."""
    height, width = pixels.shape[:2]
    factor = min(min(side, LONGEST_SIDE) / max(height, width), _MAX_ENLARGEMENT)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    small = cv2.resize(pixels, size, interpolation=how)
    scale = np.array([width / size[0], height / size[1]] * 2)
    return [
        Detection((np.array(box) * scale - 0.5).astype(np.float32), float(score), method)
        for box, score in run(_filled_up(small))
        # Not in what was added: its middle is in the picture.
        if 0 < box[0] + box[2] < 2 * size[0] and 0 < box[1] + box[3] < 2 * size[1]
    ]


def _filled_up(picture: Bytes) -> Bytes:
    """``picture``, whose edges go on to the right and below where dlib cannot take its size."""
    height, width = picture.shape[:2]
    shortest = max(SHORTEST_SIDE, -(-max(height, width) // MOST_RATIO))
    down, right = max(0, shortest - height), max(0, shortest - width)
    if down or right:
        picture = cv2.copyMakeBorder(picture, 0, down, 0, right, cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(picture)


def _frontal_detector() -> Any:
    """dlib's HOG detector, in 2 ms from what was kept of it on disk: its own file is in a form that
    takes half a second."""
    name, key = "detect.frontal", dlib.__version__
    if kept := read_cached(name, key):
        with suppress(*DAMAGE):
            detector = dlib.fhog_object_detector.__new__(dlib.fhog_object_detector)
            detector.__setstate__((kept["state"].tobytes(),))
            return detector
    detector = dlib.get_frontal_face_detector()
    (state,) = detector.__getstate__()
    write_cached(name, key, {"state": np.frombuffer(state, np.uint8)})
    return detector


def _corners(rectangle: Any) -> tuple[float, float, float, float]:
    """dlib's rectangle (first and last pixel, inclusive) as edges, (0, 0) the picture's corner."""
    return rectangle.left(), rectangle.top(), rectangle.right() + 1, rectangle.bottom() + 1


def _sure(detections: list[Detection]) -> list[Detection]:
    return without_doubles(d for d in detections if d.score >= SURE)


def _seen_twice(small: list[Detection], large: list[Detection]) -> list[Detection]:
    """Those of ``large`` that ``small`` holds at about the same size."""
    return [
        one
        for one in large
        if any(
            overlap(one.box, other.box) > 0.7 and 0.5 < one.area / other.area < 2.0
            for other in small
        )
    ]


def _best_turn(passes: dict[int, list[Detection]], sure: float, pixels: Bytes) -> list[Detection]:
    """The faces of the turn with the highest score, in pixels of the photo before turning."""
    height, width = pixels.shape[:2]
    best = max(passes, key=lambda k: max((d.score for d in passes[k]), default=-9.0))
    return [
        replace(
            d,
            box=turned_back(d.box, best, width, height),
            quarter_turns=(best + d.quarter_turns) % 4,
        )
        for d in without_doubles(d for d in passes[best] if d.score >= sure)
    ]


def _hog_framing(box: np.ndarray, quarter_turns: int) -> np.ndarray:
    """mmod's box as HOG would frame the face that stands upright after ``quarter_turns``."""
    back = np.array([[0.0, -1.0], [1.0, 0.0]])  # a vector of the turned picture in the one before
    offset = np.linalg.matrix_power(back, quarter_turns) @ _MMOD_OFFSET
    size = box[2:] - box[:2]
    centre = 0.5 * (box[:2] + box[2:]) + offset * size
    half = 0.5 * size * _MMOD_SIZE
    return np.concatenate([centre - half, centre + half]).astype(np.float32)
