"""When a child ends by itself: with its parent, at once and whatever it is doing, or when idle.

A thread that waits for the end of standard input comes too late where a library keeps Python's
lock: dlib looks for faces for seconds.  So the parent keeps the writing end of a pipe into which
nothing is ever written; when it dies, the system closes that end and sends the child SIGIO, whose
default on Linux is to end the process.  macOS ignores it and Windows has no such signal: there the
thread has to do.

Standard library only, and imported before anything that takes time.
"""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress

try:
    import fcntl
except ImportError:
    fcntl = None

#: Tells the child the number of its end.
VARIABLE = "RECONSTRUCT_FACE_LIFELINE"
#: Minutes without a request after which a worker that is told so ends itself; 0: never.
IDLE_VARIABLE = "RECONSTRUCT_FACE_IDLE_MINUTES"
IDLE_MINUTES = 10.0
_LONGEST_MINUTES = 7 * 24 * 60.0


def idle_seconds(minutes: str) -> float | None:
    """Seconds of so many ``minutes``, of the default where it is empty; None for 0: never.

    Raises ValueError for what is no number of minutes.
    """
    found = float(minutes) if minutes.strip() else IDLE_MINUTES
    if not 0 <= found <= _LONGEST_MINUTES:
        raise ValueError(f"{minutes} is no number of minutes from 0 to {_LONGEST_MINUTES:.0f}.")
    return found * 60 or None


class Lifeline:
    """The parent's end; ``fds`` and ``variables`` go to the child."""

    def __init__(self) -> None:
        self.fds: tuple[int, ...] = ()
        self.variables: dict[str, str] = {}
        self._kept: int | None = None
        if fcntl is not None:
            # Above the standard streams, which may be closed: the child gets its own there.
            end, self._kept = (_above(number) for number in os.pipe())
            self.fds, self.variables = (end,), {VARIABLE: str(end)}

    def started(self) -> None:
        """The child has its end now."""
        for end in self.fds:
            os.close(end)
        self.fds = ()

    def cut(self) -> None:
        """Let go of the child."""
        kept, self._kept = self._kept, None
        if kept is not None:
            os.close(kept)


def _above(number: int) -> int:
    if fcntl is None or number > 2:
        return number
    higher = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(number)
    return higher


def hold() -> None:
    """In the child: end with the parent."""
    number = os.environ.pop(VARIABLE, "")
    if fcntl is None or not number.isdecimal():
        return
    end = int(number)
    # Where the system refuses (or started another process between), standard input has to do.
    with suppress(OSError, ValueError):
        os.set_inheritable(end, False)
        signal.signal(signal.SIGIO, signal.SIG_DFL)
        fcntl.fcntl(end, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(end, fcntl.F_SETFL, fcntl.fcntl(end, fcntl.F_GETFL) | os.O_ASYNC)
        if select.select([end], [], [], 0)[0]:  # it was gone before
            os._exit(1)
