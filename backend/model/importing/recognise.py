"""What a file is, told by its content."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...arrays import LARGEST_ARRAY, LARGEST_FILE, Member, open_npz
from ...bounded import open_regular, plain, read_bytes, reading
from ...errors import ModelError
from ...isolated import read_isolated
from . import basel_h5, eos, flame, ict
from . import piece as kinds
from .mat import read_mat
from .piece import CALLED, Piece
from .unpickle import read_pickle

START = 4096  #: bytes that are looked at first
#: FLAME's pickle has 53 MB.
LARGEST_PICKLE = 200_000_000
AGAIN = "download or copy it again"
_MAT_ARRAYS = {
    "shapeMU", "shapePC", "shapeEV", "texMU", "texPC", "texEV", "tl",
    "meanshape", "meantex", "idBase", "exBase", "texBase", "tri", "keypoints",
    "UV", "trimIndex", "idx",
}  # fmt: skip
_MAT_STRUCTS = {
    "model": {
        "shapeMU", "shapePC", "shapeEV", "texMU", "texPC", "texEV", "expMU", "expPC", "expEV",
        "tri", "tri_mouth", "kpt_ind",
    },
    "model_info": {"uv_coords", "symlist"},
}  # fmt: skip
_EXP = {name: Member(None, optional=True, finite=False) for name in ("expMU", "expPC")}
_STATS = {
    f"{part}_Para_{end}": Member(None, optional=True, finite=False)
    for part in ("Pose", "Shape", "Exp", "Color", "Illum", "Tex")
    for end in ("mean", "std")
}


def recognise(path: Path) -> Piece:
    """The file or folder as a :class:`Piece`, read.

    Raises :class:`ModelError` with what was found where it is none of those that can be read.
    """
    if os.path.isdir(path):
        return ict.recognise(path)
    with reading(ModelError, path, "a file"), open_regular(path, LARGEST_FILE) as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(START)
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
    with reading(ModelError, path, "a MATLAB file of a face model", AGAIN):
        found = read_mat(path, _MAT_ARRAYS, _MAT_STRUCTS)
    for name, kind, marks in (
        ("model", kinds.BFM, {"shapeMU", "shapePC", "shapeEV"}),
        ("model_info", kinds.INFO, {"uv_coords", "symlist"}),
    ):
        if marks & set(found.structs.get(name, ())):
            return Piece(path, kind, found.structs[name])
    top = (
        (kinds.DEEP3D, {"idBase", "meanshape"}),
        (kinds.BASEL, {"shapePC", "shapeMU"}),
        (kinds.UV, {"UV"}),
        (kinds.TRIM, {"trimIndex"}),
        (kinds.FRONT, {"idx"}),
    )
    for kind, marks in top:
        if marks & set(found.arrays):
            return Piece(path, kind, found.arrays)
    raise ModelError(
        f"{path.name} is a MATLAB file with {_list(found.names)}, none of which belongs to a face "
        f"model that can be read here. {_wanted()}"
    )


def _h5(path: Path) -> Piece:
    with reading(ModelError, path, CALLED[kinds.H5], AGAIN):
        told, fields = read_isolated("h5", path, basel_h5.PATHS)
    if "shape/model/mean" not in fields:
        raise ModelError(
            f"{path.name} is an HDF5 file with {_list(told.get('there', []))}, not "
            f"{CALLED[kinds.H5]}, which has the groups shape, expression and color."
        )
    return Piece(path, kinds.H5, fields)


def _npz(path: Path) -> Piece:
    with reading(ModelError, path, "a file of a face model", AGAIN), open_npz(path) as archive:
        names = set(archive.names)
        for kind, marks, wanted in (
            (kinds.FLAME, {"v_template", "shapedirs"}, flame.ARRAYS),
            (kinds.EXP, {"expPC"}, _EXP),
            (kinds.STATS, {"Exp_Para_std"}, _STATS),
        ):
            if marks <= names and "shapePC" not in names:
                return Piece(path, kind, archive.read(wanted))
    raise ModelError(
        f"{path.name} holds {_list(names)}; exp_80k.npz holds expMU and expPC, stats_80k.npz "
        "Exp_Para_std and others, FLAME v_template and shapedirs."
    )


def _pickle(path: Path) -> Piece:
    with reading(ModelError, path, "a pickle of a face model", AGAIN):
        fields = read_pickle(read_bytes(path, LARGEST_PICKLE), path.name, set(flame.ARRAYS))
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
    if size > LARGEST_ARRAY:
        raise ModelError(f"{path.name} has {size / 1e6:,.0f} MB, more than any such file.")
    data = read_bytes(path, LARGEST_ARRAY)
    values = np.frombuffer(data, "<f4", offset=4).reshape(count + 1, -1)
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
    return ", ".join(plain(name, 60) for name in shown[:8]) + more if shown else "nothing"
