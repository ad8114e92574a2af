"""Writing small files so that a half-written one is never seen: beside first, then renamed.

Standard library only, because both sides of the exchange import it.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from .errors import OutputError


def write_bytes(path: str | os.PathLike[str], data: bytes | memoryview) -> Path:
    """Write ``data`` to ``path`` and return it; nothing is left behind when that fails.

    Raises :class:`OutputError` with what the system said.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(data)
        os.replace(beside, path)
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {reason(error)}.") from error
    finally:
        beside.unlink(missing_ok=True)
    return path


def reason(error: BaseException) -> str:
    """What the system says, in plain words where it is one of the usual things."""
    number = getattr(error, "errno", None)
    if number == errno.ENOSPC:
        return "the disk is full"
    if number == errno.EROFS:
        return "the disk is read-only"
    if number in (errno.EACCES, errno.EPERM):
        return "permission denied"
    return getattr(error, "strerror", None) or str(error)
