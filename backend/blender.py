"""The Blender process that builds the scene: started early, kept warm, asked over the wire."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np

from .errors import FaceError, OutputError, WorkerError
from .exchange.temporary import temporary_folder
from .exchange.wire import HasWorker, WorkerProcess

#: Names a Blender executable to use in place of the ``bpy`` module of this environment.
EXECUTABLE_VARIABLE = "RECONSTRUCT_FACE_BLENDER"
SCENE = Path(__file__).resolve().parents[1] / "scene"

Progress = Callable[[float, str], None]


def blender_command() -> list[str]:
    """The command that starts the scene worker: ``bpy`` in this Python, or a Blender executable."""
    executable = os.environ.get(EXECUTABLE_VARIABLE)
    script = str(SCENE / "__main__.py")
    if executable:
        return [executable, "--background", "--factory-startup", "--python", script]
    return [sys.executable, "-P", script]


class BlenderWorker(WorkerProcess):
    """The scene worker.  Its temporary files, which Blender leaves when it is ended, go with it."""

    def __init__(self, command: Sequence[str] | None = None) -> None:
        super().__init__(command or blender_command())
        self._folders = ExitStack()

    def start(self) -> None:
        """See :meth:`WorkerProcess.start`."""
        with suppress(OutputError):
            self._own_folder()
            super().start()

    def call(self, *args: Any, **named: Any) -> dict[str, Any]:
        """See :meth:`WorkerProcess.call`; raises :class:`OutputError` too."""
        self._own_folder()
        return super().call(*args, **named)

    def _own_folder(self) -> None:
        if self.env is None:
            folder = self._folders.enter_context(temporary_folder())
            self.env = dict(os.environ) | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), folder)

    def close(self, patience: float = 5.0) -> None:
        """End it, and remove what it left."""
        super().close(patience)
        self._folders.close()
        self.env = None


class Blender(HasWorker):
    """Builds ``.blend`` and export files and renders the preview's views."""

    def __init__(self, command: Sequence[str] | None = None) -> None:
        self._worker = BlenderWorker(command)

    def warm_up(self) -> None:
        """Start the process; a failure is met again, and reported, by :meth:`build`."""
        with suppress(FaceError):
            self._worker.call("ping", timeout=120.0)

    def build(
        self,
        npz: Path,
        folder: Path,
        name: str,
        formats: Sequence[str],
        window: np.ndarray | None = None,
        progress: Progress | None = None,
        cancelled: threading.Event | None = None,
        *,
        compact: bool = False,
    ) -> dict[str, Any]:
        """Build the head of ``npz`` as ``folder/name.FORMAT``; with ``window``, render the views.

        ``compact`` is that of ``export_head`` in ``scene/export.py``.
        ``window`` is (4,) x0, y0, x1, y1 in photo pixels.  Returns ``{"files": {format: path},
        "photo_render": path | None, "three_quarter": path | None, "timings": {step: seconds}}``.

        Raises :class:`WorkerError` when Blender fails, :class:`OutputError` when a file is missing
        afterwards (Blender reports a full disk late or not at all), :class:`~.errors.Cancelled`
        when ``cancelled`` was set meanwhile.
        """
        result = self._worker.call(
            "build",
            {
                "npz": str(npz),
                "folder": str(folder),
                "name": name,
                "formats": list(formats),
                "compact": compact,
                "preview": window is not None,
                "window": None if window is None else [float(x) for x in window],
            },
            progress=progress,
            cancelled=cancelled,
        )
        for wanted in formats:
            path = Path(result["files"].get(wanted, ""))
            if not path.is_file() or path.stat().st_size == 0:
                raise OutputError(f"Blender did not write {name}.{wanted}; is the disk full?")
        if window is not None and not (result["photo_render"] and result["three_quarter"]):
            raise WorkerError("Blender did not render the preview's views.")
        return result

    def export_for(
        self,
        npz: Path,
        folder: Path,
        name: str,
        target: str,
        changes: Mapping[str, Any],
        progress: Progress | None = None,
    ) -> dict[str, Path]:
        """Write the head of ``npz`` as ``folder/name.*`` for ``target``; the main file by format.

        ``target`` and ``changes`` are names and fields of ``exchange/targets.py``.  Raises as
        :meth:`build` does, and what ``export_for`` in ``scene/targets/files.py`` raises.
        """
        asked = {
            "npz": str(npz), "folder": str(folder), "name": name, "target": target,
            "changes": dict(changes),
        }  # fmt: skip
        result = self._worker.call("export_for", asked, progress=progress)
        files = {key: Path(path) for key, path in result["files"].items()}
        for path in files.values():
            if not path.is_file() or path.stat().st_size == 0:
                raise OutputError(f"Blender did not write {path}; is the disk full?")
        return files

    def render_poses(
        self,
        npz: Path,
        folder: Path,
        window: np.ndarray,
        poses: Sequence[dict[str, float]],
        angles: Sequence[Sequence[dict[str, Any]]],
        *,
        size: int,
        samples: int,
        progress: Progress | None = None,
    ) -> tuple[Path, list[dict[str, Path]]]:
        """Render the head of ``npz`` in all ``poses`` (shape key to value) into ``folder``.

        ``angles`` are, per pose, the fields of ``Angle`` in ``scene/poses.py``; ``window`` is that
        of :meth:`build`.  Returns the picture of the photo's view (RGBA) and per pose those of the
        angles, by their names, ``size`` pixels square.  Raises as :meth:`build` does.
        """
        result = self._worker.call(
            "render_poses",
            {
                "npz": str(npz),
                "folder": str(folder),
                "window": [float(x) for x in window],
                "poses": list(poses),
                "angles": [list(group) for group in angles],
                "size": size,
                "samples": samples,
            },
            progress=progress,
        )
        rows = [{name: Path(file) for name, file in row.items()} for row in result["poses"]]
        return Path(result["photo_render"]), rows
