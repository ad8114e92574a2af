"""Saving and loading a ``Reconstruction``: an ``.npz`` with a JSON header, no pickle.

Arrays are stored under the names of the dataclass's fields, but for hair (``hair.py``).
``expression_names`` and ``region_names`` are unicode arrays so that ``numpy.load`` alone shows
them; everything else that is no array is in ``header``, UTF-8 JSON in a uint8 array.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..arrays import Member, Npz, open_npz
from ..bounded import LARGEST_JSON, Damaged, checked, parse_json, reading
from ..errors import ExchangeError
from ..files import write_bytes
from .hair import PACKED, packed, unpacked
from .reconstruction import ARRAYS, MaterialSlot, Reconstruction
from .views import STACKED, apart, stacked

EXCHANGE_FORMAT = "reconstruct_face.reconstruction"
EXCHANGE_VERSION = 1

#: The fields that are no arrays, and their kinds (:func:`..bounded.fits`).
HEADER = {
    "image_size": (int, int),
    "texture_mode": str,
    "materials": [dict],
    "model": dict,
    "photo_path": str,
    "face_index": int,
    "warnings": [str],
    "timings": {str: float},
    "versions": {str: None},
    "provenance": dict,
}
#: Names, as unicode arrays.
_NAMES = {
    "expression_names": Member("U", ("E",)),
    "region_names": Member("U", ("G",), optional=True),
}
#: Pixels of the largest picture that ``photo/read.py`` takes.
LARGEST_PHOTO = 250_000_000
#: zlib's.  The sample's numbers take 43 ms with 1, 80 with 4, 136 with 6, for 3.6 MB each time.
_LEVEL = 1
#: Bytes of an array that are packed to see whether it shrinks, and the part that has to be left:
#: strands of hair keep 0.92 of 3 MB and take as long as all else, others keep at most 0.55.
_TRIED, _WORTH = 1 << 16, 0.85


def save_reconstruction(
    reconstruction: Reconstruction, path: str | os.PathLike[str], *, compress: bool = True
) -> Path:
    """Write ``reconstruction`` to ``path`` (beside it first, then renamed) and return the path.

    ``compress=False`` is faster still and for passing between processes.

    Raises :class:`OutputError` when the file cannot be written; nothing is left behind then.
    """
    path = Path(path)
    reconstruction.validate()
    header: dict[str, Any] = {"format": EXCHANGE_FORMAT, "version": EXCHANGE_VERSION}
    header |= {name: getattr(reconstruction, name) for name in HEADER}
    header["photo_path"] = reconstruction.photo_name  # a file may be given to others
    header["materials"] = [asdict(slot) for slot in reconstruction.materials]
    header["view_photo_names"] = [view.photo_name for view in reconstruction.views]
    arrays = packed({name: getattr(reconstruction, name) for name in ARRAYS})
    arrays |= stacked(reconstruction.views)
    for name in _NAMES:
        arrays[name] = np.array(getattr(reconstruction, name), dtype=np.str_)
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    return write_arrays(path, arrays, compress=compress)


def write_arrays(
    path: str | os.PathLike[str], arrays: Mapping[str, Any], *, compress: bool = False
) -> Path:
    """Write named arrays to the ``.npz`` ``path`` and return it.  Raises :class:`OutputError`."""
    # In memory first: zipfile, when the disk is full, fails a second time while it is taken down.
    packed = io.BytesIO()
    if compress:
        _pack(packed, arrays)
    else:
        np.savez(packed, **arrays)
    return write_bytes(path, packed.getbuffer())


def _pack(file: IO[bytes], arrays: Mapping[str, Any]) -> None:
    """``numpy.savez_compressed`` in a quarter of its time, and 4 % more room (the sample)."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name, value in arrays.items():
            array = np.asanyarray(value)
            member: str | zipfile.ZipInfo = f"{name}.npy"
            if not _shrinks(array):
                member = zipfile.ZipInfo(f"{name}.npy")
                member.compress_type = zipfile.ZIP_STORED
            with archive.open(member, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)


def _shrinks(array: np.ndarray) -> bool:
    """Whether packing ``array`` is worth its time, by a part of it."""
    if array.dtype == np.uint8 and array.ndim == 1:  # a picture's file is packed already
        return False
    part = array.ravel()[: _TRIED // max(array.itemsize, 1)].tobytes()
    return len(zlib.compress(part, _LEVEL)) < _WORTH * len(part)


def read_about(archive: Npz) -> dict[str, Any]:
    """The JSON object in the array ``header``.  Raises :class:`Damaged`."""
    found = archive.read({"header": Member("u1", ("H",))}, LARGEST_JSON)["header"]
    header = parse_json(found.tobytes())
    if not isinstance(header, dict):
        raise Damaged("its header is no object")
    return header


def load_reconstruction(path: str | os.PathLike[str]) -> Reconstruction:
    """Read what :func:`save_reconstruction` wrote; members of other names are not read.

    Raises :class:`ExchangeError` when ``path`` is missing, damaged, of another kind or version.
    """
    then = "run the reconstruction again"
    with (
        reading(ExchangeError, path, "a reconstruction file", then),
        open_npz(path) as archive,
    ):
        header = read_about(archive)
        if header.get("format") != EXCHANGE_FORMAT:
            raise ExchangeError(f"{path} is not a reconstruction file.")
        if header.get("version") != EXCHANGE_VERSION:
            raise ExchangeError(
                f"{path} has exchange version {header.get('version')!r:.20}; this add-on reads "
                f"version {EXCHANGE_VERSION}. Run the reconstruction again."
            )
        _check_header(header)
        wanted = ARRAYS | PACKED | STACKED | _NAMES
        values: dict[str, Any] = unpacked(archive.read(wanted))
        values["views"] = apart(values, header.get("view_photo_names", []))
        for name in [name for name in _NAMES if name in values]:
            values[name] = tuple(str(one) for one in values[name])
        values |= {name: header[name] for name in HEADER}
        values["image_size"] = tuple(header["image_size"])
        values["warnings"] = tuple(header["warnings"])
        values["materials"] = tuple(
            MaterialSlot(slot["name"], slot["kind"]) for slot in header["materials"]
        )
        made = Reconstruction(**values)
        made.check()
    return made


def _check_header(header: dict[str, Any]) -> None:
    checked(header, HEADER, {"view_photo_names": [str]})
    for slot in header["materials"]:
        checked(slot, {"name": str, "kind": str})
    checked(header["model"], {"name": str})
    checked(header["provenance"], {}, {"options": dict})
    width, height = header["image_size"]
    if min(width, height) < 1 or width * height > LARGEST_PHOTO:
        raise Damaged(f"'image_size' is {width} x {height}")
