"""Blender as the other renderer: the file opened, its camera asked, its passes rendered."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..blender import BlenderWorker
from ..errors import ExchangeError
from ..exchange import Reconstruction
from ..exchange.passes import Passes, load_passes
from ..exchange.wire import HasWorker
from .view import Frame, Window

Progress = Callable[[float, str], None]


class SceneRenderer(HasWorker):
    """A Blender process that looks at files; it never writes one.  Close it, or use ``with``."""

    def __init__(self, command: Sequence[str] | None = None) -> None:
        """``command`` starts the scene worker; without one it is the command line's Blender."""
        self._worker = BlenderWorker(command)
        self._blender = self._head = ""

    @property
    def version(self) -> str:
        """Blender's; empty before the first file."""
        return self._blender

    def open(self, blend: Path, reconstruction: Reconstruction, head: str | None = None) -> Frame:
        """Open ``blend`` and return what the scene of its head's camera renders.

        ``head`` is the object's name; without one it is found by the reconstruction's photo.
        Raises :class:`ExchangeError` where the file or the head in it cannot be used,
        :class:`~..errors.WorkerError` where Blender fails.
        """
        if not os.path.isfile(blend):
            raise ExchangeError(f"There is no file {blend}.")
        found = self._worker.call(
            "open_head",
            {
                "blend": os.path.realpath(blend),
                "head": head,
                "photo": reconstruction.photo_name,
                "face_index": reconstruction.face_index,
            },
        )
        self._blender, self._head = str(found["blender"]), str(found["head"])
        across, up = found["pixel_aspect"]
        return Frame(int(found["width"]), int(found["height"]), (float(across), float(up)))

    def render(
        self, window: Window, sh_light: np.ndarray, progress: Progress | None = None
    ) -> tuple[Passes, np.ndarray]:
        """The passes of the opened file's head, and (H, W) mm its depth when subdivided."""
        with tempfile.TemporaryDirectory() as folder:
            out = str(Path(folder) / "passes.npz")
            smooth = str(Path(folder) / "smooth.npz")
            self._worker.call(
                "render_passes",
                {
                    "head": self._head,
                    "window": asdict(window),
                    "sh_light": np.asarray(sh_light, np.float64).tolist(),
                    "out": out,
                    "smooth": smooth,
                },
                progress=progress,
            )
            with np.load(smooth, allow_pickle=False) as arrays:
                return load_passes(out), arrays["depth"]
