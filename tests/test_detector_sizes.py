"""No picture is of a size that dlib cannot take."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from reconstruct_face.backend.detect import DlibDetector
from reconstruct_face.backend.detect import dlib_detector as cascade

LARGEST = 70_000


class Spy:
    """In place of dlib's detectors: finds faces everywhere, also where none can be."""

    def __init__(self, seed: int = 0) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self._rng = np.random.default_rng(seed)

    def _boxes(self, picture: np.ndarray) -> list[Any]:
        assert picture.dtype == np.uint8 and picture.flags.c_contiguous
        self.shapes.append(picture.shape)
        height, width = picture.shape[:2]
        out = []
        for _ in range(3):
            x, y = self._rng.integers(-40, width + 40), self._rng.integers(-40, height + 40)
            side = int(self._rng.integers(1, 90))
            out.append(cascade.dlib.rectangle(int(x), int(y), int(x) + side, int(y) + side))
        return out

    def run(self, picture: np.ndarray, upsample: int, floor: float) -> tuple[list, list, list]:
        boxes = self._boxes(picture)
        return boxes, list(self._rng.uniform(floor, 2, len(boxes))), [0] * len(boxes)

    def __call__(self, picture: np.ndarray, upsample: int) -> list[Any]:
        return [
            SimpleNamespace(rect=box, confidence=float(self._rng.uniform(0, 2)))
            for box in self._boxes(picture)
        ]

    def check(self) -> None:
        assert self.shapes
        for height, width, channels in self.shapes:
            assert channels == 3
            low, high = sorted((height, width))
            assert low >= cascade.SHORTEST_SIDE and high <= cascade.LONGEST_SIDE
            assert high <= cascade.MOST_RATIO * low


def _spied(seed: int = 0) -> tuple[DlibDetector, Spy]:
    detector, spy = DlibDetector(), Spy(seed)
    detector._hog = detector._mmod = spy
    return detector, spy


def _sides(rng: np.random.Generator) -> tuple[int, int]:
    width, height = np.exp(rng.uniform(0, np.log(LARGEST), 2)).round().astype(int)
    return int(width), int(height)


def _picture(width: int, height: int) -> np.ndarray:
    return np.broadcast_to(np.uint8(100), (height, width, 3))


@pytest.mark.parametrize("side", [cascade.MMOD_TURNED_SIDE, cascade.MMOD_SIDE, 4096])
def test_every_size_is_filled_up(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """1 x 1 to 70,000 x 70,000; resizing them is left out, since that takes 15 GB."""
    rng = np.random.default_rng(side)
    monkeypatch.setattr(
        cascade.cv2, "resize", lambda _, size, **__: np.zeros((size[1], size[0], 3), np.uint8)
    )
    detector, spy = _spied()
    extremes = [(1, 1), (1, LARGEST), (LARGEST, 1), (LARGEST, LARGEST), (33, 3000), (3000, 33)]
    for width, height in [*extremes, *(_sides(rng) for _ in range(1000))]:
        for found in cascade._search(_picture(width, height), side, "hog", detector._run_hog):
            centre = 0.5 * (found.box[:2] + found.box[2:])
            assert (centre < (width, height)).all()
    spy.check()


def test_a_followed_face_of_any_size() -> None:
    rng = np.random.default_rng(4)
    detector, spy = _spied()
    pixels = np.zeros((200, 300, 3), np.uint8)
    for _ in range(500):
        low = rng.uniform(-400, 400, 2)
        box = np.concatenate([low, low + np.exp(rng.uniform(-12, 9, 2))])
        detector.near(pixels, box.astype(np.float32))
    for box in ([0, 0, 0, 0], [5, 5, 1, 1], [np.nan] * 4, [0, 0, np.inf, 1]):
        assert detector.near(pixels, np.array(box, np.float32)) is None
    spy.check()


@pytest.mark.parametrize("every", [False, True])
def test_the_whole_cascade_on_strips(every: bool) -> None:
    rng = np.random.default_rng(7)
    detector, spy = _spied(1)
    sizes = [(33, 3000), (3000, 33), (LARGEST, 32), (32, LARGEST), (40, 41)]
    sizes += [s for s in (_sides(rng) for _ in range(200)) if s[0] * s[1] < 200_000][:25]
    for width, height in sizes:
        detector.detect(np.zeros((height, width, 3), np.uint8), every=every)
        detector.prominent(np.zeros((height, width, 3), np.uint8))
    spy.check()


REAL = """
import sys
import numpy as np
from reconstruct_face.backend.detect import DlibDetector

detector = DlibDetector()
rng = np.random.default_rng(0)
for size in sys.argv[1:]:
    width, height = map(int, size.split("x"))
    pixels = rng.integers(0, 255, (height, width, 3), np.uint8)
    print(size, len(detector.detect(pixels)), flush=True)
"""


@pytest.mark.slow
def test_dlib_takes_them() -> None:
    """In a process of its own: what went wrong here was memory."""
    sizes = ["33x3000", "3000x33", "32x70000", "70000x32", "32x32", "1x1", "1x500", "500x2"]
    done = subprocess.run(
        [sys.executable, "-c", REAL, *sizes], capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert [line.split()[0] for line in done.stdout.splitlines()] == sizes


def test_a_picture_that_dlib_can_take_stays_as_it_is() -> None:
    pixels = np.arange(64 * 900 * 3, dtype=np.uint8).reshape(64, 900, 3)
    assert cascade._filled_up(pixels) is pixels
    filled = cascade._filled_up(pixels[:20])
    assert filled.shape == (57, 900, 3)
    assert np.array_equal(filled[:20], pixels[:20]) and (filled[20:] == pixels[19]).all()
