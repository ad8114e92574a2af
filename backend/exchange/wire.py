"""Requests between the backend and Blender: JSON lines over pipes, big arrays in ``.npz`` files.

One side runs :func:`serve` in a child process, the other holds a :class:`WorkerProcess`.  Every
message is one line of JSON:

* request   ``{"id": 3, "method": "reconstruct", "params": {...}}``
* cancel    ``{"cancel": 3}``, at any time
* progress  ``{"id": 3, "progress": 0.4, "step": "Fitting"}``
* result    ``{"id": 3, "result": {...}}``
* error     ``{"id": 3, "error": {"code": "no_face", "message": "..."}}``
* heartbeat ``{"alive": true}``, every second while a request is worked on

The child greets with ``{"hello": EXCHANGE_VERSION}``, the parent's first request carries its own
``"hello"``; either refuses another version.  The child ends when its parent is gone, also in the
middle of a request.  Standard library only.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..errors import Cancelled, FaceError, WorkerError, error_from_code
from .npz import EXCHANGE_VERSION

Progress = Callable[[float, str], None]
Handler = Callable[..., dict[str, Any]]
Message = dict[str, Any]

HEARTBEAT_S = 1.0
#: A cancelled request may take so long to end; then its process is ended.
GRACE_S = 0.25
#: How often a waiting call looks whether it was cancelled.
POLL_S = 0.03
#: A worker's first words: its Python imports numpy and OpenCV before.
GREETING_S = 120.0


def version_sentence(found: object) -> str:
    """What is said when the worker has version ``found`` of the exchange, or the other side."""
    return (
        f"The worker speaks exchange version {found}, this side {EXCHANGE_VERSION}; "
        "update both to the same release, or repair the backend in the add-on's preferences."
    )


def serve(handlers: Mapping[str, Handler]) -> None:
    """Answer requests on standard input until it closes.

    A handler is called on this thread as ``handler(params..., progress=report)``; ``report``
    raises :class:`Cancelled` once the request was cancelled.  Standard output belongs to the
    protocol: libraries that print (Blender does) are sent to standard error instead.
    """
    _Server(handlers).run()


class _Server:
    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers
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

    def run(self) -> None:
        self._send({"hello": EXCHANGE_VERSION})
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._beat, daemon=True).start()
        while (request := self._requests.get()) is not None:
            self._answer(request)
            self._cancelled.discard(request["id"])
            self._requests.task_done()
        self._requests.task_done()

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
            self._send({"id": number, "error": {"code": "error", "message": message}})

    def _send(self, message: Message) -> None:
        with self._sending:
            self._channel.write(json.dumps(message) + "\n")
            self._channel.flush()

    def _listen(self) -> None:
        """Take requests, and cancels while one is worked on, until the parent is gone."""
        for line in _lines(self._source):
            with suppress(ValueError):
                message = json.loads(line)
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


class _Ended(Exception):
    """The child's pipes are closed."""


class _Child:
    """One started process: its pipes and the threads that read them."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str] | None) -> None:
        try:
            self.process = subprocess.Popen(
                command,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # Windows: no console
            )
        except OSError as error:
            raise WorkerError(f"Cannot start {command[0]}: {error.strerror}.") from error
        self.greeted = False
        self.asked = False  #: whether it got a request, and with it our version
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._errors: list[str] = []
        threading.Thread(target=self._read_answers, daemon=True).start()
        self._listener = threading.Thread(target=self._read_errors, daemon=True)
        self._listener.start()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def send(self, message: Message) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
        except (OSError, ValueError) as error:  # ValueError: closed on this side
            raise _Ended from error

    def take(self, seconds: float) -> Message | None:
        """The next message, or None after so many seconds; raises _Ended when it has ended."""
        end = time.monotonic() + seconds
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                return None
            if line is None:
                raise _Ended
            # Blender greets on standard output before our script runs: no message of ours.
            with suppress(ValueError):
                message = json.loads(line)
                if isinstance(message, dict):
                    return message

    def close(self, patience: float) -> None:
        """End it: by closing its input, then by force."""
        assert self.process.stdin is not None
        try:
            with suppress(OSError):  # what it never read
                self.process.stdin.close()
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        assert self.process.stdin is not None
        self.process.kill()
        with suppress(subprocess.TimeoutExpired):  # frees much memory: not waited for
            self.process.wait(0.1)
        with suppress(OSError):
            self.process.stdin.close()

    def last_words(self) -> str:
        self._listener.join(1.0)  # they may still be on their way
        return f" It last said: {self._errors[-1]}" if self._errors else ""

    def _read_answers(self) -> None:
        with suppress(ValueError), self.process.stdout as stdout:  # type: ignore[union-attr]
            for line in stdout:
                self._lines.put(line)
        self._lines.put(None)

    def _read_errors(self) -> None:
        with suppress(ValueError), self.process.stderr as stderr:  # type: ignore[union-attr]
            for line in stderr:
                self._errors.append(line.rstrip())
                del self._errors[:-40]


class WorkerProcess:
    """A child process that runs :func:`serve`, started on first use and kept warm.

    One thread calls at a time; :meth:`kill` and the states may be used from any.
    """

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str] | None = None) -> None:
        self.command = list(command)
        self.env = dict(env) if env is not None else None
        self._child: _Child | None = None
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

    def call(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        progress: Progress | None = None,
        timeout: float = 600.0,
        cancelled: threading.Event | None = None,
    ) -> dict[str, Any]:
        """Send one request, wait for its answer, and return the result.

        ``timeout`` is the longest silence in seconds, not the longest run: every message, also a
        heartbeat, starts it again.  ``progress`` is called on this thread.  When ``cancelled`` is
        set, by any thread, the worker is told; if it goes on for ``GRACE_S`` it is ended.

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
            return self._answer(child, self._count, progress, timeout, cancelled)
        except _Ended as error:
            self._end(child)
            if cancelled is not None and cancelled.is_set():
                raise Cancelled("Cancelled.") from error
            raise WorkerError(f"The worker ended unexpectedly.{child.last_words()}") from error

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

    def _ready_child(self, cancelled: threading.Event | None) -> _Child:
        """The living child that has greeted; cancelled on the way, it goes on starting."""
        child = self._child
        if child is None or not child.alive:
            if child is not None:
                self._end(child)
            child = self._child = _Child(self.command, self.env)
        if child.greeted:
            return child
        end = time.monotonic() + GREETING_S
        while True:
            if cancelled is not None and cancelled.is_set():
                raise Cancelled("Cancelled.")
            try:
                message = child.take(_span(end, cancelled))
            except _Ended as error:
                self._end(child)
                raise WorkerError(f"The worker ended unexpectedly.{child.last_words()}") from error
            if message is not None:
                break
            if time.monotonic() >= end:
                raise self._silent(child, GREETING_S)
        if message.get("hello") != EXCHANGE_VERSION:
            self._end(child)
            raise WorkerError(version_sentence(message.get("hello")))
        child.greeted = True
        return child

    def _answer(
        self,
        child: _Child,
        number: int,
        progress: Progress | None,
        timeout: float,
        cancelled: threading.Event | None,
    ) -> dict[str, Any]:
        end = time.monotonic() + timeout
        while True:
            if cancelled is not None and cancelled.is_set():
                self._cancel(child, number)
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
                raise error_from_code(message["error"]["code"], message["error"]["message"])
            if "result" in message:
                return message["result"]
            if progress is not None:
                progress(message["progress"], message["step"])

    def _cancel(self, child: _Child, number: int) -> None:
        """Ask the child to drop the request, and end it if it does not within ``GRACE_S``."""
        end = time.monotonic() + GRACE_S
        child.send({"cancel": number})
        while (left := end - time.monotonic()) > 0:
            message = child.take(left)
            if message and message.get("id") == number and "progress" not in message:
                return
        self._end(child)

    def _silent(self, child: _Child, seconds: float) -> WorkerError:
        self._end(child)
        return WorkerError(
            f"The worker was silent for {seconds:.0f} s; it was ended, and the next try starts "
            "another."
        )

    def _end(self, child: _Child) -> None:
        child.kill()
        if self._child is child:
            self._child = None


def _span(end: float, cancelled: threading.Event | None) -> float:
    """How long to wait for a message before looking at clock and cancel again."""
    left = max(0.0, end - time.monotonic())
    return left if cancelled is None else min(left, POLL_S)
