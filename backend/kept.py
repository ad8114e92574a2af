"""What is worked out once and kept, and let go of when nothing is asked for a while.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_LETTING_GO: list[Callable[[], None]] = []


def kept(maxsize: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """``functools.lru_cache`` for what takes megabytes: :func:`let_go` empties it."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        cached = lru_cache(maxsize)(function)
        _LETTING_GO.append(cached.cache_clear)
        return cached  # pyright: ignore[reportReturnType]

    return decorate


def let_go() -> None:
    """Forget all that was kept; who needs it next works it out again."""
    for clear in _LETTING_GO:
        clear()
