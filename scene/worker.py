"""The Blender worker: turns an exchange file into files and pictures on request.

A thin shell around ``build``, ``export`` and ``render``; the protocol is in
``backend/exchange/wire.py``.  Every build starts from a new empty file.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..backend.errors import ExchangeError
from ..backend.exchange import load_reconstruction
from ..backend.exchange.npz import write_arrays
from ..backend.exchange.passes import save_passes
from ..backend.exchange.wire import Progress, serve
from . import passes
from .build import build_scene, prepare_file
from .export import export_head
from .poses import Angle
from .poses import render_poses as render_the_poses
from .quiet import quiet
from .render import render_photo_view, render_preview, square_around_head
from .targets import files

PREVIEW_PX = 512


def ping(*, progress: Progress) -> dict[str, Any]:
    """Answers at once: Blender is loaded by then."""
    return {"ready": True, "blender": bpy.app.version_string}


def build(
    *,
    npz: str,
    folder: str,
    name: str,
    formats: list[str],
    progress: Progress,
    preview: bool = True,
    window: list[float] | None = None,
    size: int = PREVIEW_PX,
    compact: bool = False,
) -> dict[str, Any]:
    """Build the head of the exchange file ``npz`` and write ``folder/name.*`` in ``formats``.

    ``compact`` is that of :func:`export_head`.

    With ``preview`` also the two pictures ``name_photo_render.png`` (of ``window``, x0, y0, x1, y1
    in photo pixels; the whole head without one) and ``name_three_quarter.png``, ``size`` pixels
    wide.  Returns ``{"files": {format: path}, "photo_render": path | None, "three_quarter": path |
    None, "timings": {step: seconds}}``.

    Raises :class:`ExchangeError` and :class:`OutputError`.
    """
    timings: dict[str, float] = {}
    clock = _clock(timings)
    with clock("load"):
        reconstruction = load_reconstruction(npz)
    with clock("build"):
        progress(0.05, "Building the head")
        prepare_file(reconstruction)
        head_scene = build_scene(reconstruction, name=name, set_active=True)
    with clock("export"):
        progress(0.1, "Writing the files")
        written = export_head(head_scene, folder, name, formats, compact=compact)
    pictures: dict[str, str | None] = {"photo_render": None, "three_quarter": None}
    if preview:
        with clock("render"):
            box = square_around_head(reconstruction) if window is None else window
            photo_render, three_quarter = (Path(folder) / f"{name}_{key}.png" for key in pictures)

            def rendering(fraction: float, step: str) -> None:
                progress(0.3 + 0.7 * fraction, step)

            render_preview(
                head_scene, reconstruction, box, photo_render, three_quarter,
                size=size, progress=rendering,
            )  # fmt: skip
            pictures = {"photo_render": str(photo_render), "three_quarter": str(three_quarter)}
    return {
        "files": {key: str(path) for key, path in written.items()},
        **pictures,
        "timings": {f"blender {step}": seconds for step, seconds in timings.items()},
    }


def export_for(
    *, npz: str, folder: str, name: str, target: str, changes: dict[str, Any], progress: Progress
) -> dict[str, Any]:
    """Build the head of the exchange file ``npz`` and write ``folder/name.*`` for ``target``.

    ``target`` and ``changes`` are those of :func:`.targets.files.export_for`.  Returns ``{"files":
    {format: path}}``.  Raises :class:`ExchangeError`, :class:`OptionError`, :class:`ModelError` and
    :class:`OutputError`.
    """
    progress(0.0, "Building the head")
    reconstruction = load_reconstruction(npz)
    prepare_file(reconstruction)
    head_scene = build_scene(reconstruction, name=name, set_active=True)
    progress(0.3, "Writing the files")
    written = files.export_for(head_scene, folder, name, target, **changes)
    return {"files": {key: str(path) for key, path in written.items()}}


def open_head(
    *,
    blend: str,
    progress: Progress,
    head: str | None = None,
    photo: str = "",
    face_index: int = 1,
) -> dict[str, Any]:
    """Open ``blend`` and say what the scene of its head's camera renders.

    Returns ``{"head": name, "blender": version}`` and what :func:`passes.frame_of` says.
    Raises :class:`ExchangeError` where the file or the head in it cannot be used.
    """
    progress(0.0, "Opening the file")
    try:
        with quiet():
            bpy.ops.wm.open_mainfile(filepath=blend, load_ui=False, use_scripts=False)
    except RuntimeError as error:
        raise ExchangeError(f"Blender cannot open {blend}: {str(error).strip()}") from error
    found = passes.find_head(head, photo, face_index)
    return {"head": found.name, "blender": bpy.app.version_string, **passes.frame_of(found)}


def render_passes(
    *,
    head: str,
    window: dict[str, Any],
    sh_light: list[list[float]],
    out: str,
    smooth: str,
    progress: Progress,
) -> dict[str, Any]:
    """Render the passes of the opened file's ``head`` into ``out``; subdivided depth to ``smooth``.

    ``window`` are the fields of :class:`passes.Window`, ``sh_light`` (9, 3).
    """
    progress(0.0, "Rendering the passes")
    found = passes.find_head(head)
    width, height = window["frame"]
    part = passes.Window(
        (width, height), window["left"], window["top"], window["width"], window["height"]
    )
    save_passes(out, passes.render_passes(found, part, np.array(sh_light)))
    progress(0.8, "Rendering the subdivided surface")
    write_arrays(smooth, {"depth": passes.render_subdivided_depth(found, part)})
    return {"file": out, "smooth": smooth}


def render_poses(
    *,
    npz: str,
    folder: str,
    window: list[float],
    poses: list[dict[str, float]],
    angles: list[list[dict[str, Any]]],
    size: int,
    samples: int,
    progress: Progress,
) -> dict[str, Any]:
    """Render the head of the exchange file ``npz`` in ``poses``, each from its ``angles``.

    ``angles`` are the fields of :class:`poses.Angle`; ``window`` is that of :func:`build`, ``size``
    pixels a side.  Returns ``{"photo_render": path, "poses": [{name of the angle: path}]}``.
    Raises :class:`ExchangeError` and :class:`OutputError`.
    """
    progress(0.0, "Building the head")
    reconstruction = load_reconstruction(npz)
    prepare_file(reconstruction)
    head_scene = build_scene(reconstruction, set_active=True)
    photo = Path(folder) / "photo_render.png"
    render_photo_view(head_scene, reconstruction, window, photo, size=size, samples=samples)
    pictures = render_the_poses(
        head_scene,
        reconstruction,
        poses,
        [[Angle(**angle) for angle in group] for group in angles],
        folder,
        size=size,
        samples=samples,
        progress=lambda fraction: progress(fraction, "Rendering the poses"),
    )
    rows = [{name: str(path) for name, path in row.items()} for row in pictures]
    return {"photo_render": str(photo), "poses": rows}


METHODS = {
    "ping": ping,
    "build": build,
    "export_for": export_for,
    "render_poses": render_poses,
    "open_head": open_head,
    "render_passes": render_passes,
}


def main() -> None:
    """Serve until standard input closes."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    serve(METHODS)


def _clock(timings: dict[str, float]) -> Callable[[str], AbstractContextManager[None]]:
    @contextmanager
    def clock(step: str):
        start = time.perf_counter()
        yield
        timings[step] = time.perf_counter() - start

    return clock
