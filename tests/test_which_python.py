"""Which Python runs the backend, and what it is told."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from reconstruct_face.backend.errors import WorkerError
from reconstruct_face.operators import strings
from reconstruct_face.scene.installation import locate
from reconstruct_face.scene.installation.choices import Choices, choose
from reconstruct_face.scene.installation.locate import PYTHON_VARIABLE, find_python

from tests.errors import raises
from tests.installation import nothing_found_elsewhere  # noqa: F401  # a fixture for all

ROOT = Path(__file__).resolve().parents[1]


def test_which_python_runs_the_backend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given, other, chosen = (tmp_path / f"python {name}" for name in "abc")
    for path in (given, other, chosen):
        path.write_text("")
    choose(Choices(python=str(chosen)))
    monkeypatch.setenv(PYTHON_VARIABLE, str(other))
    assert find_python(given) == str(given)
    assert find_python() == str(other)
    monkeypatch.setenv(PYTHON_VARIABLE, str(tmp_path / "gone"))
    with raises(WorkerError, tmp_path / "gone", PYTHON_VARIABLE):
        find_python()
    monkeypatch.delenv(PYTHON_VARIABLE)
    assert find_python() == str(chosen)
    choose(Choices())
    with raises(WorkerError, strings.SET_UP, PYTHON_VARIABLE):
        find_python()
    monkeypatch.setattr(locate, "_NEEDED", ("cv2", "numpy"))
    assert find_python() == sys.executable
    venv = tmp_path / ".venv" / "bin" / "python"
    venv.parent.mkdir(parents=True)
    venv.write_text("")
    assert find_python() == str(venv)


def test_another_python_is_not_pointed_at_blenders_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONPATH", "PYTHONHOME"):
        monkeypatch.setenv(name, "/somewhere")
    choose(Choices(device="cpu", idle_minutes=2.5))
    env = locate.worker_environment()
    assert not {"PYTHONPATH", "PYTHONHOME"} & set(env)
    assert env["PYTHONNOUSERSITE"] == "1"
    assert env["RECONSTRUCT_FACE_DEVICE"] == "cpu"
    assert env["RECONSTRUCT_FACE_IDLE_MINUTES"] == "2.5"
    monkeypatch.setenv("RECONSTRUCT_FACE_IDLE_MINUTES", "7")
    assert locate.worker_environment()["RECONSTRUCT_FACE_IDLE_MINUTES"] == "7"
    assert env["PATH"] == os.environ["PATH"]
