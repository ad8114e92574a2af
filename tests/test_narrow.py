"""Files whose names have letters that Windows' code pages may lack, opened by libraries in C."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from reconstruct_face.backend import narrow
from reconstruct_face.backend.align import landmarks
from reconstruct_face.backend.animate import source
from reconstruct_face.backend.bounded import Damaged
from reconstruct_face.backend.detect import dlib_detector, recognition, weights
from reconstruct_face.backend.detect.dlib_detector import DlibDetector
from reconstruct_face.backend.errors import ModelError, PhotoError

from tests.errors import raises


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """dlib and OpenCV that open plain names only, as there; the names that they were given."""
    given: list[str] = []

    def refusing(real: Callable[..., Any], answer: Callable[[], Any]) -> Callable[..., Any]:
        def opened(name: str, *more: object) -> Any:
            given.append(name)
            return real(name, *more) if name.isascii() else answer()

        return opened

    def unable() -> None:
        raise RuntimeError("Unable to open file for reading.")

    for module, name in (
        (landmarks.dlib, "shape_predictor"),
        (dlib_detector.dlib, "cnn_face_detection_model_v1"),
        (recognition.dlib, "face_recognition_model_v1"),
    ):
        monkeypatch.setattr(module, name, refusing(getattr(module, name), unable))
    monkeypatch.setattr(cv2, "VideoCapture", refusing(cv2.VideoCapture, cv2.VideoCapture))
    monkeypatch.setattr(narrow, "NARROW", True)
    return given


@pytest.fixture
def abroad(tmp_path: Path) -> Path:
    folder = tmp_path / "Zoë 写真"
    folder.mkdir()
    return folder


def of_another_kind(path: Path) -> None:
    raise Damaged("it is of another kind")


def test_dlibs_files_are_loaded(
    windows: list[str], abroad: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (weights.LANDMARKS_68, weights.MMOD, weights.RECOGNITION):
        os.symlink(weights.weights_path(name), abroad / name)
    monkeypatch.setattr(weights, "weights_path", lambda name: abroad / name)
    monkeypatch.setattr(landmarks, "load_cascade", of_another_kind)  # so that dlib opens it
    recognition._recogniser.cache_clear()
    try:
        landmarks.LandmarkPredictor().warm()
        DlibDetector()._run_mmod(np.zeros((64, 64, 3), np.uint8))
        recognition._recogniser()
    finally:
        recognition._recogniser.cache_clear()
    assert len(windows) == 3 and all(name.isascii() for name in windows)
    assert not any(Path(name).exists() for name in windows), "nothing is left behind"


def test_a_video_is_read(windows: list[str], abroad: Path) -> None:
    film = abroad / "film.avi"
    plain = abroad.parent / "film.avi"
    writer = cv2.VideoWriter(str(plain), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for level in (0, 100, 200):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    plain.rename(film)
    frames = [frame for frame in source.open_source(film).frames() if frame.pixels is not None]
    assert [round(float(frame.pixels.mean()), -1) for frame in frames] == [0, 100, 200]
    assert windows[0] == str(film) and windows[1].isascii()


def test_what_cannot_be_opened_is_said_of_the_users_own_name(
    windows: list[str], abroad: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (abroad / "film.avi").write_bytes(b"none")
    with raises(PhotoError, abroad / "film.avi"):
        source.open_source(abroad / "film.avi")
    monkeypatch.setattr(weights, "weights_path", lambda name: abroad / name)
    with raises(ModelError, abroad / weights.MMOD):
        DlibDetector()._run_mmod(np.zeros((64, 64, 3), np.uint8))


def test_windows_short_name_is_taken_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, abroad: Path
) -> None:
    monkeypatch.setattr(narrow, "NARROW", True)
    monkeypatch.setattr(narrow, "_short_name", lambda name: "C:\\ZO~1\\FILM.AVI")
    with narrow.narrow_name(abroad / "film.avi") as name:
        assert name == "C:\\ZO~1\\FILM.AVI"


def test_elsewhere_a_name_is_itself(abroad: Path) -> None:
    with narrow.narrow_name(abroad / "a") as name:
        assert name == str(abroad / "a")
