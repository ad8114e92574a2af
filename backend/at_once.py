"""Several photos looked at at a time: by whom, their results in order, how many there is room for.

Standard library only, because both sides of the exchange import it.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import LifoQueue
from typing import Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
Worker = TypeVar("Worker")

#: Of photos looked at at a time: Blender's files of one take a quarter of that time.
MOST_AT_ONCE = 4
#: What a process that looks at photos takes at most, of 24 megapixels too, and Blender beside them.
_EACH_MB, _BLENDER_MB = 900, 1000


def in_order(
    tasks: Iterable[Task],
    look_at: Callable[[Task], Result],
    at_once: int,
    stop: Callable[[], None],
) -> Generator[tuple[Task, Result], None, None]:
    """What ``look_at`` gives of every task, in order; ``at_once`` at a time, and one waits.

    With one at a time it is called when the next is asked for, else from as many threads, ahead.
    ``stop`` makes these return when whoever asks is interrupted.
    """
    if at_once == 1:
        for task in tasks:
            yield task, look_at(task)
        return
    with ThreadPoolExecutor(at_once) as pool:
        begun: deque[tuple[Task, Future[Result]]] = deque()
        try:
            for task in tasks:
                begun.append((task, pool.submit(look_at, task)))
                if len(begun) > at_once:
                    first, result = begun.popleft()
                    yield first, result.result()
            while begun:
                first, result = begun.popleft()
                yield first, result.result()
        except BaseException:  # interrupted: leaving the pool would wait for their answers
            pool.shutdown(wait=False, cancel_futures=True)
            stop()
            raise


class Pool(Generic[Worker]):
    """Workers that one thread at a time has for itself; the last that was given back comes first,
    as it is warm."""

    def __init__(self, workers: Iterable[Worker] = ()) -> None:
        self.all: list[Worker] = []
        self._free: LifoQueue[Worker] = LifoQueue()
        for worker in workers:
            self.add(worker)

    def add(self, worker: Worker) -> None:
        """One more."""
        self.all.append(worker)
        self._free.put(worker)

    @contextmanager
    def one(self) -> Iterator[Worker]:
        """One that is free, as soon as there is one."""
        worker = self._free.get()
        try:
            yield worker
        finally:
            self._free.put(worker)


def photos_at_once(photos: int) -> int:
    """How many of so many ``photos`` are best looked at at a time on this machine.

    As many as there are processors that this process may use and as fit into the memory that is
    free, of which the system tells nothing but on Linux, at most :data:`MOST_AT_ONCE`.
    """
    if hasattr(os, "sched_getaffinity"):
        processors = len(os.sched_getaffinity(0))
    else:
        processors = os.cpu_count() or 1
    free = _free_mb()
    room = MOST_AT_ONCE if free is None else int((free - _BLENDER_MB) // _EACH_MB)
    return max(1, min(photos, processors, room, MOST_AT_ONCE))


def _free_mb() -> float | None:
    """Megabytes that can be taken without swapping; None where that is not known."""
    with suppress(OSError):
        told = Path("/proc/meminfo").read_text()
        if found := re.search(r"MemAvailable:\s+(\d+) kB", told):
            return int(found[1]) * 1024e-6
    return None
