"""Folders of frames: gaps in their numbers, and whether they are still those that were done."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.animate.job import AnimateOptions, _request
from reconstruct_face.backend.animate.source import open_source
from reconstruct_face.backend.exchange.clips import frame_files, mark_of, numbering

from tests.errors import has


def write(folder: Path, *names: str, value: int = 50) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        cv2.imwrite(str(folder / name), np.full((48, 64, 3), value, np.uint8))
    return folder


def names(*numbers: int, form: str = "f_{:04d}.png") -> list[str]:
    return [form.format(number) for number in numbers]


def test_a_gap_in_the_numbers_is_time_without_the_face(tmp_path: Path) -> None:
    source = open_source(write(tmp_path / "shots", *names(1, 2, 4, 7)), 24.0)
    frames = list(source.frames())
    assert [frame.pixels is not None for frame in frames] == [True, True, False, True] + [
        False, False, True,
    ]  # fmt: skip
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(7) / 24)
    assert source.count == 7 and [frame.index for frame in frames] == list(range(7))
    (note,) = source.notes
    has(note, "3, 5, 6", "lost")
    later = list(source.frames(3))
    assert [(frame.index, frame.time) for frame in later] == [
        (frame.index, frame.time) for frame in frames[3:]
    ]


@pytest.mark.parametrize(
    ("given", "indices", "step", "facts"),
    [
        (names(5, 6, 7), (0, 1, 2), 1, ()),
        (names(1, 3, 5, 7), (0, 1, 2, 3), 2, (2,)),
        (names(1, 3, 7), (0, 1, 3), 2, (2, 5)),
        (names(0, 30), (0, 1), 30, (30,)),
        (names(1, 20), (0, 1), 19, (19,)),
        (names(*range(1, 9), 30), (*range(8), 29), 1, ("9, 10, 11, 12, 13, 14", "15 more")),
        (names(1, 2, 3, form="take7_{:d}_v2.jpg"), (0, 1, 2), 1, ()),
        (names(8, 9, 11, form="{:d}.tif"), (0, 1, 3), 1, (10,)),
        (["anna.png", "ben.png"], (0, 1), 1, ()),
        (["a_1.png", "b_3.png"], (0, 1), 1, ()),
        (["1_1.png", "2_4.png"], (0, 1), 1, ()),  # which of them?
        (["one.png"], (0,), 1, ()),
        (["f1.jpg", "f1.png"], (0, 1), 1, ("same number",)),
        (["f1.jpg", "f01.jpg", "f2.jpg"], (0, 1, 2), 1, ("same number",)),
        # Nanoseconds since 1970: nobody wants the frames between.
        (names(1403636579763555584, 1403636579813555456, 1403636579863555583, form="{:d}.png"),
         (0, 1, 2), 1, ("1403636579763555584.png", 3)),
    ],
)  # fmt: skip
def test_where_frames_stand(given, indices, step, facts) -> None:
    found = numbering(given)
    assert (found.indices, found.step) == (indices, step)
    assert bool(found.note) == bool(facts)
    if facts:
        has(found.note, *facts)
        assert found.note.endswith(".") and found.note[0].isupper()


def test_frames_on_twos_last_two(tmp_path: Path) -> None:
    source = open_source(write(tmp_path / "shots", *names(1, 3, 5)), 24.0)
    frames = list(source.frames())
    np.testing.assert_allclose([frame.time for frame in frames], [0, 2 / 24, 4 / 24])
    assert all(frame.pixels is not None for frame in frames)


def test_frames_that_were_rendered_anew_are_another_clip(tmp_path: Path) -> None:
    folder = write(tmp_path / "shots", *names(1, 2, 3))

    def marks() -> tuple[str, str]:
        asked = _request(open_source(folder, 24.0), None, AnimateOptions())
        return mark_of(frame_files(folder)), asked["mark"]

    before, stat = marks(), folder.stat()
    assert marks() == before
    frame = folder / "f_0002.png"
    data, was = frame.read_bytes(), frame.stat()
    frame.write_bytes(data)  # of the same size, a moment later
    os.utime(frame, ns=(was.st_atime_ns, was.st_mtime_ns + 1000))
    os.utime(folder, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert folder.stat().st_mtime_ns == stat.st_mtime_ns
    anew = marks()
    assert all(a != b for a, b in zip(before, anew, strict=True))
    write(folder, "f_0004.png")
    assert marks() != anew
    (folder / "._f_0004.png").write_bytes(b"AppleDouble")
    (folder / "notes.txt").write_text("no frame")
    assert marks()[0] == mark_of([folder / name for name in names(1, 2, 3, 4)])
