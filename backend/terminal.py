"""What a command says and ends with, whatever its standard streams are: closed, full, a pipe.

Nothing that is only said may end the work, and nothing that ends it shows a traceback.  Standard
library only, and imported before anything that opens a file.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, TextIO

from .errors import OutputError, as_face_error, shown
from .files import reason


def run(main: Callable[[Sequence[str]], int], argv: Sequence[str]) -> int:
    """``main(argv)`` as a program of its own; returns its exit status.

    Where standard output could not be written, another one than 0 is kept, and 0 becomes that of
    :class:`OutputError`; a reader that goes away (``| head``) is none of that.  Whatever else ends
    ``main`` is told in a sentence: an interrupt, SIGTERM and SIGHUP (:class:`Ended`), an exception.
    """
    out, err = steady_streams()
    with _signals():
        status = _status(main, argv)
    for stream in (out, err):
        stream.flush()
    if status == 0 and out.failure is not None and out.failure.errno != errno.EPIPE:
        print(f"Cannot write standard output: {reason(out.failure)}.", file=sys.stderr)
        return OutputError.exit_status
    return status


def _status(main: Callable[[Sequence[str]], int], argv: Sequence[str]) -> int:
    try:
        return main(argv)
    except SystemExit as end:  # of the parser of the command line
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt as end:
        print("Interrupted.", file=sys.stderr)
        return interrupted_status(end)
    except Exception as error:  # noqa: BLE001 - a sentence for whatever it is
        told = as_face_error(error)
        print(told, file=sys.stderr)
        return told.exit_status


class Ended(KeyboardInterrupt):
    """A signal was sent that ends the program as Ctrl-C does: unfinished results are removed."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def interrupted_status(end: KeyboardInterrupt) -> int:
    """The exit status of a program that was interrupted: 128 and the signal's number."""
    return 128 + (end.number if isinstance(end, Ended) else signal.SIGINT)


@contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM and SIGHUP (the terminal was closed) raise :class:`Ended`; not where they are ignored
    (``nohup``)."""

    def end(number: int, frame: Any) -> NoReturn:
        raise Ended(number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    ours = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


#: Bytes of address space that the process which looks at photos takes (2.7 GB on two cores), and
#: some; Blender's takes 2.1.  Libraries in C end the process where they do not get them.
NEEDED_BYTES = 3_000_000_000


def too_little_memory() -> str:
    """A sentence where this process may not take what a photo needs (``ulimit -v``), else ""."""
    try:
        import resource
    except ImportError:  # Windows
        return ""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY or limit >= NEEDED_BYTES:
        return ""
    return (
        f"This process may take {limit / 1e9:.1f} GB of memory (ulimit -v), and a photo needs "
        f"{NEEDED_BYTES / 1e9:.0f} GB; raise the limit."
    )


def steady_streams() -> tuple[Steady, Steady]:
    """Make standard output and error ones that never raise, and return them.

    The three numbers 0 to 2 are opened where they are closed: what is opened next, a child's pipe,
    would take their place and be taken for them.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    out, err = Steady(sys.stdout, 1, "\n\t"), Steady(sys.stderr, 2, "\n\t\r")
    sys.stdout, sys.stderr = out, err
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115 - for as long as the process lives
    return out, err


class Steady(io.TextIOWrapper):
    """Text to the stream ``number``, in place of ``before``, what Python made of it.

    Letters that it lacks and control characters but ``kept`` are written as escapes.  What cannot
    be written is dropped; ``failure`` says why.
    """

    def __init__(self, before: TextIO | None, number: int, kept: str) -> None:
        self.failure: OSError | None = None
        self._kept = kept
        if before is not None:
            before.flush()
        super().__init__(
            io.BufferedWriter(io.FileIO(number, "wb", closefd=False)),
            encoding=getattr(before, "encoding", None) or "utf-8",
            errors="backslashreplace",
            line_buffering=True,
        )

    def write(self, text: str) -> int:
        """Write ``text``, as far as that can be done."""
        if self.failure is None:
            try:
                super().write(shown(text, self._kept))
            except OSError as error:
                self._failed(error)
        return len(text)

    def flush(self) -> None:
        """Write what is waiting, as far as that can be done."""
        if self.failure is None:
            try:
                super().flush()
            except OSError as error:
                self._failed(error)

    def _failed(self, error: OSError) -> None:
        """From here on into nothing: Python tries again when it ends."""
        self.failure = error
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self.fileno())
        os.close(nothing)
