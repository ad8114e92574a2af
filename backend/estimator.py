"""The backend's worker beside a command: what crashes a library ends the worker, not the command.

Decoders and dlib are libraries in C; a picture that makes one of them crash costs that picture.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .at_once import Pool
from .errors import DEBUG_VARIABLE, FaceError
from .exchange import Reconstruction, load_reconstruction
from .exchange.options import Options
from .exchange.temporary import temporary_folder
from .exchange.wire import HasWorker, Progress, WorkerProcess

ENTRY = Path(__file__).with_name("__main__.py")


class Estimator(HasWorker):
    """Starts the worker on first use and keeps it warm."""

    def __init__(self, command: Sequence[str] | None = None) -> None:
        self._worker = WorkerProcess(command or [sys.executable, "-P", str(ENTRY), "worker"])

    def reconstruct(
        self, photo: str | Path, options: Options, progress: Progress
    ) -> list[Reconstruction]:
        """As ``pipeline.reconstruct``.

        Raises what it raises, and :class:`~.errors.WorkerError` where the worker crashes; the next
        photo gets another.
        """
        return self._asked("reconstruct", {"photo": os.fspath(photo)}, options, progress)

    def reconstruct_person(
        self, photos: Sequence[str | Path], options: Options, progress: Progress
    ) -> list[Reconstruction]:
        """As ``person.reconstruct_person``, alone in a list; raises as :meth:`reconstruct`."""
        given = {"photos": [os.fspath(photo) for photo in photos]}
        return self._asked("reconstruct_person", given, options, progress)

    def _asked(
        self, method: str, photos: dict[str, Any], options: Options, progress: Progress
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


class Estimators:
    """Up to ``most`` workers, each with a photo of its own; called from as many threads.

    ``make`` gives one of them.  One photo after the other is done by the same one, which is warm.
    """

    def __init__(self, most: int = 1, make: Callable[[], Estimator] = Estimator) -> None:
        self._make = make
        self._pool: Pool[Estimator] = Pool()
        self.most = most

    @property
    def most(self) -> int:
        """How many there are."""
        return len(self._pool.all)

    @most.setter
    def most(self, most: int) -> None:
        for _ in range(most - self.most):
            self._pool.add(self._make())

    @property
    def pids(self) -> list[int | None]:
        """Their processes' ids, None while there is none."""
        return [one.pid for one in self._pool.all]

    def start(self) -> None:
        """Start the processes that are not there, and wait for none."""
        for one in self._pool.all:
            one.start()

    def kill(self) -> None:
        """End all at once, also from another thread than those that wait for them."""
        for one in self._pool.all:
            one.kill()

    def reconstruct(
        self, photo: str | Path, options: Options, progress: Progress
    ) -> list[Reconstruction]:
        """As :meth:`Estimator.reconstruct`, by one that is free."""
        with self._pool.one() as estimator:
            return estimator.reconstruct(photo, options, progress)

    def reconstruct_person(
        self, photos: Sequence[str | Path], options: Options, progress: Progress
    ) -> list[Reconstruction]:
        """As :meth:`Estimator.reconstruct_person`, by one that is free."""
        with self._pool.one() as estimator:
            return estimator.reconstruct_person(photos, options, progress)

    def __enter__(self) -> Estimators:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._pool.all:
            one.close()
