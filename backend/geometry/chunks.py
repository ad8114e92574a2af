"""Long arrays worked through in parts: small enough for the cache, two at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

#: A megabyte for each field of a part: about what a core's cache holds.  Not measured more finely.
TEXELS = 1 << 16


def in_parts(work: Callable[[slice], None], count: int, size: int = TEXELS) -> None:
    """Call ``work`` for all parts of ``range(count)``, on two threads; raises what it raises.

    Parts must not write to the same places.  numpy and OpenCV let go of the GIL in their loops.
    """
    parts = [slice(start, min(start + size, count)) for start in range(0, count, size)]
    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(work, parts):
            pass
