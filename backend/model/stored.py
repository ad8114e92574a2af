"""Imported face models on disk: loaded, memory-mapped, and removed.

``importing/store.py`` writes them.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError, OutputError
from ..exchange.model_cards import find_model, read_header
from ..files import reason
from .face_model import FaceModel

EXTRA = "extra."  #: begins the files of further arrays


def load_stored(folder: Path, expressions: str = "native") -> FaceModel:
    """The model in ``folder``, its arrays mapped into memory and read when they are used.

    ``expressions``: ``"native"``, its own, or ``"arkit"``, ARKit's 52 shapes on its mesh.  Raises
    :class:`ModelError` where the folder is damaged or something else.
    """
    header = read_header(folder)
    try:
        about = dict(header["model"])
        arrays: dict[str, Any] = {
            key: _mapped(folder, key, *header["arrays"][key])
            for key in header["arrays"]
            if not key.startswith(EXTRA)
        }
        basis, names = arrays.pop("arkit_basis"), tuple(header["arkit_names"])
        if expressions == "arkit":
            arrays["expression_basis"] = basis
            arrays["expression_range"] = np.tile(np.array([0, 1], np.float32), (len(names), 1))
            about["expression_names"] = names
        for key, value in about.items():
            about[key] = tuple(value) if isinstance(value, list) else value
        return FaceModel(**about, **arrays)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            f"The imported face model {folder.name} is damaged ({error}); import it again."
        ) from error


def load_extras(name: str) -> dict[str, NDArray]:
    """The further arrays of the imported model ``name``.  Raises :class:`ModelError`."""
    folder = Path(find_model(name).folder)
    arrays = read_header(folder)["arrays"]
    return {
        key.removeprefix(EXTRA): _mapped(folder, key, *arrays[key])
        for key in arrays
        if key.startswith(EXTRA)
    }


def remove_model(name: str) -> None:
    """Delete the imported model ``name``.

    Raises :class:`ModelError` where there is none, :class:`OutputError` where it cannot go.
    """
    folder = Path(find_model(name).folder)
    hidden = folder.with_name(f".{name}.{os.getpid()}.gone")
    try:
        os.replace(folder, hidden)  # gone at once, or still whole
        shutil.rmtree(hidden)
    except OSError as error:
        raise OutputError(f"Cannot remove {folder}: {reason(error)}.") from error


def _mapped(folder: Path, key: str, shape: list[int], dtype: str) -> NDArray:
    """The array, copied on write: torch warns of arrays that cannot be written to."""
    try:
        array = np.load(folder / f"{key}.npy", mmap_mode="c", allow_pickle=False)
    except FileNotFoundError as error:
        raise ValueError(f"{key}.npy is missing") from error
    except (OSError, EOFError, ValueError) as error:
        raise ValueError(f"{key}.npy: {error}") from error
    if list(array.shape) != shape or array.dtype.str != dtype:
        raise ValueError(f"{key}.npy is {array.dtype} {array.shape}")
    return array.view(np.ndarray)
