"""Requests between the backend and Blender: JSON lines over pipes, big arrays in ``.npz`` files.

One side runs :func:`serve` in a child process, the other holds a :class:`WorkerProcess`.  Every
message is one line of JSON:

* request   ``{"id": 3, "method": "reconstruct", "params": {...}}``
* progress  ``{"id": 3, "progress": 0.4, "step": "Fitting"}``
* result    ``{"id": 3, "result": {...}}``
* error     ``{"id": 3, "error": {"code": "no_face", "message": "..."}}``

The child greets with ``{"hello": EXCHANGE_VERSION}``; another version is refused at once.
Standard library only.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..errors import FaceError, WorkerError, error_from_code
from .npz import EXCHANGE_VERSION

Progress = Callable[[float, str], None]
Handler = Callable[..., dict[str, Any]]


def serve(handlers: Mapping[str, Handler]) -> None:
    """Answer requests on standard input until it closes.

    A handler is called as ``handler(params..., progress=report)``.  Standard output belongs to the
    protocol: libraries that print (Blender does) are sent to standard error instead.
    """
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)

    def send(message: dict[str, Any]) -> None:
        channel.write(json.dumps(message) + "\n")
        channel.flush()

    send({"hello": EXCHANGE_VERSION})
    for line in sys.stdin:
        if not line.strip():
            continue
        request = json.loads(line)
        number = request["id"]

        def report(fraction: float, step: str, number: int = number) -> None:
            send({"id": number, "progress": fraction, "step": step})

        try:
            handler = handlers.get(request["method"])
            if handler is None:
                raise WorkerError(f"The worker has no method '{request['method']}'.")
            send({"id": number, "result": handler(**request["params"], progress=report)})
        except FaceError as error:
            send({"id": number, "error": {"code": error.code, "message": str(error)}})
        except Exception as error:  # the parent must always get an answer
            traceback.print_exc()
            message = f"Unexpected {type(error).__name__}: {error}"
            send({"id": number, "error": {"code": "error", "message": message}})


class WorkerProcess:
    """A child process that runs :func:`serve`, started on first use and kept warm."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str] | None = None) -> None:
        self.command = list(command)
        self.env = dict(env) if env is not None else None
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._errors: list[str] = []
        self._count = 0

    def call(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        progress: Progress | None = None,
        timeout: float = 600.0,
    ) -> dict[str, Any]:
        """Send one request, wait for its answer, and return the result.

        ``timeout`` is the longest silence in seconds, not the longest run: every progress message
        starts it again.  Raises the :class:`FaceError` that the worker named, or
        :class:`WorkerError` when it cannot start, dies, or stays silent.
        """
        if self._process is None or self._process.poll() is not None:
            self._start()
        assert self._process is not None and self._process.stdin is not None
        self._count += 1
        request = {"id": self._count, "method": method, "params": params or {}}
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise WorkerError(f"The worker ended before it was asked.{self._tail()}") from error
        while True:
            message = self._receive(timeout)
            if message.get("id") != self._count:
                continue
            if "error" in message:
                raise error_from_code(message["error"]["code"], message["error"]["message"])
            if "result" in message:
                return message["result"]
            if progress is not None:
                progress(message["progress"], message["step"])

    def close(self) -> None:
        """End the child: by closing its input, then by force."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        try:
            process.stdin.close()
            process.wait(5.0)
        except (OSError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()

    def kill(self) -> None:
        """End the child at once; a :meth:`call` waiting in another thread raises then."""
        process = self._process
        if process is not None:
            process.kill()

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        self._lines, self._errors = queue.SimpleQueue(), []
        try:
            self._process = subprocess.Popen(
                self.command,
                env=self.env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise WorkerError(f"Cannot start {self.command[0]}: {error.strerror}.") from error
        threading.Thread(target=self._read_answers, args=(self._process,), daemon=True).start()
        self._listener = threading.Thread(
            target=self._read_errors, args=(self._process,), daemon=True
        )
        self._listener.start()
        found = self._receive(120.0).get("hello")
        if found != EXCHANGE_VERSION:
            self.close()
            raise WorkerError(
                f"The worker speaks exchange version {found}, this side {EXCHANGE_VERSION}; "
                "update both to the same release."
            )

    def _read_answers(self, process: subprocess.Popen[str]) -> None:
        lines = self._lines
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    def _read_errors(self, process: subprocess.Popen[str]) -> None:
        errors = self._errors
        assert process.stderr is not None
        for line in process.stderr:
            errors.append(line.rstrip())
            del errors[:-40]

    def _receive(self, timeout: float) -> dict[str, Any]:
        end = time.monotonic() + timeout
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty as error:
                self._kill()
                raise WorkerError(
                    f"The worker was silent for {timeout:.0f} s; it was ended."
                ) from error
            if line is None:
                self._kill()
                self._listener.join(1.0)  # its last words may still be on their way
                raise WorkerError(f"The worker ended unexpectedly.{self._tail()}")
            # Blender greets on standard output before our script runs: no message of ours.
            with suppress(ValueError):
                message = json.loads(line)
                if isinstance(message, dict):
                    return message

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _tail(self) -> str:
        return f" It last said: {self._errors[-1]}" if self._errors else ""
