"""Loading face models: the one that ships with the add-on, imported ones, and files."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import LARGEST_FILE, Member, Npz, open_npz
from ..bounded import checked, open_regular, reading
from ..errors import ModelError
from ..exchange.cache import read_cached, write_cached
from ..exchange.model_cards import HEADER, models_folder, there_are
from ..exchange.npz import read_about
from ..exchange.options import DEFAULT_MODEL, EXPRESSIONS
from .earlier import check_scale
from .face_model import ARRAYS, FaceModel, came_from
from .stored import load_stored

ASSETS = Path(__file__).resolve().parents[2] / "assets"
MODEL_FORMAT = "reconstruct_face.face_model"
MODEL_VERSION = 1
#: The members of the file: the ranges are in its header, the albedo basis is scaled to +-127 and
#: stays in half precision, which has four times as many steps.
_ARRAYS = {name: member for name, member in ARRAYS.items() if name != "expression_range"} | {
    "albedo_basis": Member("f2", ("A", "T", "T", 3)),
    "albedo_scale": Member("f4", ("A",)),
    "eye_radius": Member("f4", ()),
}
#: Raised whenever :func:`_unpacked` makes other arrays of the same.
_UNPACKED = 1
_HEADER = {"name": str, "expression_names": [str], "materials": [str], "mask_names": [str]}
_HEADER_TOO = {"expression_range": [(float, float)], "same_coefficients": [str]}


def load_model(name: str = DEFAULT_MODEL, expressions: str = "native") -> FaceModel:
    """The face model ``name``, with its own ``expressions`` or ARKit's 52 on its mesh.

    ``"default"`` (built by ``tools/build_face_model``; its own expressions are ARKit's), the name
    of an imported model, or the path of a file or folder in one of this project's formats.  Models
    are kept, and loaded again when they have changed.

    Raises :class:`ModelError` when there is none of that name, or it is damaged, or of another
    format or version; ValueError for other ``expressions``.
    """
    if expressions not in EXPRESSIONS:
        raise ValueError(f"expressions is {expressions!r}; give one of {EXPRESSIONS}.")
    path = model_path(name)
    try:
        changed = (path / HEADER if os.path.isdir(path) else path).stat().st_mtime_ns
    except OSError:
        changed = 0  # told by what reads it
    return _load(path, expressions, changed)


def model_path(name: str) -> Path:
    """The file or folder of the face model ``name``.  Raises :class:`ModelError`."""
    if name == DEFAULT_MODEL:
        return ASSETS / "face_model.npz"
    plain = Path(name).name == name and name not in (".", "..")
    if plain and os.path.isdir(models_folder() / name):
        return models_folder() / name
    if os.path.lexists(name):
        return Path(name)
    raise ModelError(f"There is no face model {name!r}. {there_are()}")


@lru_cache(maxsize=4)
def _load(path: Path, expressions: str, changed: int) -> FaceModel:
    if os.path.isdir(path):
        model = load_stored(path, expressions)
        about = repr((str(path), changed, expressions, model.header))
        came_from(model, hashlib.sha256(about.encode()).hexdigest())
        return model
    with reading(ModelError, path, "a face model of this project", "name another one"):
        with open_regular(path, LARGEST_FILE) as file:
            start = file.read(2)
        if start and start != b"PK":
            raise ModelError(
                f"{path} is not a face model of this project; 'models import' takes others."
            )
        with open_npz(path) as archive:
            if "header" not in archive.names:
                raise ModelError(
                    f"{path} is not a face model of this project; 'models import' takes those of "
                    "others."
                )
            header = read_about(archive)
            if header.get("format") != MODEL_FORMAT:
                raise ModelError(f"{path} is not a face model of this project.")
            if header.get("version") != MODEL_VERSION:
                raise ModelError(
                    f"{path} has model version {header.get('version')!r:.20}, not "
                    f"{MODEL_VERSION}; build it again with this release."
                )
            checked(header, _HEADER, _HEADER_TOO)
            check_scale(header)
            with open_regular(path, LARGEST_FILE) as file:
                header["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
            arrays = _unpacked(archive, header["sha256"])
        model = _assemble(arrays, header)
        model.check()
        came_from(model, header["sha256"])
        return model


def _unpacked(archive: Npz, digest: str) -> dict[str, Any]:
    """The arrays of a model's file of this ``digest``, as :class:`FaceModel` has them.

    To unpack and to widen them takes four times as long as to read what was kept of that.
    """
    name, key = "model.load", (digest, sorted(_ARRAYS.items()), _UNPACKED)
    arrays: dict[str, Any] | None = read_cached(name, key)
    if arrays is None:
        arrays = archive.read(_ARRAYS)
        scale = arrays.pop("albedo_scale")
        arrays["albedo_basis"] *= (scale / np.float32(127.0)).reshape(-1, 1, 1, 1)
        write_cached(name, key, arrays)
    return arrays


def _assemble(arrays: dict[str, Any], header: dict[str, Any]) -> FaceModel:
    names = tuple(header["expression_names"])
    expression_range = np.asarray(
        header.get("expression_range", [[0.0, 1.0]] * len(names)), dtype=np.float32
    )
    return FaceModel(
        name=header["name"],
        header=header,
        expression_names=names,
        expression_range=expression_range.reshape(-1, 2),
        material_kinds=tuple(header["materials"]),
        mask_names=tuple(header["mask_names"]),
        eye_radius=arrays.pop("eye_radius").item(),
        **arrays,
    )
