"""Keeping Blender's and its exporters' chatter off the terminal."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Send standard output, that of C code too, to nowhere for the duration.

    Errors still come out: they go to standard error or are raised.
    """
    sys.stdout.flush()
    level = logging.root.manager.disable
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        logging.disable(logging.WARNING)
        yield
    finally:
        sys.stdout.flush()
        logging.disable(level)
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
