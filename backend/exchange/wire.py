"""Requests between the backend and Blender: JSON lines over pipes, big arrays in ``.npz`` files.

One side runs :func:`serve` in a child process, the other holds a :class:`WorkerProcess`.  Every
message is one line of JSON:

* request   ``{"id": 3, "method": "reconstruct", "params": {...}}``
* cancel    ``{"cancel": 3}``, at any time
* progress  ``{"id": 3, "progress": 0.4, "step": "Fitting"}``
* result    ``{"id": 3, "result": {...}}``
* error     ``{"id": 3, "error": {"code": "no_face", "message": "...", "details": "..."}}``
* heartbeat ``{"alive": true}``, every second while a request is worked on
* rest      ``{"resting": true}``, the last words of a child that had nothing to do for long

The child greets with ``{"hello": EXCHANGE_VERSION, "about": {...}}``, the parent's first request
carries its own ``"hello"``; either refuses another version.  The child ends when its parent is
gone, also in the middle of a request.  Standard library only.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

from .. import heap, lifeline
from ..errors import Cancelled, FaceError, WorkerError, error_from_code
from .child import Child, Ended, Message
from .npz import EXCHANGE_VERSION

Progress = Callable[[float, str], None]
Handler = Callable[..., dict[str, Any]]

HEARTBEAT_S = 1.0
#: A cancelled request may take so long to end; then its process is ended.
GRACE_S = 0.2
#: How often a waiting call looks whether it was cancelled.
POLL_S = 0.03
#: Seconds without a request after which a worker lets go of what it can work out again.
REST_S = 20.0
#: A worker's first words: its Python imports numpy and OpenCV before.
GREETING_S = 120.0


def version_sentence(found: object) -> str:
    """What is said when the worker has version ``found`` of the exchange, or the other side."""
    return (
        f"The worker speaks exchange version {found}, this side {EXCHANGE_VERSION}; "
        "update both to the same release, or repair the backend in the add-on's preferences."
    )


def serve(
    handlers: Mapping[str, Handler],
    about: Mapping[str, str] | None = None,
    idle: float | None = None,
    rest: Callable[[], None] | None = None,
) -> None:
    """Answer requests on standard input until it closes, or for ``idle`` seconds none came.

    A handler is called on this thread as ``handler(params..., progress=report)``; ``report``
    raises :class:`Cancelled` once the request was cancelled.  ``about`` goes with the greeting:
    versions, for reports.  ``rest`` is called when none came for :data:`REST_S`.  Standard output
    belongs to the protocol: libraries that print (Blender does) are sent to standard error instead.
    """
    _Server(handlers, about or {}).run(idle, rest)


class _Server:
    def __init__(self, handlers: Mapping[str, Handler], about: Mapping[str, str]) -> None:
        lifeline.hold()
        # Ctrl-C goes to all processes of a terminal; this one ends with the one that asks.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._handlers, self._about = handlers, dict(about)
        self._channel = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
        os.dup2(2, 1)
        self._source = os.dup(0)
        # On Windows a library that loads while another thread reads standard input hangs.
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        self._sending = threading.Lock()
        self._requests: queue.Queue[Message | None] = queue.Queue()
        self._cancelled: set[int] = set()

    def run(self, idle: float | None, rest: Callable[[], None] | None) -> None:
        self._send({"hello": EXCHANGE_VERSION, "about": self._about})
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._beat, daemon=True).start()
        try:
            while (request := self._next(idle, rest)) is not None:
                self._answer(request)
                self._cancelled.discard(request["id"])
                self._requests.task_done()
                if self._requests.empty():
                    heap.give_back()
            self._requests.task_done()
        except queue.Empty:
            with suppress(OSError, ValueError):  # the parent is gone as well
                self._send({"resting": True})

    def _next(self, idle: float | None, rest: Callable[[], None] | None) -> Message | None:
        """The next request; raises ``queue.Empty`` after ``idle`` seconds."""
        if rest is None or (idle is not None and idle <= REST_S):
            return self._requests.get(timeout=idle)
        try:
            return self._requests.get(timeout=REST_S)
        except queue.Empty:
            rest()
            heap.give_back()
        return self._requests.get(timeout=None if idle is None else idle - REST_S)

    def _answer(self, request: Message) -> None:
        number = request["id"]

        def report(fraction: float, step: str) -> None:
            if number in self._cancelled:
                raise Cancelled("Cancelled.")
            self._send({"id": number, "progress": fraction, "step": step})

        try:
            version = request.get("hello", EXCHANGE_VERSION)
            if version != EXCHANGE_VERSION:
                raise WorkerError(
                    f"Blender's side speaks exchange version {version}, the worker "
                    f"{EXCHANGE_VERSION}; update both to the same release."
                )
            handler = self._handlers.get(request["method"])
            if handler is None:
                raise WorkerError(f"The worker has no method '{request['method']}'.")
            self._send({"id": number, "result": handler(**request["params"], progress=report)})
        except FaceError as error:
            self._send({"id": number, "error": {"code": error.code, "message": str(error)}})
        except Exception as error:  # the parent must always get an answer
            traceback.print_exc()
            message = f"Unexpected {type(error).__name__}: {error}"
            told = {"code": "error", "message": message, "details": traceback.format_exc()}
            self._send({"id": number, "error": told})

    def _send(self, message: Message) -> None:
        with self._sending:
            self._channel.write(json.dumps(message) + "\n")
            self._channel.flush()

    def _listen(self) -> None:
        """Take requests, and cancels while one is worked on, until the parent is gone."""
        for line in _lines(self._source):
            with suppress(ValueError, TypeError):  # no message of ours
                message = dict(json.loads(line))
                if "cancel" in message:
                    self._cancelled.add(message["cancel"])
                else:
                    self._requests.put(message)
        self._requests.put(None)
        self._beat_once()  # a parent that only said all it had to say still gets its answers

    def _beat(self) -> None:
        while True:
            time.sleep(HEARTBEAT_S)
            if self._requests.unfinished_tasks:
                self._beat_once()

    def _beat_once(self) -> None:
        """Tell the parent that this process lives, or end it when nobody is left to be told."""
        try:
            self._send({"alive": True})
        except (OSError, ValueError):
            os._exit(1)  # whatever the handler is doing: there is no one to do it for


def _lines(source: int) -> Iterator[bytes]:
    """Lines of a file descriptor; no buffered file, whose lock could outlive the main thread."""
    rest = b""
    while True:
        try:
            block = os.read(source, 65536)
        except OSError:
            return
        if not block:
            return
        *whole, rest = (rest + block).split(b"\n")
        yield from (line for line in whole if line.strip())


class WorkerProcess:
    """A child process that runs :func:`serve`, started on first use and kept warm.

    One that ended itself because it was idle is started again without a word.

    One thread calls at a time; :meth:`kill` and the states may be used from any.
    """

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str] | None = None) -> None:
        self.command = list(command)
        self.env = dict(env) if env is not None else None
        self.about: dict[str, str] = {}  #: what the last child that greeted said of itself
        self._child: Child | None = None
        self._count = 0

    @property
    def pid(self) -> int | None:
        """The child's process id, None when there is no living child."""
        child = self._child
        return child.process.pid if child is not None and child.alive else None

    @property
    def ready(self) -> bool:
        """Whether a living child has greeted."""
        child = self._child
        return child is not None and child.greeted and child.alive

    def start(self) -> None:
        """Start the child, if there is none, and do not wait for it.

        A failure is met again, and reported, by :meth:`call`.
        """
        if self._child is None:
            with suppress(WorkerError):
                self._child = Child(self.command, self.env)

    def call(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        progress: Progress | None = None,
        timeout: float = 600.0,
        cancelled: threading.Event | None = None,
        linger: float = 0.0,
    ) -> dict[str, Any]:
        """Send one request, wait for its answer, and return the result.

        ``timeout`` is the longest silence in seconds, not the longest run: every message, also a
        heartbeat, starts it again.  ``progress`` is called on this thread; what it raises ends the
        worker and is raised.  When ``cancelled`` is set, by any thread, the worker is told; if it
        goes on for ``GRACE_S`` it is ended.  With ``linger``, for what is soon done anyway, it may
        then go on for so many seconds more while this call has returned: starting another takes
        longer.

        Raises the :class:`FaceError` that the worker named, :class:`WorkerError` when it cannot
        start, dies, or stays silent, :class:`Cancelled`.
        """
        child = self._ready_child(cancelled)
        self._count += 1
        request: Message = {"id": self._count, "method": method, "params": params or {}}
        if not child.asked:
            request["hello"], child.asked = EXCHANGE_VERSION, True
        try:
            child.send(request)
            return self._answer(child, self._count, progress, timeout, cancelled, linger)
        except Ended as error:
            if cancelled is not None and cancelled.is_set():
                self._end(child)
                raise Cancelled("Cancelled.") from error
            if not child.was_resting():
                raise self._dead(child) from error
            self._end(child)  # it ended itself before it saw the request
        except FaceError:
            raise  # the worker's answer, or it was ended
        except BaseException:  # Ctrl-C: nobody waits for the answer any more
            self._end(child)
            raise
        return self.call(
            method, params, progress=progress, timeout=timeout, cancelled=cancelled, linger=linger
        )

    def close(self, patience: float = 5.0) -> None:
        """End the child: by closing its input, after ``patience`` seconds by force."""
        child, self._child = self._child, None
        if child is not None:
            child.close(patience)

    def kill(self) -> None:
        """End the child at once; a :meth:`call` waiting in another thread raises then."""
        child = self._child
        if child is not None:
            child.process.kill()

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ready_child(self, cancelled: threading.Event | None) -> Child:
        """The living child that has greeted; cancelled on the way, it goes on starting."""
        child = self._child
        if child is not None and not (child.alive and self._settled(child, cancelled)):
            self._end(child)
            child = None
        if child is None:
            child = self._child = Child(self.command, self.env)
        if child.greeted:
            return child
        end = time.monotonic() + GREETING_S
        while True:
            if cancelled is not None and cancelled.is_set():
                raise Cancelled("Cancelled.")
            try:
                message = child.take(_span(end, cancelled))
            except Ended as error:
                raise self._dead(child) from error
            if message is not None:
                break
            if time.monotonic() >= end:
                raise self._silent(child, GREETING_S)
        if message.get("hello") != EXCHANGE_VERSION:
            self._end(child)
            raise WorkerError(version_sentence(message.get("hello")))
        child.greeted = True
        self.about = {str(key): str(value) for key, value in message.get("about", {}).items()}
        return child

    def _settled(self, child: Child, cancelled: threading.Event | None) -> bool:
        """Whether ``child`` has dropped the request that was cancelled last, waiting for it."""
        while child.owed is not None:
            number, end = child.owed
            if cancelled is not None and cancelled.is_set():
                raise Cancelled("Cancelled.")
            try:
                message = child.take(_span(end, cancelled))
            except Ended:
                return False
            if message is None and time.monotonic() >= end:
                return False
            if message and _is_last(message, number):
                child.owed = None
        return True

    def _answer(
        self,
        child: Child,
        number: int,
        progress: Progress | None,
        timeout: float,
        cancelled: threading.Event | None,
        linger: float,
    ) -> dict[str, Any]:
        end = time.monotonic() + timeout
        while True:
            if cancelled is not None and cancelled.is_set():
                self._cancel(child, number, linger)
                raise Cancelled("Cancelled.")
            message = child.take(_span(end, cancelled))
            if message is None:
                if time.monotonic() >= end:
                    raise self._silent(child, timeout)
                continue
            end = time.monotonic() + timeout
            if message.get("id") != number:
                continue
            if "error" in message:
                told = message["error"]
                raise error_from_code(told["code"], told["message"], told.get("details", ""))
            if "result" in message:
                return message["result"]
            if progress is not None:
                try:
                    progress(message["progress"], message["step"])
                except FaceError:  # the caller's own: it has enough
                    self._end(child)
                    raise

    def _cancel(self, child: Child, number: int, linger: float) -> None:
        """Ask the child to drop the request, and end it if it does not within ``GRACE_S``."""
        end = time.monotonic() + GRACE_S
        child.send({"cancel": number})
        while (left := end - time.monotonic()) > 0:
            message = child.take(left)
            if message and _is_last(message, number):
                return
        if linger:
            child.owed = number, end + linger
        else:
            self._end(child)

    def _silent(self, child: Child, seconds: float) -> WorkerError:
        self._end(child)
        return child.explained(
            WorkerError(
                f"The worker was silent for {seconds:.0f} s; it was ended, and the next try starts "
                "another."
            )
        )

    def _dead(self, child: Child) -> WorkerError:
        error = child.death()
        self._end(child)
        return error

    def _end(self, child: Child) -> None:
        child.kill()
        if self._child is child:
            self._child = None


def _is_last(message: Message, number: int) -> bool:
    """Whether nothing comes after ``message`` for the request."""
    return message.get("id") == number and "progress" not in message


def _span(end: float, cancelled: threading.Event | None) -> float:
    """How long to wait for a message before looking at clock and cancel again."""
    left = max(0.0, end - time.monotonic())
    return left if cancelled is None else min(left, POLL_S)


class HasWorker:
    """What speaks with one worker, which is started on first use and kept warm.

    Close it, or use ``with``.
    """

    _worker: WorkerProcess

    @property
    def pid(self) -> int | None:
        """The process's id, None while there is none."""
        return self._worker.pid

    def start(self) -> None:
        """Start the process now and do not wait for it."""
        self._worker.start()

    def close(self, patience: float = 5.0) -> None:
        """End the process, after ``patience`` seconds by force."""
        self._worker.close(patience)

    def kill(self) -> None:
        """End it at once, also from another thread than the one that waits for it."""
        self._worker.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
