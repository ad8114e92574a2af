"""The shape predictor from arrays finds what dlib finds with the same file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import dlib as _dlib
import numpy as np
import pytest
from reconstruct_face.backend.align import LandmarkPredictor, cascade, landmarks
from reconstruct_face.backend.bounded import Damaged
from reconstruct_face.backend.photo import read_photo

dlib: Any = _dlib
LEVELS, TREES, SPLITS, PIXELS, MARKS = 3, 7, 7, 20, 6


def number(value: int) -> bytes:
    """As dlib's ``serialize`` writes a whole number."""
    data = abs(value).to_bytes(max(1, (abs(value).bit_length() + 7) // 8), "little")
    return bytes([len(data) | (0x80 if value < 0 else 0)]) + data


def real(value: float) -> bytes:
    """The same of a float: a whole number times a power of two."""
    part, power = math.frexp(np.float32(value))
    return number(int(part * 2**24)) + number(power - 24)


def column(values: np.ndarray) -> bytes:
    """A matrix of one column."""
    return number(-len(values)) + number(-1) + b"".join(map(real, values.tolist()))


def listed(parts: list[bytes]) -> bytes:
    """A vector."""
    return number(len(parts)) + b"".join(parts)


def predictor(seed: int = 1) -> bytes:
    """The file of a predictor of random trees."""
    rng = np.random.default_rng(seed)

    def tree() -> bytes:
        splits = [
            number(int(a)) + number(int(b)) + real(t)
            for a, b, t in zip(
                *rng.integers(0, PIXELS, (2, SPLITS)), rng.normal(0, 40, SPLITS), strict=True
            )
        ]
        leaves = [column(rng.normal(0, 0.03, 2 * MARKS)) for _ in range(SPLITS + 1)]
        return listed(splits) + listed(leaves)

    levels = [listed([tree() for _ in range(TREES)]) for _ in range(LEVELS)]
    anchors = [
        listed([number(int(one)) for one in rng.integers(0, MARKS, PIXELS)]) for _ in range(LEVELS)
    ]
    offsets = [
        listed([real(x) + real(y) for x, y in rng.normal(0, 0.2, (PIXELS, 2))])
        for _ in range(LEVELS)
    ]
    start = column(rng.uniform(0.1, 0.9, 2 * MARKS))
    return number(1) + start + listed(levels) + listed(anchors) + listed(offsets)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECONSTRUCT_FACE_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "predictor.dat"
    path.write_bytes(predictor())
    return path


def by_dlib(path: Path, picture: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    model = dlib.shape_predictor(str(path))
    found = [model(picture, dlib.rectangle(*map(int, box))).parts() for box in boxes]
    return np.array([[(part.x, part.y) for part in parts] for parts in found])


def boxes_in(side: int, count: int, seed: int = 2) -> np.ndarray:
    """Some of them beyond the picture's border."""
    rng = np.random.default_rng(seed)
    low = rng.integers(-side // 4, side // 2, (count, 2))
    return np.concatenate([low, low + rng.integers(side // 4, side, (count, 2))], axis=1)


def same(one: cascade.Cascade, other: cascade.Cascade) -> bool:
    return all(np.array_equal(vars(one)[name], vars(other)[name]) for name in names())


def names() -> tuple[str, ...]:
    return ("start", "anchor", "offset", "pair", "threshold", "leaves")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_made_up_trees_move_marks_as_in_dlib(file: Path, seed: int) -> None:
    file.write_bytes(predictor(seed))
    found = cascade.read_cascade(file)
    assert found.leaves.shape == (LEVELS, TREES, SPLITS + 1, 2 * MARKS)
    pictures = np.random.default_rng(seed).integers(0, 256, (2, 90, 120), np.uint8)
    boxes = boxes_in(90, 40)
    which = np.arange(40) % 2
    marks = found.marks(pictures, which, boxes)
    for number_of, picture in enumerate(pictures):
        chosen = which == number_of
        expected = by_dlib(file, picture, boxes[chosen])
        assert np.array_equal(marks[chosen], expected)
        assert len(np.unique(expected.reshape(-1, 2), axis=0)) > 100


@pytest.mark.seconds
def test_a_face_has_the_landmarks_that_dlib_gives_it(
    astronaut: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = read_photo(astronaut).pixels
    for box in ((174, 60, 275, 161), (100, 20, 330, 260), (400, 300, 470, 370), (-20, -30, 90, 80)):
        face = np.array(box, np.float32)
        ours, spread = LandmarkPredictor().predict_with_spread(photo, face)
        with monkeypatch.context() as patch:
            patch.setattr(landmarks, "load_cascade", refused)
            theirs, also = LandmarkPredictor().predict_with_spread(photo, face)
        assert np.array_equal(ours, theirs) and spread == also


def refused(path: Path) -> cascade.Cascade:
    raise Damaged("it is of another kind")


def test_what_was_read_is_kept_and_mapped(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = cascade.load_cascade(file)
    read = cascade.read_cascade(file)
    monkeypatch.setattr(cascade, "read_cascade", refused)
    again = cascade.load_cascade(file)
    assert same(first, read) and same(again, read)
    assert isinstance(again.leaves.base, np.memmap)
    again.rest()
    assert same(again, read)


@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_a_damaged_copy_is_made_again(file: Path, tmp_path: Path, kind: str) -> None:
    first = cascade.read_cascade(file)
    cascade.load_cascade(file)
    (copy,) = tmp_path.rglob(f"*.{kind}")
    data = bytearray(copy.read_bytes())
    for place in (len(data) // 2, len(data) // 2 + 1):
        data[place] ^= 0x55
    copy.write_bytes(data)
    assert same(cascade.load_cascade(file), first)
    assert copy.read_bytes() != data
    copy.write_bytes(b"")
    assert same(cascade.load_cascade(file), first)


def test_another_file_is_read_itself(file: Path) -> None:
    cascade.load_cascade(file)
    file.write_bytes(predictor(9))
    assert same(cascade.load_cascade(file), cascade.read_cascade(file))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no predictor",
        predictor()[:-40],
        predictor()[: len(predictor()) // 2],
        predictor() + b"\x01\x00",
        number(2) + predictor()[2:],
        bytes(5000),
        b"\xff" * 5000,
    ],
)
def test_what_is_no_predictor_is_refused(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    with pytest.raises(Damaged):
        cascade.read_cascade(file)


def test_without_a_place_it_is_read_each_time(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nothing").write_text("")
    monkeypatch.setenv("RECONSTRUCT_FACE_CACHE", str(tmp_path / "nothing" / "below"))
    assert same(cascade.load_cascade(file), cascade.load_cascade(file))
