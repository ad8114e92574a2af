"""Saving and loading a ``Reconstruction``: an ``.npz`` with a JSON header, no pickle.

Arrays are stored under the names of the dataclass's fields.  ``expression_names`` is a unicode
array so that ``numpy.load`` alone shows it; everything else that is no array is in ``header``,
UTF-8 JSON in a uint8 array.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ExchangeError
from ..files import write_bytes
from .reconstruction import MaterialSlot, Reconstruction

EXCHANGE_FORMAT = "reconstruct_face.reconstruction"
EXCHANGE_VERSION = 1

_HEADER_FIELDS = (
    "image_size",
    "texture_mode",
    "materials",
    "model",
    "photo_path",
    "face_index",
    "warnings",
    "timings",
    "versions",
    "provenance",
)
_ARRAY_FIELDS = tuple(
    f.name
    for f in fields(Reconstruction)
    if f.name not in _HEADER_FIELDS and f.name != "expression_names"
)


def save_reconstruction(
    reconstruction: Reconstruction, path: str | os.PathLike[str], *, compress: bool = True
) -> Path:
    """Write ``reconstruction`` to ``path`` (beside it first, then renamed) and return the path.

    ``compress=False`` is several times faster and for passing between processes.

    Raises :class:`OutputError` when the file cannot be written; nothing is left behind then.
    """
    path = Path(path)
    reconstruction.validate()
    header: dict[str, Any] = {"format": EXCHANGE_FORMAT, "version": EXCHANGE_VERSION}
    header |= {name: getattr(reconstruction, name) for name in _HEADER_FIELDS}
    header["materials"] = [asdict(slot) for slot in reconstruction.materials]
    arrays = {name: getattr(reconstruction, name) for name in _ARRAY_FIELDS}
    arrays["expression_names"] = np.array(reconstruction.expression_names, dtype=np.str_)
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    return write_arrays(path, arrays, compress=compress)


def write_arrays(
    path: str | os.PathLike[str], arrays: Mapping[str, Any], *, compress: bool = False
) -> Path:
    """Write named arrays to the ``.npz`` ``path`` and return it.  Raises :class:`OutputError`."""
    write = np.savez_compressed if compress else np.savez
    # In memory first: zipfile, when the disk is full, fails a second time while it is taken down.
    packed = io.BytesIO()
    write(packed, **arrays)
    return write_bytes(path, packed.getbuffer())


def read_arrays(path: str | os.PathLike[str], what: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays of an ``.npz``, and the JSON object that is in its array ``header``.

    Raises :class:`ExchangeError`, which calls the file a ``what``, when it is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(bytes(arrays.pop("header")).decode())
    except FileNotFoundError as error:
        raise ExchangeError(f"There is no {what} at {path}.") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise ExchangeError(f"{path} is not a {what} file, or is damaged.") from error
    if not isinstance(header, dict):
        raise ExchangeError(f"{path} is not a {what} file.")
    return arrays, header


def load_reconstruction(path: str | os.PathLike[str]) -> Reconstruction:
    """Read what :func:`save_reconstruction` wrote.

    Raises :class:`ExchangeError` when ``path`` is missing, damaged, of another kind or version.
    """
    arrays, header = read_arrays(path, "reconstruction")
    if header.get("format") != EXCHANGE_FORMAT:
        raise ExchangeError(f"{path} is not a reconstruction file.")
    if header.get("version") != EXCHANGE_VERSION:
        raise ExchangeError(
            f"{path} has exchange version {header.get('version')}; this add-on reads version "
            f"{EXCHANGE_VERSION}. Run the reconstruction again."
        )
    missing = [n for n in (*_ARRAY_FIELDS, "expression_names") if n not in arrays]
    missing += [n for n in _HEADER_FIELDS if n not in header]
    if missing:
        raise ExchangeError(f"{path} lacks {', '.join(missing)}; run the reconstruction again.")
    values = {name: arrays[name] for name in _ARRAY_FIELDS}
    values |= {name: header[name] for name in _HEADER_FIELDS}
    values["expression_names"] = tuple(str(name) for name in arrays["expression_names"])
    values["image_size"] = tuple(header["image_size"])
    values["warnings"] = tuple(header["warnings"])
    values["materials"] = tuple(MaterialSlot(**slot) for slot in header["materials"])
    return Reconstruction(**values).validate()
