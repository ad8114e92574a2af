"""Keeping Blender's and its exporters' chatter off the terminal."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout


@contextmanager
def quiet() -> Iterator[None]:
    """Send standard output, Python's and that of C code, to nowhere for the duration.

    Errors still come out: they go to standard error or are raised.
    """
    _flush()
    level = logging.root.manager.disable
    kept = os.dup(1)
    try:
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
            os.dup2(nowhere.fileno(), 1)
            logging.disable(logging.WARNING)
            yield
    finally:
        _flush()
        logging.disable(level)
        os.dup2(kept, 1)
        os.close(kept)


def _flush() -> None:
    """Empty Python's buffer and that of the C library, which would else come out later."""
    sys.stdout.flush()
    library = ctypes.CDLL("ucrtbase") if sys.platform == "win32" else ctypes.CDLL(None)
    library.fflush(None)
