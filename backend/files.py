"""Writing small files so that a half-written one is never seen: beside first, then renamed.

Standard library only, because both sides of the exchange import it.
"""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path

from .errors import OutputError


def write_bytes(path: str | os.PathLike[str], data: bytes | memoryview) -> Path:
    """Write ``data`` to ``path`` and return it; nothing is left behind when that fails.

    Raises :class:`OutputError` with what the system said.
    """
    path = Path(path)
    # A name that nobody can guess and that is new: nobody's link is followed.
    beside = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with os.fdopen(os.open(beside, _NEW, 0o666), "wb") as file:
            file.write(data)
        os.replace(beside, path)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise OutputError(f"Cannot write {path}: {reason(error)}.") from error
    finally:
        with suppress(OSError, ValueError):
            beside.unlink(missing_ok=True)
    return path


_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_NEW |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)

#: Bytes of the name of a result.  A file's has at most 255, and results add "_face12",
#: "_three_quarter.png", and the endings of what is being written.
LONGEST_NAME = 200


def plain_name(stem: str) -> str:
    """``stem`` of a photo's or a video's file as the name of its results: at most 200 bytes.

    Bytes that are no UTF-8 and control characters, which not all formats of files can hold, become
    ``%FC`` and the like.
    """
    name = ""
    for letter in stem:
        if "\ud800" <= letter <= "\udfff" or not (letter.isprintable() or letter == "\u3000"):
            data = letter.encode("utf-8", "surrogateescape" if letter > "\udc7f" else "replace")
            letter = "".join(f"%{byte:02X}" for byte in data)  # noqa: PLW2901
        if len((name + letter).encode()) > LONGEST_NAME:
            break
        name += letter
    return name


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
