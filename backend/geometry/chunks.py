"""Work on several threads: long arrays in parts that fit into the cache, and several photos."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

#: More threads than this wait for the interpreter.
_MOST_THREADS = 4

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


def each(work: Callable[[T], R], things: Iterable[T], most: int = _MOST_THREADS) -> list[R]:
    """``work`` of every one of ``things``, in their order, on up to ``most`` threads; the first
    error is raised."""
    given = list(things)
    threads = min(len(given), os.cpu_count() or 1, most)
    if threads < 2:
        return [work(one) for one in given]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, given))
