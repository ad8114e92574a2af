"""Imported face models on disk: loaded, memory-mapped, and removed.

``importing/store.py`` writes them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Member, check_arrays, map_npy
from ..bounded import DAMAGE, Damaged, checked, short
from ..errors import ModelError, OutputError
from ..exchange.model_cards import find_model, read_header
from ..files import reason
from .face_model import ARRAYS, FaceModel

EXTRA = "extra."  #: begins the files of further arrays
_ARRAYS = ARRAYS | {"arkit_basis": Member("f4", ("X", "V", 3))}
#: What of a model is no array (:func:`..bounded.fits`).
_ABOUT = {
    "name": str,
    "expression_names": [str],
    "material_kinds": [str],
    "mask_names": [str],
    "eye_radius": float,
    "header": dict,
}
#: What ``completing`` found, and the deviations in the file's own coefficients: E expressions of
#: its own and X of ARKit's, V vertices.
_EXTRAS = {
    name: Member(None, shape, optional=True)
    for name, shape in (
        ("identity_scale", ("K",)),
        ("expression_scale", ("E",)),
        ("albedo_scale", ("A",)),
        ("similarity", (3, 4)),
        ("registered", ("R", 3)),
        ("default_triangle", ("V", 3)),
        ("default_weights", ("V", 3)),
        ("default_belief", ("V",)),
        ("mapping_native", ("E", "E")),
        ("mapping_arkit", ("X", "X")),
        ("mapping_cross", ("X", "E")),
        ("mapping_native_range", ("E", 2)),
    )
}


def load_stored(folder: Path, expressions: str = "native") -> FaceModel:
    """The model in ``folder``, its arrays mapped into memory and read when they are used.

    ``expressions``: ``"native"``, its own, or ``"arkit"``, ARKit's 52 shapes on its mesh.  Raises
    :class:`ModelError` where the folder is damaged or something else.
    """
    header = read_header(folder)
    with _told(folder):
        checked(header, {"model": dict, "arrays": dict, "arkit_names": [str]})
        about = {name: header["model"].get(name) for name in _ABOUT}
        checked(about, _ABOUT)
        arrays: dict[str, Any] = _mapped(folder, header["arrays"], _ARRAYS)
        basis, names = arrays.pop("arkit_basis"), tuple(header["arkit_names"])
        if expressions == "arkit":
            arrays["expression_basis"] = basis
            arrays["expression_range"] = np.tile(np.array([0, 1], np.float32), (len(names), 1))
            about["expression_names"] = names
        for key, value in about.items():
            about[key] = tuple(value) if isinstance(value, list) else value
        model = FaceModel(**about, **arrays)
        model.check()
        return model


def load_extras(name: str) -> dict[str, NDArray]:
    """The further arrays of the imported model ``name``.  Raises :class:`ModelError`."""
    folder = Path(find_model(name).folder)
    header = read_header(folder)
    with _told(folder):
        checked(header, {"arrays": dict})
        return _mapped(folder, header["arrays"], _EXTRAS, EXTRA)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Turns what a damaged folder leads to into a :class:`ModelError`."""
    try:
        yield
    except (OSError, *DAMAGE) as error:
        raise ModelError(
            f"The imported face model {folder.name} is damaged ({short(error)}); import it again."
        ) from error


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


def _mapped(
    folder: Path, listed: dict[str, Any], wanted: Mapping[str, Member], prefix: str = ""
) -> dict[str, NDArray]:
    """The arrays ``wanted``, copied on write: torch warns of arrays that cannot be written to."""
    arrays: dict[str, NDArray] = {}
    for name, member in wanted.items():
        key = prefix + name
        if key not in listed and member.optional:
            continue
        if key not in listed:
            raise Damaged(f"it lacks {key}")
        try:
            array = map_npy(folder / f"{key}.npy")
        except FileNotFoundError as error:
            raise Damaged(f"{key}.npy is missing") from error
        except (OSError, Damaged) as error:
            raise Damaged(f"{key}.npy: {short(error)}") from error
        if listed[key] != [list(array.shape), array.dtype.str]:
            raise Damaged(f"{key}.npy is {array.dtype} {array.shape}")
        arrays[name] = array
    check_arrays(arrays, wanted)
    return arrays
