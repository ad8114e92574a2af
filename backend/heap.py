"""Memory that is freed, kept together and given back to the system.  Standard library only.

Pictures and textures come and go in tens of megabytes, and glibc keeps such holes.
"""

from __future__ import annotations

import ctypes
import gc
import sys

#: M_ARENA_MAX of glibc's malloc.h.
_ARENA_MAX = -8


def give_back() -> None:
    """Free what only refers to itself, and :func:`trim`."""
    gc.collect()
    trim()


def trim() -> None:
    """Have the C library return what it keeps of freed memory; where it is not glibc, nothing."""
    _glibc("malloc_trim", 0)


def keep_together() -> None:
    """Have all threads that start from now on share one heap; where it is not glibc, nothing.

    Each would have its own, with holes of its own: of a photo's texture 35 MB stay in them.
    """
    _glibc("mallopt", _ARENA_MAX, 1)


def _glibc(name: str, *arguments: int) -> None:
    if sys.platform == "linux":
        function = getattr(ctypes.CDLL(None), name, None)  # musl has neither
        if function is not None:
            function(*arguments)
