"""Loading the face model that ships with the add-on (built by ``tools/build_face_model``)."""

from __future__ import annotations

import hashlib
import json
import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import ModelError
from .face_model import FaceModel

ASSETS = Path(__file__).resolve().parents[2] / "assets"
DEFAULT_MODEL = "default"
MODEL_FORMAT = "reconstruct_face.face_model"
MODEL_VERSION = 1


@lru_cache(maxsize=4)
def load_model(name: str = DEFAULT_MODEL) -> FaceModel:
    """The face model ``name``: ``"default"`` or the path of a file in the project's own format.

    Raises :class:`ModelError` when the file is missing, damaged, or of another format or version.
    """
    path = ASSETS / "face_model.npz" if name == DEFAULT_MODEL else Path(name)
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        header = json.loads(bytes(arrays.pop("header")).decode())
        if not isinstance(header, dict) or header.get("format") != MODEL_FORMAT:
            raise ModelError(f"{path} is not a face model of this project.")
        if header.get("version") != MODEL_VERSION:
            raise ModelError(
                f"{path} has model version {header.get('version')}, not {MODEL_VERSION}; "
                "build it again with this release."
            )
        header["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        return _assemble(arrays, header)
    except FileNotFoundError as error:
        raise ModelError(f"There is no face model at {path}; name 'default' or a file.") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise ModelError(f"The face model {path} is damaged ({error}).") from error


def _assemble(arrays: dict[str, np.ndarray], header: dict) -> FaceModel:
    names = tuple(header["expression_names"])
    expression_range = np.asarray(
        header.get("expression_range", [[0.0, 1.0]] * len(names)), dtype=np.float32
    )
    scale = arrays.pop("albedo_scale").astype(np.float32)
    albedo_basis = arrays.pop("albedo_basis").astype(np.float32)
    albedo_basis *= (scale / 127.0).reshape(-1, 1, 1, 1)
    half = ("identity_basis", "expression_basis", "albedo_mean")
    floats = {key: arrays.pop(key).astype(np.float32) for key in half}
    known = FaceModel.__dataclass_fields__
    return FaceModel(
        name=header["name"],
        header=header,
        expression_names=names,
        expression_range=expression_range,
        material_kinds=tuple(header["materials"]),
        mask_names=tuple(header["mask_names"]),
        albedo_basis=albedo_basis,
        eye_radius=arrays.pop("eye_radius").item(),
        **floats,
        **{key: value for key, value in arrays.items() if key in known},
    )
