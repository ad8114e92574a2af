"""Imported face models written to the user's data folder, whole or not at all.

Bases stay float32: at half the size a mode of 5 mm would be wrong by 2 micrometres, and 199 of them
by more than the thousandth of a millimetre that is allowed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError, OutputError
from ...exchange.model_cards import FORMAT, HEADER, PICTURE, VERSION, ModelCard, models_folder
from ...files import reason
from ..face_model import FaceModel
from ..stored import EXTRA
from .raw import RawModel

if TYPE_CHECKING:
    from ..completing import CompletedModel

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_name(name: str) -> str:
    """``name`` if a model can be called so.  Raises :class:`ModelError`."""
    if not _NAME.fullmatch(name) or name == "default":
        raise ModelError(
            f"A face model cannot be called {name!r}; take letters, digits, '.', '_' and '-', and "
            "not 'default'."
        )
    return name


def write_model(
    name: str, raw: RawModel, completed: CompletedModel, digest: str, picture: bytes
) -> ModelCard:
    """Put the model into the user's data folder as ``name``, in place of what is there.

    ``digest`` is that of its files, ``picture`` the card's PNG.  Raises :class:`OutputError`, and
    what was there is then as it was.
    """
    target = models_folder() / check_name(name)
    beside = target.with_name(f".{name}.{os.getpid()}.part")
    card = _card(name, target, raw, completed, digest)
    try:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        arrays = _arrays(completed) | {
            f"{EXTRA}{key}": value for key, value in _extras(raw, completed).items()
        }
        for key, array in arrays.items():
            np.save(beside / f"{key}.npy", array, allow_pickle=False)
        (beside / PICTURE).write_bytes(picture)
        header = {
            "format": FORMAT,
            "version": VERSION,
            "card": card.to_dict(),
            "model": _plain(replace(completed.model, name=name, header=_header(raw, digest))),
            "arkit_names": list(completed.arkit_names),
            "arrays": {key: [list(a.shape), a.dtype.str] for key, a in arrays.items()},
        }
        text = json.dumps(header, indent=1, default=_number)
        (beside / HEADER).write_text(text, encoding="utf-8")
        _put(beside, target)
    except OSError as error:
        raise OutputError(f"Cannot write the face model {target}: {reason(error)}.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return card


def _card(
    name: str, folder: Path, raw: RawModel, completed: CompletedModel, digest: str
) -> ModelCard:
    model = completed.model
    return ModelCard(
        name=name,
        folder=str(folder),
        kind=raw.kind,
        licence=raw.licence,
        sha256=digest,
        files=dict(raw.files),
        counts={
            "vertices": len(model.mean),
            "triangles": len(model.faces),
            "identity": len(model.identity_basis),
            "expressions": len(model.expression_basis),
            "albedo": len(model.albedo_basis),
            "arkit": len(completed.arkit_basis),
        },
        notes=(*raw.notes, *completed.notes),
        figures={key: float(value) for key, value in completed.figures.items()},
        imported=datetime.now().astimezone().isoformat(timespec="seconds"),
    )


def _header(raw: RawModel, digest: str) -> dict[str, Any]:
    return {
        "version": VERSION,
        "licence": raw.licence,
        "sha256": digest,
        "kind": raw.kind,
        "units": "mm",
        "colours": "default" if raw.albedo_mean is None else "own",
        **raw.extras,
    }


def _arrays(completed: CompletedModel) -> dict[str, NDArray]:
    """The arrays of the model, floats as float32."""
    out: dict[str, NDArray] = {"arkit_basis": completed.arkit_basis}
    for known in fields(FaceModel):
        value = getattr(completed.model, known.name)
        if isinstance(value, np.ndarray):
            out[known.name] = value
    return {
        key: np.ascontiguousarray(a, np.float32 if a.dtype.kind == "f" else a.dtype)
        for key, a in out.items()
    }


def _extras(raw: RawModel, completed: CompletedModel) -> Mapping[str, NDArray]:
    """What the completion found, and the deviations in the file's own coefficients."""
    own = {
        "identity_scale": raw.identity_scale,
        "expression_scale": raw.expression_scale,
        "albedo_scale": raw.albedo_scale,
    }
    kept = {key: value for key, value in own.items() if value is not None}
    return kept | {key: np.asarray(value) for key, value in completed.extras.items()}


def _plain(model: FaceModel) -> dict[str, Any]:
    """What of the model is no array."""
    values = {known.name: getattr(model, known.name) for known in fields(FaceModel)}
    return {key: value for key, value in values.items() if not isinstance(value, np.ndarray)}


def _number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no JSON")


def _put(beside: Path, target: Path) -> None:
    """Rename ``beside`` to ``target``; what was there before comes back if that fails."""
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    if target.exists():
        os.replace(target, old)
    try:
        os.replace(beside, target)
    except OSError:
        if old.exists():
            os.replace(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)
