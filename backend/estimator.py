"""The backend's worker beside a command: what crashes a library ends the worker, not the command.

Decoders and dlib are libraries in C; a picture that makes one of them crash costs that picture.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .errors import DEBUG_VARIABLE, FaceError
from .exchange import Reconstruction, load_reconstruction
from .exchange.options import Options
from .exchange.temporary import temporary_folder
from .exchange.wire import HasWorker, WorkerProcess

ENTRY = Path(__file__).with_name("__main__.py")


class Estimator(HasWorker):
    """Starts the worker on first use and keeps it warm."""

    def __init__(self, command: Sequence[str] | None = None) -> None:
        self._worker = WorkerProcess(command or [sys.executable, "-P", str(ENTRY), "worker"])

    def reconstruct(
        self, photo: str | Path, options: Options, progress: Callable[[float, str], None]
    ) -> list[Reconstruction]:
        """As ``pipeline.reconstruct``.

        Raises what it raises, and :class:`~.errors.WorkerError` where the worker crashes; the next
        photo gets another.
        """
        return self._asked("reconstruct", {"photo": os.fspath(photo)}, options, progress)

    def reconstruct_person(
        self,
        photos: Sequence[str | Path],
        options: Options,
        progress: Callable[[float, str], None],
    ) -> list[Reconstruction]:
        """As ``person.reconstruct_person``, alone in a list; raises as :meth:`reconstruct`."""
        given = {"photos": [os.fspath(photo) for photo in photos]}
        return self._asked("reconstruct_person", given, options, progress)

    def _asked(
        self,
        method: str,
        photos: dict[str, Any],
        options: Options,
        progress: Callable[[float, str], None],
    ) -> list[Reconstruction]:
        with temporary_folder() as folder:
            request = photos | {"out_dir": folder, "name": "head"}
            try:
                answer = self._worker.call(method, request | options.to_dict(), progress=progress)
            except FaceError as error:
                if error.details and os.environ.get(DEBUG_VARIABLE):
                    print(error.details, file=sys.stderr)
                raise
            return [load_reconstruction(path) for path in answer["files"]]
