"""Folders for the files of one process, which go with it however it ends.

Standard library only, because both sides of the exchange import it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import OutputError
from ..files import reason

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_PREFIX = "reconstruct_face-run-"
#: Seconds after which a folder that nobody has locked was left behind: its maker locks it at once.
_FRESH = 2.0
#: The same where there are no locks: nothing runs for longer.
_OLD = 24 * 3600.0


@contextmanager
def temporary_folder() -> Iterator[str]:
    """A folder of the system's temporary one, removed in the end.

    What processes that were killed have left there is removed too.  Raises :class:`OutputError`.
    """
    _sweep()
    try:
        folder = tempfile.mkdtemp(prefix=_PREFIX)
    except OSError as error:
        raise OutputError(
            f"No temporary folder can be made in {_place()}: {reason(error)}; free some space "
            "there or set another one."
        ) from error
    number = _lock(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # Windows may still hold a killed writer's file
        if number is not None:
            os.close(number)


def _place() -> str:
    try:
        return tempfile.gettempdir()
    except OSError:  # none of the usual ones can be written to
        return os.environ.get("TMPDIR", "the system's temporary folder")


def _lock(folder: str | Path) -> int | None:
    """The number of the locked folder; None where another process has it, or none can be had."""
    if fcntl is None:
        return None
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(number)
            return None
        return number
    return None


def _sweep() -> None:
    with suppress(OSError):
        for folder in Path(_place()).glob(f"{_PREFIX}*"):
            with suppress(OSError):
                age = time.time() - folder.lstat().st_mtime
                number = _lock(folder) if age > _FRESH else None
                if number is not None or (fcntl is None and age > _OLD):
                    shutil.rmtree(folder, ignore_errors=True)
                if number is not None:
                    os.close(number)
