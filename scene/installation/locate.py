"""Which Python runs the backend, and in what process environment."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from ...backend.errors import WorkerError
from .choices import choices

ROOT = Path(__file__).resolve().parents[2]

#: Names the Python that has the backend's packages.
PYTHON_VARIABLE = "RECONSTRUCT_FACE_PYTHON"
#: Names what the network computes on: "cpu", "cuda" or "auto", see ``backend/network/device.py``.
DEVICE_VARIABLE = "RECONSTRUCT_FACE_DEVICE"

#: What tells a Python that has the backend's packages from one that has not.
_NEEDED = ("cv2", "dlib")


def find_python(python: str | os.PathLike[str] | None = None) -> str:
    """The Python that runs the backend.

    In this order: ``python``, the environment variable RECONSTRUCT_FACE_PYTHON, the one chosen in
    the preferences, the project's ``.venv``, and the running one if it has OpenCV and dlib.
    Raises :class:`WorkerError`.
    """
    for source, choice in (
        ("the given Python", python),
        (PYTHON_VARIABLE, os.environ.get(PYTHON_VARIABLE)),
        ("the add-on's preferences", choices().python),
    ):
        if choice:
            if not Path(choice).is_file():
                raise WorkerError(f"There is no Python at {choice} ({source}); correct the path.")
            return str(choice)
    for inside in ("bin/python", "Scripts/python.exe"):
        candidate = ROOT / ".venv" / inside
        if candidate.is_file():
            return str(candidate)
    if sys.executable and all(importlib.util.find_spec(name) for name in _NEEDED):
        return sys.executable
    raise WorkerError(
        "No Python with OpenCV and dlib was found; set the environment variable "
        f"{PYTHON_VARIABLE} to one, or run the project's set-up, which makes {ROOT / '.venv'}."
    )


def worker_environment() -> dict[str, str]:
    """This process's environment for another Python.

    Without what would point it at Blender's modules or at the user's own packages, and with the
    device that was chosen.
    """
    hidden = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV")
    found = {key: value for key, value in os.environ.items() if key not in hidden}
    found["PYTHONNOUSERSITE"] = "1"
    if choices().device != "auto":
        found[DEVICE_VARIABLE] = choices().device
    return found
