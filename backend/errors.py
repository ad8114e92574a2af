"""The errors a user can meet: one clear sentence each, a stable code and an exit status.

Standard library only, because both sides of the exchange import it.
"""

from __future__ import annotations

import os
import re
import traceback


class FaceError(Exception):
    """Base of the expected failures; ``str(error)`` is one sentence: what was found, what to do."""

    code = "error"
    exit_status = 1
    details = ""  #: more than a user wants to read, for the report of the failure

    def __str__(self) -> str:
        return shown(super().__str__())


class OptionError(FaceError, ValueError):
    """An option has a value that is none, or there is no option of that name."""

    code = "option"
    exit_status = 2


class PhotoError(FaceError):
    """The photo cannot be read (missing, empty, truncated, not a picture, too small, too large)."""

    code = "photo"
    exit_status = 3


class NoFaceError(FaceError):
    """No face was found in a readable photo, or the requested face number does not exist."""

    code = "no_face"
    exit_status = 4


class OutputError(FaceError):
    """The output cannot be written (no permission, disk full, not a folder)."""

    code = "output"
    exit_status = 5


class ModelError(FaceError):
    """A face model or detector file is missing, damaged, or of another kind."""

    code = "model"
    exit_status = 6


class ExchangeError(FaceError):
    """An exchange file or message is damaged or of another version."""

    code = "exchange"
    exit_status = 7


class WorkerError(FaceError):
    """The process on the other side of the exchange could not start, died, or did not answer."""

    code = "worker"
    exit_status = 8


class TrainingError(FaceError):
    """A training configuration, its data or its checkpoint cannot be used."""

    code = "training"
    exit_status = 9


class VerificationError(FaceError):
    """A verification cannot be made of what was given, or a scene did not pass it."""

    code = "verification"
    exit_status = 10


class ClusterError(FaceError):
    """The cluster cannot be used (no Ray, nobody there, no room), or lost what it was given."""

    code = "cluster"
    exit_status = 11


class Cancelled(FaceError):
    """The user cancelled."""

    code = "cancelled"
    exit_status = 130


def shown(text: str, kept: str = "") -> str:
    """``text`` as a terminal or a page may show it: names of files may hold anything.

    Control characters but ``kept``, those that change the direction of writing, and bytes that are
    no text (as :func:`os.fsdecode` has them) become escapes.
    """
    if text.isascii() and text.isprintable():
        return text
    return _UNSHOWN.sub(lambda found: found[0] if found[0] in kept else _escape(found[0]), text)


_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def _escape(letter: str) -> str:
    byte = ord(letter) - 0xDC00
    if 0x80 <= byte <= 0xFF:
        return f"\\x{byte:02x}"
    return letter.encode("unicode_escape", "backslashreplace").decode("ascii")


#: Set to see the whole traceback of an unexpected error.
DEBUG_VARIABLE = "RECONSTRUCT_FACE_DEBUG"


def as_face_error(error: Exception) -> FaceError:
    """``error``, or a sentence about an unexpected one."""
    if isinstance(error, FaceError):
        return error
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exception(error)
    if isinstance(error, MemoryError):
        return FaceError("There is not enough memory; use a smaller photo or texture.")
    return FaceError(
        f"Unexpected {type(error).__name__}: {error} (please report it; "
        f"{DEBUG_VARIABLE}=1 shows where)."
    )


def error_from_code(code: str, message: str, details: str = "") -> FaceError:
    """The error class for ``code`` (as sent over the wire), holding ``message``."""
    kinds = {kind.code: kind for kind in FaceError.__subclasses__()}
    error = kinds.get(code, FaceError)(message)
    error.details = details
    return error
