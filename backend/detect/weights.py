"""dlib's trained files, from the PyPI package ``face_recognition_models``."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..errors import ModelError
from ..files import reason
from ..narrow import narrow_name

Loaded = TypeVar("Loaded")

_PACKAGE = "face_recognition_models"
MMOD = "mmod_human_face_detector.dat"
LANDMARKS_68 = "shape_predictor_68_face_landmarks.dat"
RECOGNITION = "dlib_face_recognition_resnet_model_v1.dat"


def load_weights(name: str, load: Callable[[str], Loaded]) -> Loaded:
    """What ``load``, one of dlib's classes, makes of the file ``name``; see the names above.

    Raises :class:`ModelError` when the package or the file is missing, or the file is damaged.
    """
    path = weights_path(name)
    try:
        with narrow_name(path) as there:
            return load(there)
    except RuntimeError as error:
        raise ModelError(f"{path} is damaged ({error}): install it again.") from error
    except OSError as error:
        raise ModelError(f"{path} cannot be opened: {reason(error)}.") from error


def weights_path(name: str) -> Path:
    """The file ``name`` of the installed package; see the names above.

    The package is located, not imported: importing it needs pkg_resources, which is gone from
    current setuptools.

    Raises :class:`ModelError` when the package or the file is missing.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "models" / name
        if path.is_file():
            return path
    found = "is incomplete" if spec else "is not installed"
    raise ModelError(
        f"{name} is missing because the package {_PACKAGE} {found}: run 'pip install {_PACKAGE}'."
    )
