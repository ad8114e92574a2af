"""One face followed through a clip: where it is in each frame, and its 68 landmarks.

Detection is slow, landmarks are fast, and give the next frame's box.  What is followed is checked
by its looks (a small aligned picture); when these change at once, or the whole picture does (a
cut), faces are detected anew and the one taken that is most like the one followed so far.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..detect import Detection, DlibDetector
from ..detect.recognition import descriptor
from ..fit.faces import UNUSABLE_SPREAD, default_detector, default_predictor
from ..geometry.similarity import Similarity
from .source import Bytes

Double = NDArray[np.float64]

#: Landmarks that move little with the expression: the ridge of the nose, the corners of the eyes.
RIGID = np.array([27, 28, 29, 30, 33, 36, 39, 42, 45])
#: Correlation of the aligned picture with the remembered one under which a face is doubted.
LIKE = 0.55
#: How fast the remembered picture follows.
_LEARNING = 0.1
#: Side of the aligned picture, and how much of it the box's side is.
_SIDE, _FRAMING = 32, 24.0
#: Mean difference (of 255) of two small frames, and correlation of their histograms, of a cut.
_CUT_DIFFERENCE, _CUT_HISTOGRAM = 28.0, 0.8
#: Distance of dlib's descriptors of two pictures of one person (King 2017), and one for the same
#: person in doubtful light.
SAME_PERSON = 0.6
#: Within a scene nobody's face gets this many times as bright or dark while it is lost for some
#: frames; of one that is, the distance must be smaller by the second number.  Drawn people who take
#: one another's place are 0.47 to 0.59 apart.
OTHER_SKIN, OTHER_SKIN_NEARER = 1.6, 0.15
#: A face that was lost is looked for in every n-th frame.
_RETRY = 5
#: Frames between two looks whether it is still there: boxes that landmarks carry along drift.
_CHECK = 4
_UNSTEADY = 0.012  #: spread of the votes upon which it is looked at once
_DRIFTED = 0.7  #: shared area over that of both


@dataclass(frozen=True, eq=False)
class Tracked:
    """The face in one frame."""

    landmarks: Double  #: (68, 2) pixels of the frame
    spread: float  #: of the landmark votes
    side: float  #: of the box, pixels
    fresh: bool  #: detected in this frame: what came before says nothing of its pose
    cut: bool = False  #: another scene began since it was last seen


class Tracker:
    """Feed it every frame in order: :meth:`follow`."""

    def __init__(self, person: Double | None = None, detector: DlibDetector | None = None) -> None:
        """``person`` (128,) is whom to follow (:func:`descriptor`); else the first one seen."""
        self._detector = detector or default_detector()
        self._predictor = default_predictor()
        self._box: Double | None = None
        self._anchor: tuple[Double, Double] | None = None  # box and landmarks at detection
        self._turn = np.eye(2)
        self._looks: Double | None = None
        self._level: float | None = None  # mean brightness of what is remembered
        self._person = person
        self._where: tuple[Double, float] | None = None  # last centre and side, also when lost
        self._small: Bytes | None = None
        self._since = 0  # frames since a detection was tried
        self._cut = False  # since the face was last seen

    def follow(self, pixels: Bytes) -> Tracked | None:
        """The face in the next frame ``pixels`` (H, W, 3) sRGB, None where it is not seen."""
        cut = self._is_cut(pixels)
        self._since += 1
        if cut:
            self._box, self._cut = None, True
        if self._box is not None:
            self._hold_box(pixels)
            found = self._landmarks(pixels, self._box, self._turn)
            if found is not None and self._holds(pixels, *found):
                return self._accept(pixels, *found, fresh=False)
            self._box = None
        elif not cut and self._where is not None and self._since < _RETRY:
            return None
        return self._detect(pixels)

    def state(self) -> dict[str, NDArray]:
        """Arrays from which :meth:`restore` goes on exactly as this one would."""
        given = {
            "box": self._box,
            "turn": self._turn,
            "looks": self._looks,
            "person": self._person,
            "small": self._small,
            "since": np.array(self._since),
            "cut": np.array(self._cut),
        }
        if self._anchor is not None:
            given |= {"anchor_box": self._anchor[0], "anchor_marks": self._anchor[1]}
        if self._level is not None:
            given["level"] = np.array(self._level)
        if self._where is not None:
            given |= {"where": np.append(self._where[0], self._where[1])}
        return {name: value for name, value in given.items() if value is not None}

    def restore(self, state: dict[str, NDArray]) -> None:
        """Go on where another one gave :meth:`state`."""
        self._box, self._turn = state.get("box"), state["turn"]
        self._looks, self._person = state.get("looks"), state.get("person")
        small = state.get("small")
        self._small = None if small is None else small.astype(np.uint8)
        self._since, self._cut = int(state["since"]), bool(state["cut"])
        self._level = float(state["level"]) if "level" in state else None
        if "anchor_box" in state:
            self._anchor = state["anchor_box"], state["anchor_marks"]
        if "where" in state:
            self._where = state["where"][:2], float(state["where"][2])

    # -- one frame

    def _landmarks(self, pixels: Bytes, box: Double, turn: Double) -> tuple[Double, float] | None:
        marks, spread = self._predictor.track(pixels, box, turn)
        if spread > _UNSTEADY:
            self._since = _CHECK
        return (marks, spread) if spread <= UNUSABLE_SPREAD else None

    def _holds(self, pixels: Bytes, marks: Double, spread: float) -> bool:
        """Whether ``marks`` are still those of the face that was followed."""
        assert self._anchor is not None and self._box is not None
        box, scale = self._moved_box(marks)
        old = self._box[2] - self._box[0]
        if not 0.75 < (box[2] - box[0]) / old < 1.33 or scale < 0.1:
            return False
        if self._looks is None:
            return True
        likeness = _correlation(self._looks, self._aligned(pixels, marks)[0])
        return likeness >= LIKE

    def _hold_box(self, pixels: Bytes) -> None:
        """Bring the box back to where the detector sees the face, now and then."""
        assert self._box is not None and self._anchor is not None
        if self._since < _CHECK:
            return
        self._since = 0
        found = self._detector.near(pixels, self._box.astype(np.float32))
        if found is None or _overlap(_box(found), self._box) > _DRIFTED:
            return
        shift = _box(found).reshape(2, 2).mean(0) - self._box.reshape(2, 2).mean(0)
        if np.linalg.norm(shift) < 0.5 * (self._box[2] - self._box[0]):
            marks, _ = self._predictor.track(pixels, _box(found), self._turn)
            self._box, self._anchor = _box(found), (_box(found), marks)

    def _accept(self, pixels: Bytes, marks: Double, spread: float, fresh: bool) -> Tracked:
        if fresh:
            box = self._box
        else:
            box, _ = self._moved_box(marks)
        assert box is not None
        self._box = box
        eyes = marks[42:48].mean(0) - marks[36:42].mean(0)
        x, y = eyes / max(float(np.linalg.norm(eyes)), 1e-9)
        self._turn = np.array([[x, y], [-y, x]])
        looks, level = self._aligned(pixels, marks)
        if self._looks is None or self._level is None or fresh:
            self._looks, self._level = looks, level
        else:
            self._looks = (1 - _LEARNING) * self._looks + _LEARNING * looks
            self._level = (1 - _LEARNING) * self._level + _LEARNING * level
        side = float(box[2] - box[0])
        self._where = (box.reshape(2, 2).mean(0), side)
        cut, self._cut = self._cut, False
        return Tracked(marks, spread, side, fresh, cut)

    def _moved_box(self, marks: Double) -> tuple[Double, float]:
        """The box as it was detected, carried along by the landmarks; and the scale."""
        assert self._anchor is not None
        box, before = self._anchor
        matrix = Similarity.between(before[17:48], marks[17:48]).matrix()
        scale = float(np.linalg.norm(matrix[:, 0]))
        centre = matrix @ np.append(box.reshape(2, 2).mean(0), 1.0)
        half = 0.5 * scale * float(box[2] - box[0])
        return np.concatenate([centre - half, centre + half]), scale

    def _aligned(
        self, pixels: Bytes, marks: Double, anchor: tuple[Double, Double] | None = None
    ) -> tuple[Double, float]:
        """(S, S) normalised brightness of the face, the rigid landmarks in their places, and its
        mean."""
        anchor = self._anchor if anchor is None else anchor
        assert anchor is not None
        box, before = anchor
        scale = _FRAMING / (box[2] - box[0])
        target = (before[RIGID] - box.reshape(2, 2).mean(0)) * scale + (_SIDE - 1) / 2
        matrix = Similarity.between(marks[RIGID], target).matrix()
        grey = _cut(pixels, matrix, _SIDE).astype(np.float64)
        grey = cv2.GaussianBlur(grey, (0, 0), 1.0)
        level = float(grey.mean())
        grey -= level
        return grey / max(float(np.linalg.norm(grey)), 1e-9), level

    # -- finding it

    def _detect(self, pixels: Bytes) -> Tracked | None:
        self._since = 0
        best: tuple[float, Double, Double, float] | None = None
        # Who is looked for is told by the descriptor, so that doubtful detections may be tried.
        faces = self._detector.prominent(pixels, doubtful=self._person is not None)
        for face in faces:
            box = _box(face)
            looked = self._landmarks(pixels, box, np.eye(2))
            if looked is None:
                continue
            distance = self._strangeness(pixels, box, looked[0], len(faces))
            if distance is not None and (best is None or distance < best[0]):
                best = (distance, box, *looked)
        if best is None:
            self._box = None
            return None
        _, box, marks, spread = best
        self._box, self._anchor = box, (box, marks)
        if self._person is None:
            self._person = descriptor(pixels, marks)
        return self._accept(pixels, marks, spread, fresh=True)

    def _strangeness(self, pixels: Bytes, box: Double, marks: Double, many: int) -> float | None:
        """How unlike the face followed so far; None for another person."""
        side = float(box[2] - box[0])
        if self._person is None:
            return -side
        apart = float(np.linalg.norm(descriptor(pixels, marks) - self._person))
        nearer = 0.0
        if self._level is not None and not self._cut:
            _, level = self._aligned(pixels, marks, (box, marks))
            turned = abs(np.log(max(level, 1.0) / max(self._level, 1.0)))
            nearer = OTHER_SKIN_NEARER * min(turned / np.log(OTHER_SKIN), 1.0)
        if apart > SAME_PERSON - nearer:
            return None
        if self._where is None:
            return apart
        centre, before = self._where
        moved = float(np.linalg.norm(box.reshape(2, 2).mean(0) - centre)) / before
        return apart + 0.1 * min(moved, 3.0) + 0.1 * abs(np.log(side / before))

    def _is_cut(self, pixels: Bytes) -> bool:
        step = max(1, min(pixels.shape[:2]) // 144)  # every pixel is not needed for this
        coarse = np.ascontiguousarray(pixels[::step, ::step])
        small = cv2.resize(coarse, (64, 36), interpolation=cv2.INTER_AREA)
        small = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        before, self._small = self._small, np.asarray(small)
        if before is None:
            return False
        difference = float(np.abs(before.astype(float) - small).mean())
        if difference < _CUT_DIFFERENCE:
            return False
        counts = [np.histogram(p, 16, (0, 256))[0].astype(float) for p in (before, small)]
        return _correlation(*(c - c.mean() for c in counts)) < _CUT_HISTOGRAM


def _cut(pixels: Bytes, matrix: Double, side: int) -> Bytes:
    """(side, side) grey of the part of ``pixels`` that ``matrix`` (2, 3) takes to the square."""
    inverse = cv2.invertAffineTransform(matrix)
    corners = np.array([[0, 0, 1], [side, 0, 1], [0, side, 1], [side, side, 1]]) @ inverse.T
    height, width = pixels.shape[:2]
    low = np.clip(np.floor(corners.min(0)).astype(int), 0, (width - 1, height - 1))
    high = np.clip(np.ceil(corners.max(0)).astype(int) + 1, low + 1, (width, height))
    part = pixels[low[1] : high[1], low[0] : high[0]]
    # Averaged down first: bilinear sampling would skip pixels.
    shrink = max(1.0, float(np.linalg.norm(inverse[:, 0])))
    size = max(1, round(part.shape[1] / shrink)), max(1, round(part.shape[0] / shrink))
    ratio = np.array([part.shape[1] / size[0], part.shape[0] / size[1]])
    grey = cv2.cvtColor(cv2.resize(part, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    local = matrix.copy()
    local[:, 2] += matrix[:, :2] @ (low + 0.5 * ratio - 0.5)
    local[:, :2] = matrix[:, :2] * ratio
    return np.asarray(cv2.warpAffine(grey, local, (side, side), borderMode=cv2.BORDER_REPLICATE))


def _box(face: Detection) -> Double:
    return np.asarray(face.box, np.float64)


def _overlap(a: NDArray, b: NDArray) -> float:
    """Shared area over the area of both."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    if (sides <= 0).any():
        return 0.0
    shared = float(np.prod(sides))
    return shared / (float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - shared)


def _correlation(a: NDArray, b: NDArray) -> float:
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / max(size, 1e-9)
