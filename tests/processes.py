"""What tests ask about processes of others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def running(pid: int) -> bool:
    """Whether the process lives; one that only waits to be buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def resident_mb(pid: int | None) -> float:
    """Memory of the process."""
    lines = Path(f"/proc/{pid or 'self'}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def seconds_until(condition: Callable[[], bool], limit: float = 20.0) -> float:
    """How long it takes until ``condition()``; fails after ``limit`` seconds."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < limit, f"not after {limit} s"
        time.sleep(0.01)
    return time.monotonic() - start


@contextmanager
def little_memory(most_mb: float) -> Iterator[None]:
    """Fails where this process takes more than ``most_mb`` meanwhile, at any moment."""
    before = resident_mb(None)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew
    yield
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    assert peak - before < most_mb, f"{peak - before:.0f} MB"
