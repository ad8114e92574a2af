"""Small things that went wrong: what hid an error, named nothing, or took more than was there."""

from __future__ import annotations

import errno
import json
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from reconstruct_face.backend.errors import ModelError, OutputError
from reconstruct_face.backend.exchange.batch import BatchOptions, finished_faces
from reconstruct_face.backend.exchange.photo_tasks import collect
from reconstruct_face.backend.files import LONGEST_NAME, write_bytes
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.model.importing.recognise import recognise
from reconstruct_face.backend.network import face_landmarker

from tests.errors import raises

ASTRONAUT = Path(__file__).parents[1] / "assets" / "astronaut.jpg"
#: Landmarks (68, 2) of the mean head, 200 pixels wide.
FACE = load_model().mean[load_model().landmarks68][:, :2] * (1.4, -1.4) + (400.0, 400.0)


def test_tidying_up_that_fails_does_not_hide_why_writing_failed(tmp_path: Path, monkeypatch):
    def full(*names: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def refused(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("os.replace", full)
    monkeypatch.setattr(Path, "unlink", refused)
    with raises(OutputError, tmp_path / "a.json", "disk is full"):
        write_bytes(tmp_path / "a.json", b"{}")


@pytest.mark.parametrize("length", [LONGEST_NAME, 244, 250, 255])
def test_the_longest_names_that_a_disk_takes_are_written(length: int, tmp_path: Path):
    path = tmp_path / ("a" * (length - 5) + ".json")
    assert write_bytes(path, b"{}").read_bytes() == b"{}"
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_a_pickle_of_something_else_is_told_from_flame_by_name(tmp_path: Path):
    path = tmp_path / "hand.pkl"
    path.write_bytes(pickle.dumps({"betas": np.zeros(3)}, 2))
    with raises(ModelError, "hand.pkl", "betas", "FLAME") as caught:
        recognise(path)
    assert "kinds." not in str(caught.value) and "{" not in str(caught.value)


@pytest.mark.parametrize("shift", [(-600, 0), (0, -600), (-600, -600), (900, 0), (0, 900)])
def test_of_a_face_outside_the_picture_nothing_is_looked_at(shift: tuple[int, int]):
    """A negative end of a slice counts from the other side: most of the photo, enlarged."""
    picture = np.full((800, 800, 3), 200, np.uint8)
    face_landmarker.warm()
    tracemalloc.start()
    try:
        assert face_landmarker.face_mesh(picture, FACE + shift).irises is None
        assert tracemalloc.get_traced_memory()[1] < 6_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("lacking", ["run", "photo_sha256", "request", "faces", "all"])
def test_a_record_that_lacks_something_lets_the_photo_be_done_again(lacking: str, tmp_path: Path):
    (task,) = collect([ASTRONAUT], tmp_path)
    asked = BatchOptions()
    name = f"{task.name}.json"
    run = {
        "photo_sha256": task.digest,
        "request": asked.record(),
        "faces": {task.name: {}},
    }
    (tmp_path / name).write_text(json.dumps({"run": run}))
    assert finished_faces(task, tmp_path, asked) == [task.name], "the whole record is taken"
    run.pop(lacking, None)
    document = {} if lacking in ("run", "all") else {"run": run}
    (tmp_path / name).write_text("" if lacking == "all" else json.dumps(document))
    assert finished_faces(task, tmp_path, asked) == []
    (again,) = collect([ASTRONAUT], tmp_path)
    assert again.error is None and finished_faces(again, tmp_path, asked) == []


def test_a_record_that_cannot_be_read_lets_the_photo_be_done_again(tmp_path: Path):
    (task,) = collect([ASTRONAUT], tmp_path)
    (tmp_path / f"{task.name}.json").mkdir()
    assert finished_faces(task, tmp_path, BatchOptions()) == []
    (again,) = collect([ASTRONAUT], tmp_path)
    assert again.error is None and again.name != task.name
