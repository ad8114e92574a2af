"""Videos that are damaged in the middle, and too little memory."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruct_face.backend import terminal
from reconstruct_face.backend.animate.source import open_source

ENTRY = Path(__file__).parents[1] / "backend" / "__main__.py"


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "good.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (320, 240))
    rng = np.random.default_rng(0)
    ground = cv2.resize(rng.integers(0, 255, (12, 16, 3), np.uint8), (400, 300))
    for i in range(100):
        writer.write(np.ascontiguousarray(ground[i % 40 : i % 40 + 240, i % 60 : i % 60 + 320]))
    writer.release()
    return path


def damaged(video: Path, folder: Path, first: float, last: float, step: int) -> Path:
    data = bytearray(video.read_bytes())
    rng = np.random.default_rng(2)
    for at in range(int(len(data) * first), int(len(data) * last), step):
        data[at] = int(rng.integers(0, 256))
    path = folder / "damaged.mp4"
    path.write_bytes(data)
    return path


def test_a_whole_video_has_no_notes(video: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = open_source(video)
    assert len(list(source.frames())) == 100
    assert source.notes == [] and capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("step", "frames"), [(7, range(20, 60)), (900, range(100, 101))], ids=["much", "little"]
)
def test_damage_in_the_middle_is_told(
    step: int, frames: range, video: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = open_source(damaged(video, tmp_path, 0.4, 0.5, step))
    assert len(list(source.frames())) in frames
    (note,) = source.notes
    assert "of its 100 frames" in note if step == 7 else " 2 s" in note
    assert capfd.readouterr().err == "", "the decoder's own lines are not for people"
    notes = list(source.notes)
    list(source.frames(30))
    assert source.notes == notes, "each is told once"


def test_standard_error_is_as_before(video: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in open_source(video).frames():
        print("kept", file=sys.stderr)
    assert capfd.readouterr().err == "kept\n" * 100


def test_too_little_memory_is_a_sentence() -> None:
    def little() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (1_500_000_000, 1_500_000_000))

    for command in ("reconstruct", "animate", "worker"):
        done = subprocess.run(
            [sys.executable, str(ENTRY), command, "a.jpg"],
            capture_output=True,
            text=True,
            preexec_fn=little,
        )
        assert done.returncode == 1 and done.stdout == ""
        assert len(done.stderr.splitlines()) == 1
        assert "1.5 GB" in done.stderr and "3 GB" in done.stderr
    assert terminal.too_little_memory() == ""
