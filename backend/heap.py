"""Memory that was freed, given back to the system.  Standard library only."""

from __future__ import annotations

import ctypes
import gc
import sys


def give_back() -> None:
    """Have the C library return what it keeps of freed memory; where it is not glibc, nothing.

    Pictures and textures come and go in tens of megabytes, and glibc keeps such holes.
    """
    gc.collect()
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
    if trim is not None:
        trim(0)
