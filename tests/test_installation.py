"""The backend's environment: which Python is used, how one is made, and what is said of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from reconstruct_face.backend.errors import WorkerError
from reconstruct_face.scene.installation import locate
from reconstruct_face.scene.installation.locate import PYTHON_VARIABLE, find_python


def test_which_python_runs_the_backend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chosen, other = tmp_path / "python a", tmp_path / "python b"
    for path in (chosen, other):
        path.write_text("")
    monkeypatch.setenv(PYTHON_VARIABLE, str(other))
    assert find_python(chosen) == str(chosen)
    assert find_python() == str(other)
    monkeypatch.setenv(PYTHON_VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(WorkerError, match=rf"gone \({PYTHON_VARIABLE}\)"):
        find_python()
    monkeypatch.delenv(PYTHON_VARIABLE)
    monkeypatch.setattr(locate, "ROOT", tmp_path)
    assert find_python() == sys.executable  # it has OpenCV and dlib
    venv = tmp_path / ".venv" / "bin" / "python"
    venv.parent.mkdir(parents=True)
    venv.write_text("")
    assert find_python() == str(venv)


def test_without_any_python_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(PYTHON_VARIABLE, raising=False)
    monkeypatch.setattr(locate, "ROOT", tmp_path)
    monkeypatch.setattr(locate, "_NEEDED", ("cv2", "a_module_nobody_has"))
    with pytest.raises(WorkerError, match=PYTHON_VARIABLE):
        find_python()
