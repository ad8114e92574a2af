"""The same work on every photo, on several threads: the libraries let go of the interpreter."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

#: More threads than this wait for the interpreter.
_MOST = 4


def each(work: Callable[[T], R], photos: Iterable[T]) -> list[R]:
    """``work`` of every one of ``photos``, in their order; the first error is raised."""
    given = list(photos)
    threads = min(len(given), os.cpu_count() or 1, _MOST)
    if threads < 2:
        return [work(one) for one in given]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, given))
