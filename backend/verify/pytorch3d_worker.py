"""``backend verify-worker``: draws passes with PyTorch3D for a process that lacks it.

The protocol is in ``exchange/wire.py``; surfaces and passes travel as ``.npz``.
"""

from __future__ import annotations

import platform
from dataclasses import fields
from importlib import metadata
from typing import Any

import numpy as np

from ..exchange.npz import write_arrays
from ..exchange.passes import save_passes
from ..exchange.wire import Progress, serve
from .surface import RenderMesh
from .view import View

_SURFACE = tuple(field.name for field in fields(RenderMesh))


def save_request(path: str, surface: RenderMesh, view: View) -> None:
    """What :func:`render` is asked to draw, as a file."""
    arrays = {name: getattr(surface, name) for name in _SURFACE}
    arrays |= {
        "camera_matrix": view.camera_matrix,
        "rotation": view.rotation,
        "translation": view.translation,
        "size": np.array(view.size),
        "orthographic": np.array(view.orthographic),
    }
    write_arrays(path, arrays)


def render(*, request: str, out: str, progress: Progress) -> dict[str, Any]:
    """Draw the file ``request`` (:func:`save_request`) into ``out`` (``exchange.passes``)."""
    progress(0.0, "Drawing with PyTorch3D")
    from .pytorch3d_renderer import render_passes

    with np.load(request, allow_pickle=False) as arrays:
        surface = RenderMesh(**{name: arrays[name] for name in _SURFACE})
        width, height = arrays["size"].tolist()
        view = View(
            arrays["camera_matrix"],
            arrays["rotation"],
            arrays["translation"],
            (width, height),
            bool(arrays["orthographic"]),
        )
    save_passes(out, render_passes(surface, view))
    return {"file": out}


def versions() -> dict[str, str]:
    """Of what draws: the greeting carries them into the report."""
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "pytorch3d": metadata.version("easypytorch3d"),
        "device": device,
    }


METHODS = {"render": render}


def main(argv: list[str]) -> int:
    """Serve until standard input closes."""
    serve(METHODS, versions())
    return 0
