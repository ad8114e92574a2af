"""PyTorch3D as a process of its own: where it is found, and what it draws.

It has an environment of its own because it comes ready built for one release of torch only, which
is another than the backend's and brings 5 GB of CUDA libraries: who never verifies does not
download them.  ``tools/verify.sh`` makes the environment; ``VARIABLE`` names another Python.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from ..errors import WorkerError
from ..exchange.passes import Passes, load_passes
from ..exchange.wire import HasWorker, WorkerProcess
from .pytorch3d_worker import save_request
from .surface import RenderMesh
from .view import View

#: Names the Python of an environment with PyTorch3D.
VARIABLE = "RECONSTRUCT_FACE_PYTORCH3D"
ROOT = Path(__file__).resolve().parents[2]
#: What ``tools/setup.sh`` makes.
ENVIRONMENT = ROOT / ".venv-verify"

Progress = Callable[[float, str], None]


def find_python() -> Path:
    """The Python that has PyTorch3D: named, made by us, or this one.

    Raises :class:`WorkerError` with what to do where there is none.
    """
    named = os.environ.get(VARIABLE)
    if named:
        if not Path(named).is_file():
            raise WorkerError(f"{VARIABLE} names {named}, which is not there.")
        return Path(named)
    folder = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    # tools/setup.sh marks what it has not finished.
    if (ENVIRONMENT / folder).is_file() and not (ENVIRONMENT / ".unfinished").exists():
        return ENVIRONMENT / folder
    if find_spec("pytorch3d") is not None:
        return Path(sys.executable)
    raise WorkerError(
        "Verifying needs a second renderer, PyTorch3D, which is not on this machine. The project's "
        "source code sets it up by tools/verify.sh (Linux, Python 3.11), or "
        f"{VARIABLE} names the Python of an environment that has it."
    )


class PyTorch3D(HasWorker):
    """Draws passes; the process is started on first use.  Close it, or use ``with``."""

    def __init__(self) -> None:
        """Raises :class:`WorkerError` where there is no PyTorch3D."""
        python = find_python()
        check = [str(python), "-P", "-c", "import pytorch3d.renderer"]
        found = subprocess.run(check, capture_output=True, text=True, check=False)
        if found.returncode != 0:
            last = (found.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise WorkerError(f"PyTorch3D cannot be loaded by {python}: {last}.")
        command = [str(python), str(ROOT / "backend" / "__main__.py"), "verify-worker"]
        self._worker = WorkerProcess(command)

    @property
    def about(self) -> dict[str, str]:
        """Versions and device; empty before the first picture."""
        return self._worker.about

    def render(self, surface: RenderMesh, view: View, progress: Progress | None = None) -> Passes:
        """What ``view`` shows of ``surface``.

        Raises :class:`WorkerError` and :class:`~..errors.ExchangeError`.
        """
        with tempfile.TemporaryDirectory() as folder:
            request, out = (str(Path(folder) / name) for name in ("request.npz", "passes.npz"))
            save_request(request, surface, view)
            self._worker.call("render", {"request": request, "out": out}, progress=progress)
            return load_passes(out)
