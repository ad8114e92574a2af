"""Requests to the backend that run beside Blender: started, polled, cancelled; nothing blocks.

One warm backend process serves all jobs in turn.  A daemon thread of :class:`Service` talks to it;
a :class:`Job` is what the main thread sees of a request.  Nothing here calls ``bpy``.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..backend.errors import Cancelled, FaceError, WorkerError
from ..backend.exchange import Reconstruction
from ..backend.exchange.model_cards import ModelCard
from ..backend.exchange.options import Options
from ..backend.exchange.wire import Progress
from .animation.finished import recall, remember
from .backend_process import BackendProcess

T = TypeVar("T")

STARTING, WAITING = "Starting the backend", "Waiting"
RUNNING, DONE, FAILED, CANCELLED = "running", "done", "failed", "cancelled"
#: How long an idle process may take to end by itself when the add-on is closed.
PATIENCE_S = 0.5


@dataclass(frozen=True, eq=False)
class Detection:
    """The faces of a photo; pixels of the photo as it is read: upright, above 24 megapixels halved.

    ``face`` of a reconstruction counts them in the same order.
    """

    boxes: NDArray[np.float32]  #: (N, 4) x0, y0, x1, y1; largest first: row 0 is ``face=1``
    size: tuple[int, int]  #: (width, height) of the photo
    thumbnail: Path  #: PNG of the photo, the longest side 512 pixels, with the faces outlined
    faces: tuple[Path, ...]  #: PNG of each face, 128 pixels square, in the order of ``boxes``


class Job(Generic[T]):
    """One request, made by the ``start_...`` functions; all of it may be used from any thread."""

    def __init__(
        self, service: Service, work: Callable[[BackendProcess, Progress, threading.Event], T]
    ) -> None:
        self.fraction = 0.0  #: of the work done, 0..1
        self.step = ""  #: what is being done, for the user
        self.state = RUNNING  #: "running" (also when it waits its turn), "done", "failed", ...
        self.error: FaceError | None = None  #: why it failed
        self._service, self._work = service, work
        self._cancelled, self._ended = threading.Event(), threading.Event()
        self._news: deque[tuple[float, str]] = deque()
        self._result: T | None = None

    def poll(self) -> bool:
        """Whether it has ended, in whatever state.  Never blocks."""
        return self._ended.is_set()

    def cancel(self) -> None:
        """Have it end as "cancelled", which takes less than 0.5 s; returns at once."""
        self._cancelled.set()
        self._service.drop(self)

    def wait(self, progress: Progress | None = None) -> T:
        """:meth:`result`, with ``progress`` called on this thread for every step until then.

        What ``progress`` raises, or Ctrl-C, cancels the job and is raised.
        """
        try:
            with interruptible():
                while not self._ended.wait(0.02):
                    self._tell(progress)
            self._tell(progress)
        except BaseException:
            self.cancel()
            raise
        return self.result()

    def result(self) -> T:
        """What was asked for; waits until the job has ended.

        Raises ``error`` when it failed and :class:`Cancelled` when it was cancelled.
        """
        self._ended.wait()
        if self.state == CANCELLED:
            raise Cancelled("Cancelled.")
        if self.error is not None:
            raise self.error
        return self._result  # type: ignore[return-value]  # set before it is done

    def _tell(self, progress: Progress | None) -> None:
        while self._news:
            news = self._news.popleft()
            if progress is not None:
                progress(*news)

    def report(self, fraction: float, step: str) -> None:
        """Note the progress; for the service."""
        self.fraction, self.step = fraction, step
        self._news.append((fraction, step))

    def attempt(self, backend: BackendProcess) -> Exception | None:
        """Do the work and return what went wrong; for the service."""
        try:
            if self._cancelled.is_set():
                raise Cancelled("Cancelled.")
            self._result = self._work(backend, self.report, self._cancelled)
        except Exception as error:
            return error
        return None

    def end(self, error: Exception | None) -> None:
        """Have ended, with ``error`` or well; for the service."""
        if error is None:
            self.fraction, self.state = 1.0, DONE
        elif isinstance(error, Cancelled):
            self.state = CANCELLED
        else:
            if not isinstance(error, FaceError):
                details = "".join(traceback.format_exception(error))
                error = FaceError(f"Unexpected {type(error).__name__}: {error}")
                error.details = details
            self.error, self.state = error, FAILED
        self._work = _nothing  # it may hold much
        self._ended.set()


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C reach Python in here; afterwards it ends the process.

    Only where Blender keeps it for itself, as it does in the background: its handler is none of
    Python's and cannot be put back.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not None:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _nothing(*_: object) -> Any:
    raise AssertionError("a job runs once")


class Service:
    """Does jobs one after the other with one backend process, in a thread of its own."""

    def __init__(self, make: Callable[[], BackendProcess] = BackendProcess) -> None:
        """``make`` gives the process, not yet started; it is asked again after each end of one."""
        self._make = make
        self._backend: BackendProcess | None = None
        self._change = threading.Condition()
        self._queue: deque[Job[Any]] = deque()
        self._current: Job[Any] | None = None
        self._thread: threading.Thread | None = None
        self._warming = self._wants_warming = False
        self._broken = self._restarted = self._closed = False

    def submit(self, work: Callable[[BackendProcess, Progress, threading.Event], T]) -> Job[T]:
        """Queue ``work(backend, progress, cancelled)``."""
        job = Job(self, work)
        with self._change:
            if self._closed:
                job.end(WorkerError("The backend was closed; enable the add-on again."))
                return job
            job.step = WAITING if self._current is not None or self._queue else STARTING
            self._queue.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
                atexit.register(self.close)
            self._change.notify()
        return job

    def drop(self, job: Job[Any]) -> None:
        """End ``job`` as cancelled if it has not begun."""
        with self._change:
            if job in self._queue:
                self._queue.remove(job)
                job.end(Cancelled("Cancelled."))

    def state(self) -> str:
        """See :func:`backend_state`."""
        backend = self._backend
        if self._current is not None or self._queue:
            return "busy" if backend is not None and backend.ready else "starting"
        if self._broken:
            return "broken"
        if backend is None or backend.pid is None:
            return "stopped"
        return "ready" if backend.ready and not self._warming else "starting"

    def about(self) -> dict[str, str]:
        """See :func:`backend_versions`."""
        return {} if self._backend is None else self._backend.about

    def restart(self) -> None:
        """See :func:`restart_backend`."""
        with self._change:
            self._broken, self._restarted = False, True
            if self._current is not None:
                self._current.cancel()
            if self._backend is not None:
                self._backend.kill()

    def close(self) -> None:
        """Cancel all jobs and end the process; this service then takes no more."""
        with self._change:
            self._closed = True
            while self._queue:
                self._queue.popleft().end(Cancelled("Cancelled."))
            busy = self._current is not None or self._warming
            if self._current is not None:
                self._current.cancel()
            if busy and self._backend is not None:
                self._backend.kill()
            self._change.notify()
        atexit.unregister(self.close)
        if self._thread is not None:
            self._thread.join(2.0)
        if self._backend is not None:
            self._backend.close(PATIENCE_S)

    def _run(self) -> None:
        while True:
            with self._change:
                while not (self._queue or self._wants_warming or self._closed):
                    self._change.wait()
                if self._closed:
                    return
                self._current = self._queue.popleft() if self._queue else None
                self._warming, self._wants_warming = self._current is None, False
                self._broken = self._restarted = False
            self._serve(self._current)

    def _serve(self, job: Job[Any] | None) -> None:
        """Do ``job``, or only warm the process up."""
        error = self._attempt(job)
        with self._change:
            self._current, self._warming = None, False
            if isinstance(error, WorkerError):
                self._broken = not self._restarted
            elif isinstance(error, Cancelled):  # the next one shall find it warm
                self._wants_warming = self._backend is not None and not self._backend.ready
        if job is not None:
            job.end(error)

    def _attempt(self, job: Job[Any] | None) -> Exception | None:
        try:
            if self._backend is None or self._backend.pid is None:
                self._backend = self._make()  # the environment may be another one by now
            if job is None:
                self._backend.warm_up()
                return None
        except Exception as error:
            return error
        if not self._backend.ready:
            job.report(0.0, STARTING)
        return job.attempt(self._backend)


_service: Service | None = None
_make: Callable[[], BackendProcess] = BackendProcess


def start_reconstruction(
    photo: str | os.PathLike[str],
    options: Options | None = None,
    **named: Any,
) -> Job[list[Reconstruction]]:
    """Have the head(s) in ``photo`` reconstructed; the job's result are they, largest first.

    ``named`` are options by name, which replace those of ``options``: see
    :class:`~.options.Options` of ``backend.exchange``.  Raises :class:`OptionError`.
    """
    photo, chosen = os.path.abspath(photo), (options or Options()).with_named(named)

    def work(
        backend: BackendProcess, progress: Progress, cancelled: threading.Event
    ) -> list[Reconstruction]:
        return backend.reconstruct(photo, chosen, progress=progress, cancelled=cancelled)

    return _shared().submit(work)


def start_person(
    photos: Sequence[str | os.PathLike[str]],
    options: Options | None = None,
    corrected: Sequence[Sequence[Sequence[float]] | None] | None = None,
    **named: Any,
) -> Job[Reconstruction]:
    """Have one head reconstructed from several ``photos`` of one person; the job's result is it.

    ``corrected``: for each photo the landmarks set by hand, or None; otherwise as
    :func:`start_reconstruction`.
    """
    paths = [os.path.abspath(photo) for photo in photos]
    chosen = (options or Options()).with_named(named)

    def work(
        backend: BackendProcess, progress: Progress, cancelled: threading.Event
    ) -> Reconstruction:
        return backend.reconstruct_person(
            paths, chosen, corrected=corrected, progress=progress, cancelled=cancelled
        )

    return _shared().submit(work)


def start_import(
    paths: Sequence[str | os.PathLike[str]], *, name: str | None = None, force: bool = False
) -> Job[ModelCard]:
    """Have the face model in the files ``paths`` imported; the job's result is its card."""
    paths = [os.path.abspath(path) for path in paths]

    def work(backend: BackendProcess, progress: Progress, cancelled: threading.Event) -> ModelCard:
        return backend.import_model(
            paths, name=name, force=force, progress=progress, cancelled=cancelled
        )

    return _shared().submit(work)


def start_removal(name: str) -> Job[None]:
    """Have an imported face model deleted, by the process that may have it open."""

    def work(backend: BackendProcess, progress: Progress, cancelled: threading.Event) -> None:
        backend.remove_model(name)

    return _shared().submit(work)


def start_detection(
    photo: str | os.PathLike[str], folder: str | os.PathLike[str], *, thorough: bool = False
) -> Job[Detection]:
    """Have the faces of ``photo`` found, and pictures of them put into ``folder``.

    A number from 1 means the same face in :func:`start_reconstruction` as ``thorough``.
    A photo without a face is no failure: its :class:`Detection` has no boxes.
    """
    photo, folder = os.path.abspath(photo), os.path.abspath(folder)

    def work(backend: BackendProcess, progress: Progress, cancelled: threading.Event) -> Detection:
        found = backend.detect(
            photo, folder, thorough=thorough, progress=progress, cancelled=cancelled
        )
        width, height = found["size"]
        return Detection(
            np.asarray(found["boxes"], np.float32).reshape(-1, 4),
            (int(width), int(height)),
            Path(found["thumbnail"]),
            tuple(Path(path) for path in found["faces"]),
        )

    return _shared().submit(work)


def submit(work: Callable[[BackendProcess, Progress, threading.Event], T]) -> Job[T]:
    """Have ``work(backend, progress, cancelled)`` done after what was asked for before."""
    return _shared().submit(work)


def start_animation(
    video: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    head: str | os.PathLike[str] | None = None,
    frame_rate: float | None = None,
) -> Job[dict[str, Any]]:
    """Have the face in ``video`` followed; the result is that of :meth:`BackendProcess.animate`.

    One that was cancelled or died goes on where it was when it is started again with the same
    ``out``, and one that is finished is there at once: another video, or head, needs another.
    """
    video, out = os.path.abspath(video), os.path.abspath(out)

    def work(
        backend: BackendProcess, progress: Progress, cancelled: threading.Event
    ) -> dict[str, Any]:
        known = recall(Path(out))
        if known is not None:
            return known
        result = backend.animate(
            video, out, head=head, frame_rate=frame_rate, progress=progress, cancelled=cancelled
        )
        remember(Path(out), result)
        return result

    return _shared().submit(work)


def backend_versions() -> dict[str, str]:
    """Versions of the backend's Python and packages; empty while none has been started."""
    return {} if _service is None else _service.about()


def backend_state() -> str:
    """What the backend's process is at.

    "stopped": there is none; "starting"; "ready"; "busy": at a job; "broken": the last one could
    not be started, died or hung.  The next job starts another in any case.
    """
    return "stopped" if _service is None else _service.state()


def restart_backend() -> None:
    """End the process, hung or not, and its job with it; the next job starts another."""
    if _service is not None:
        _service.restart()


def close() -> None:
    """Cancel all jobs and end the process.  The next job starts anew."""
    global _service
    service, _service = _service, None
    if service is not None:
        service.close()


def use_backend(make: Callable[[], BackendProcess]) -> None:
    """Have the next jobs done by the processes that ``make`` gives (another Python, a test's)."""
    global _make
    close()
    _make = make


def _shared() -> Service:
    global _service
    if _service is None:
        _service = Service(_make)
    return _service
