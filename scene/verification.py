"""Verifying a head of the open file: what it needs, and what is kept of the answer.

The backend compares a copy of the file, opened by a Blender of its own, with the exchange file that
the head was built from; see ``backend/verify``.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import OrderedDict
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..backend.bounded import parse_json
from ..backend.errors import ExchangeError, OutputError
from ..backend.exchange import Reconstruction, load_reconstruction, save_reconstruction
from ..backend.exchange.temporary import temporary_folder
from ..backend.exchange.wire import Progress
from . import jobs
from .backend_process import BackendProcess
from .expression import as_in_main_photo, stands_as_in_a_photo
from .installation.choices import ROOT, choices
from .installation.locate import PYTHON_VARIABLE
from .materials import packed_image
from .mesh import KEY, expression_keys, photo_count, reconstruction_key
from .quiet import quiet

#: Names the Python that has PyTorch3D, see ``backend/verify/pytorch3d.py``.
PYTORCH3D_VARIABLE = "RECONSTRUCT_FACE_PYTORCH3D"
#: Custom property of a head: the last verification, as JSON.
RESULT = "verification"
#: ... and its picture.
PICTURE = "verification_picture"
#: Reconstructions are large; only those of the last few heads are kept for the session.
_KEPT = 4
_kept: OrderedDict[str, Reconstruction] = OrderedDict()


def keep(reconstruction: Reconstruction) -> None:
    """Remember what a head was built from, so that it can be verified without its file."""
    key = reconstruction_key(reconstruction)
    _kept[key] = reconstruction
    _kept.move_to_end(key)
    while len(_kept) > _KEPT:
        _kept.popitem(last=False)


def is_kept(head: bpy.types.Object) -> bool:
    """Whether :func:`start_verification` needs no file for ``head``."""
    return head.get(KEY) in _kept


def reconstruction_of(head: bpy.types.Object, npz: str = "") -> Reconstruction:
    """What ``head`` was built from: kept since, or read from the exchange file ``npz``.

    Raises :class:`ExchangeError` where it is not at hand, or the file is of another head.
    """
    if not npz and is_kept(head):
        return _kept[head[KEY]]
    if not npz:
        raise ExchangeError(
            f"What {head.name} was built from is not kept from earlier sessions; choose its .npz "
            "file, which the command line writes beside the .blend, or fit it again."
        )
    found = load_reconstruction(npz)
    if head.get(KEY) not in (None, reconstruction_key(found)):
        raise ExchangeError(
            f"{npz} is of another reconstruction than {head.name}; choose its own file, or fit it "
            "again."
        )
    return found


def start_verification(
    head: bpy.types.Object, npz: str = "", *, size: int = 512
) -> jobs.Job[dict[str, Any]]:
    """Have ``head`` verified as the open file has it now; the file stays as it is.

    The job's result is for :func:`keep_result`.  Raises :class:`ExchangeError`, see
    :func:`reconstruction_of`, and :class:`OutputError` where no copy can be written.
    """
    reconstruction = reconstruction_of(head, npz)
    kept = ExitStack()
    folder = Path(kept.enter_context(temporary_folder()))
    blend, exchange = folder / "scene.blend", folder / "head.npz"
    try:
        save_reconstruction(reconstruction, exchange, compress=False)
        with quiet(), as_in_main_photo(head):
            bpy.ops.wm.save_as_mainfile(filepath=str(blend), copy=True, check_existing=False)
    except BaseException as error:
        kept.close()  # whatever it was: a whole copy of the file would be left behind
        if isinstance(error, RuntimeError):
            said = str(error).strip()
            raise OutputError(f"No copy of the file can be written: {said}") from error
        raise
    name = head.name

    def work(
        backend: BackendProcess, progress: Progress, cancelled: threading.Event
    ) -> dict[str, Any]:
        with kept:
            result = backend.verify(
                exchange,
                blend,
                folder,
                head=name,
                blender=blender_command(),
                size=size,
                progress=progress,
                cancelled=cancelled,
            )
            picture = np.frombuffer(Path(result["picture"]).read_bytes(), np.uint8)
            return {"document": result["document"], "picture": picture}

    return jobs.submit(work)


def may_be_verified() -> bool:
    """Whether PyTorch3D may be at hand: set up beside this code, or in a Python that was named.

    Whether it is, the backend says.
    """
    if os.environ.get(PYTORCH3D_VARIABLE) or (ROOT / ".venv-verify").is_dir():
        return True
    return bool(os.environ.get(PYTHON_VARIABLE) or choices().python)


def keep_result(head: bpy.types.Object, result: dict[str, Any]) -> None:
    """Keep numbers and picture, packed, with ``head``, in place of the last ones."""
    head[RESULT] = json.dumps(result["document"] | {"key": head.get(KEY)})
    old, name = picture_of(head), f"{head.name} verification"
    head[PICTURE] = new = packed_image(name, result["picture"], ".png")
    if old is not None:
        old.user_remap(new)  # image editors that show it
        bpy.data.images.remove(old)
        new.name = name


def picture_of(head: bpy.types.Object) -> bpy.types.Image | None:
    """The last verification's picture."""
    found = head.get(PICTURE)
    return found if isinstance(found, bpy.types.Image) else None


def result_of(head: bpy.types.Object) -> dict[str, Any] | None:
    """The last verification's document; None without one, or where the head was fitted anew."""
    try:
        found = parse_json(head.get(RESULT, ""))
    except (TypeError, ValueError):
        return None
    if not isinstance(found, dict) or found.get("key") != head.get(KEY):
        return None
    return found


def expression_changed(head: bpy.types.Object) -> bool:
    """Whether the sliders are elsewhere than the photo's: then no picture can be the same.

    Those of another photo of the head count as unchanged: :func:`start_verification` sees to that.
    """
    if photo_count(head) > 1:
        return not stands_as_in_a_photo(head)
    fitted = list(head.get("expression", ()))
    now = [key.value for key in expression_keys(head)][: len(fitted)]
    return len(now) != len(fitted) or not np.allclose(now, fitted, atol=1e-4)


def blender_command() -> list[str] | None:
    """What starts this Blender in the background; None for the ``bpy`` module of a Python."""
    script = str(Path(__file__).with_name("__main__.py"))
    binary = bpy.app.binary_path
    if not binary or os.path.samefile(binary, sys.executable):
        return [sys.executable, "-P", script] if bpy.app.module else None
    return [binary, "--background", "--factory-startup", "--python", script]


def forget() -> None:
    """Drop what was kept."""
    _kept.clear()
