"""One started process of the wire: its pipes, the threads that read them, and how it ended."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..errors import WorkerError
from ..lifeline import Lifeline

Message = dict[str, Any]

#: How many of its last lines on standard error are kept for the report of a failure.
KEPT_LINES = 60


class Ended(Exception):
    """The child's pipes are closed."""


class Child:
    """A process with three pipes.  Raises :class:`WorkerError` when it cannot be started."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str] | None) -> None:
        self._lifeline = Lifeline()
        try:
            self.process = subprocess.Popen(
                command,
                env={**(os.environ if env is None else env), **self._lifeline.variables},
                pass_fds=self._lifeline.fds,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # Windows: no console
            )
        except OSError as error:
            self._lifeline.cut()
            raise WorkerError(f"Cannot start {command[0]}: {error.strerror}.") from error
        finally:
            self._lifeline.started()
        self.greeted = False
        self.asked = False  #: whether it got a request, and with it our version
        self._rests = False
        self.owed: tuple[int, float] | None = None  #: a cancelled request and until when it may run
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._errors: list[str] = []
        threading.Thread(target=self._read_answers, daemon=True).start()
        self._listener = threading.Thread(target=self._read_errors, daemon=True)
        self._listener.start()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def send(self, message: Message) -> None:
        """Write one line.  Raises :class:`Ended`."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
        except (OSError, ValueError) as error:  # ValueError: closed on this side
            raise Ended from error

    def take(self, seconds: float) -> Message | None:
        """The next message, or None after so many seconds.  Raises :class:`Ended`."""
        end = time.monotonic() + seconds
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                return None
            if line is None:
                self._lines.put(None)  # for who asks next
                raise Ended
            # Blender greets on standard output before our script runs: no message of ours.
            with suppress(ValueError):
                message = json.loads(line)
                if isinstance(message, dict):
                    self._rests = self._rests or bool(message.get("resting"))
                    return message

    def was_resting(self) -> bool:
        """Whether it said, before its pipes closed, that it ends because it is idle."""
        with suppress(Ended):
            while self.take(0.5) is not None:
                pass
        return self._rests

    def close(self, patience: float) -> None:
        """End it: by closing its input, after ``patience`` seconds by force."""
        assert self.process.stdin is not None
        try:
            with suppress(OSError):  # what it never read
                self.process.stdin.close()
            self.process.wait(patience)
            self._lifeline.cut()
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        assert self.process.stdin is not None
        self.process.kill()
        self._lifeline.cut()
        with suppress(subprocess.TimeoutExpired):  # it frees much memory: not waited for
            self.process.wait(0.03)
        with suppress(OSError):
            self.process.stdin.close()

    def death(self) -> WorkerError:
        """How it ended, once its pipes are closed; with its last words, and more as details."""
        how = ""
        with suppress(subprocess.TimeoutExpired):
            how = _manner(self.process.wait(0.5))
        self._listener.join(1.0)  # its last words may still be on their way
        said = f" It last said: {self._errors[-1]}" if self._errors else ""
        return self.explained(
            WorkerError(f"The worker ended unexpectedly{how}; the next try starts another.{said}")
        )

    def explained(self, error: WorkerError) -> WorkerError:
        """``error`` with the last lines on standard error as its details."""
        error.details = "\n".join(self._errors)
        return error

    def _read_answers(self) -> None:
        with suppress(ValueError), self.process.stdout as stdout:  # type: ignore[union-attr]
            for line in stdout:
                self._lines.put(line)
        self._lines.put(None)

    def _read_errors(self) -> None:
        with suppress(ValueError), self.process.stderr as stderr:  # type: ignore[union-attr]
            for line in stderr:
                if line.strip():
                    self._errors.append(line.rstrip())
                    del self._errors[:-KEPT_LINES]


def _manner(status: int) -> str:
    """How a process ended, for a sentence."""
    if status >= 0:
        # Windows counts crashes from 0xC0000000 up.
        return f" (exit status {status:#x})" if status > 255 else f" (exit status {status})"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    # What kills without a word is mostly the system that runs out of memory.
    return f" ({name}, as when memory runs out)" if name == "SIGKILL" else f" ({name})"
