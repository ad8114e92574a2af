"""Which Python runs the backend, and in what process environment."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from ...backend.errors import WorkerError
from ...backend.lifeline import IDLE_VARIABLE
from . import environment
from .check import CHECKS
from .choices import ROOT, choices

#: Names the Python that has the backend's packages.
PYTHON_VARIABLE = "RECONSTRUCT_FACE_PYTHON"
#: Names what the network computes on: "cpu" or "cuda", see ``backend/network/device.py``.
DEVICE_VARIABLE = "RECONSTRUCT_FACE_DEVICE"

#: What tells a Python that has the backend's packages from one that has not.
_NEEDED = ("cv2", "dlib")


def find_python(python: str | os.PathLike[str] | None = None) -> str:
    """The Python that runs the backend.

    In this order: ``python``, the environment variable RECONSTRUCT_FACE_PYTHON, the one chosen in
    the preferences, the environment that the add-on has set up, the project's ``.venv``, and the
    running one if it has OpenCV and dlib.  Raises :class:`WorkerError`, also where one of them was
    found unusable when it was last looked at.  May be called from any thread.
    """
    chosen = choices()
    for source, choice in (
        ("the given Python", python),
        (PYTHON_VARIABLE, os.environ.get(PYTHON_VARIABLE)),
        ("the add-on's preferences", chosen.python),
    ):
        if choice:
            if not Path(choice).is_file():
                raise WorkerError(f"There is no Python at {choice} ({source}); correct the path.")
            return _not_known_as_broken(os.fspath(choice))
    problem = environment.problem(chosen)
    if problem is None and chosen.folder is not None:
        made = environment.python_of(environment.environment_of(chosen.folder))
        return _not_known_as_broken(str(made))
    if problem is not None and problem[0] != "missing":
        raise WorkerError(problem[1])
    if elsewhere := project_python():
        return elsewhere
    raise WorkerError(
        "The backend is not set up: press 'Set Up Backend' in the add-on's preferences, or name a "
        f"Python that has its packages there or in the environment variable {PYTHON_VARIABLE}."
    )


def project_python() -> str:
    """The Python of a checkout of the project, or the running one if it can; otherwise ""."""
    for inside in ("bin/python", "Scripts/python.exe"):
        candidate = ROOT / ".venv" / inside
        if candidate.is_file():
            return str(candidate)
    if sys.executable and all(importlib.util.find_spec(name) for name in _NEEDED):
        return sys.executable
    return ""


def worker_environment() -> dict[str, str]:
    """This process's environment for another Python.

    Without what would point it at Blender's modules or at the user's own packages, and with the
    device that was chosen and how long it stays idle (a variable that is set already counts).
    """
    hidden = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV")
    found = {key: value for key, value in os.environ.items() if key not in hidden}
    found["PYTHONNOUSERSITE"] = "1"
    found.setdefault(IDLE_VARIABLE, f"{choices().idle_minutes:g}")
    found["PYTHONSAFEPATH"] = "1"  # no modules from the current folder, nor from beside a script
    if choices().device != "auto":
        found[DEVICE_VARIABLE] = choices().device
    return found


def _not_known_as_broken(python: str) -> str:
    report = CHECKS.known(python, choices())
    if report is not None and report.code != "ready":
        raise WorkerError(report.sentence(python))
    return python
