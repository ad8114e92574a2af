"""What a file is, told by its content."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ModelError
from ...files import reason
from . import basel_h5, eos, ict
from . import piece as kinds
from .piece import CALLED, Piece
from .unpickle import read_pickle

START = 4096  #: bytes that are looked at first


def recognise(path: Path) -> Piece:
    """The file or folder as a :class:`Piece`, read.

    Raises :class:`ModelError` with what was found where it is none of those that can be read.
    """
    if path.is_dir():
        return ict.recognise(path)
    try:
        with open(path, "rb") as file:
            start = file.read(START)
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise ModelError(f"There is no file {path}.") from error
    except OSError as error:
        raise ModelError(f"Cannot read {path}: {reason(error)}.") from error
    if not size:
        raise ModelError(f"{path.name} is empty; download or copy it again.")
    if start.lstrip()[:1] == b"<":
        raise ModelError(
            f"{path.name} is a web page (HTML), as a failed download leaves it; download the file "
            "again, logged in where its site asks for that."
        )
    if start.startswith(b"MATLAB 5.0"):
        return _mat(path)
    if start.startswith(b"MATLAB 7.3"):
        raise ModelError(
            f"{path.name} was saved anew as MATLAB 7.3; take the original file, or save it with "
            "the option -v7."
        )
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return _h5(path)
    if start.startswith(b"PK\x03\x04"):
        return _npz(path)
    if start[:1] == b"\x80" and start[1:2] <= b"\x05":
        return _pickle(path)
    if kind := eos.recognise(path, start, size):
        return Piece(path, kind)
    if piece := _exp_pca(path, start, size):
        return piece
    if piece := _std_exp(path, start, size):
        return piece
    if start[:1] in (b"(", b"c", b"}", b"]"):
        return _pickle(path)  # of the first protocols, which no number precedes
    raise ModelError(f"{path.name} is no file of a face model that can be read here. {_wanted()}")


def _wanted() -> str:
    return f"Those are {'; '.join(CALLED[kind] for kind in kinds.COMPANIONS)}."


def _mat(path: Path) -> Piece:
    import scipy.io

    try:
        found = scipy.io.loadmat(path)
    except Exception as error:  # scipy raises all kinds for damaged files
        raise ModelError(
            f"{path.name} is damaged or cut off ({error}); download or copy it again."
        ) from error
    fields = {key: value for key, value in found.items() if not key.startswith("__")}
    for name, kind, marks in (
        ("model", kinds.BFM, {"shapeMU", "shapePC", "shapeEV"}),
        ("model_info", kinds.INFO, {"uv_coords", "symlist"}),
    ):
        if (inner := _struct(fields.get(name))) is not None and marks & set(inner):
            return Piece(path, kind, inner)
    top = (
        (kinds.DEEP3D, {"idBase", "meanshape"}),
        (kinds.BASEL, {"shapePC", "shapeMU"}),
        (kinds.UV, {"UV"}),
        (kinds.TRIM, {"trimIndex"}),
        (kinds.FRONT, {"idx"}),
    )
    for kind, marks in top:
        if marks & set(fields):
            return Piece(path, kind, fields)
    raise ModelError(
        f"{path.name} is a MATLAB file with {_list(fields)}, none of which belongs to a face model "
        f"that can be read here. {_wanted()}"
    )


def _struct(value: Any) -> dict[str, np.ndarray] | None:
    """The fields of a MATLAB struct of one element."""
    if not isinstance(value, np.ndarray) or value.dtype.names is None or value.size != 1:
        return None
    only = value.reshape(-1)[0]
    return {name: only[name] for name in value.dtype.names}


def _h5(path: Path) -> Piece:
    import h5py

    fields: dict[str, Any] = {}
    try:
        with h5py.File(path, "r") as file:
            there = sorted(file)
            for name in basel_h5.PATHS:
                if name in file and name.split("/")[0] in file:
                    fields[name] = file[name][()]
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise ModelError(
            f"{path.name} is damaged or cut off ({error}); download or copy it again."
        ) from error
    if "shape/model/mean" not in fields:
        raise ModelError(
            f"{path.name} is an HDF5 file with {_list(there)}, not {CALLED[kinds.H5]}, which has "
            "the groups shape, expression and color."
        )
    return Piece(path, kinds.H5, fields)


def _npz(path: Path) -> Piece:
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = set(archive.files)
            needed = {"v_template", "shapedirs", "f"} if "shapedirs" in names else names
            fields = {name: archive[name] for name in names & needed}
    except ValueError as error:
        if "allow_pickle" in str(error) or "Object arrays" in str(error):
            raise ModelError(
                f"{path.name} holds Python objects, which could run code and are not read."
            ) from error
        raise ModelError(f"{path.name} is damaged ({error}).") from error
    except (OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise ModelError(
            f"{path.name} is damaged or cut off ({error}); download or copy it again."
        ) from error
    marks = (
        (kinds.FLAME, {"v_template", "shapedirs"}),
        (kinds.EXP, {"expPC"}),
        (kinds.STATS, {"Exp_Para_std"}),
    )
    for kind, wanted in marks:
        if wanted <= names and "shapePC" not in names:
            return Piece(path, kind, fields)
    raise ModelError(
        f"{path.name} holds {_list(names)}; exp_80k.npz holds expMU and expPC, stats_80k.npz "
        "Exp_Para_std and others, FLAME v_template and shapedirs."
    )


def _pickle(path: Path) -> Piece:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"Cannot read {path}: {reason(error)}.") from error
    fields = read_pickle(data, path.name)
    if not {"v_template", "shapedirs"} <= set(fields):
        raise ModelError(
            f"{path.name} is a pickle with {_list(fields)}, not {CALLED[kinds.FLAME]}, which has "
            "v_template, shapedirs and f."
        )
    return Piece(path, kinds.FLAME, fields)


def _exp_pca(path: Path, start: bytes, size: int) -> Piece | None:
    """A count, a mean and as many components of 3 float32 a vertex; the size tells the vertices."""
    if len(start) < 16:
        return None
    count = int(np.frombuffer(start[:4], "<i4")[0])
    if not 1 <= count <= 1000 or (size - 4) % (12 * (count + 1)):
        return None
    first = np.frombuffer(start[4 : 4 + (len(start) - 4) // 4 * 4], "<f4")
    if not np.isfinite(first).all() or np.abs(first).max() > 1e9:
        return None
    values = np.fromfile(path, "<f4", offset=4).reshape(count + 1, -1)
    fields = {"mean": values[0][:, None], "basis": values[1:].T}
    return Piece(path, kinds.EXP_PCA, fields)


def _std_exp(path: Path, start: bytes, size: int) -> Piece | None:
    if size > START:
        return None
    try:
        values = np.array(start.decode("ascii").replace(",", " ").split(), np.float64)
    except ValueError:
        return None
    return Piece(path, kinds.STD_EXP, {"std_exp": values}) if len(values) else None


def _list(names: Mapping[str, Any] | set[str] | list[str]) -> str:
    shown = sorted(names)
    more = f" and {len(shown) - 8} more" if len(shown) > 8 else ""
    return ", ".join(shown[:8]) + more if shown else "nothing"
