"""How much memory the processes needed at most, and for how many of them there is room."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

#: Of photos looked at at a time: Blender's files of one take a quarter of that time.
MOST_AT_ONCE = 4
#: What a process that looks at photos takes at most, of 24 megapixels too, and Blender beside them.
_EACH_MB, _BLENDER_MB = 900, 1000


def peak_memory_mb(processes: Mapping[str, int | None]) -> dict[str, float]:
    """Peak resident memory in MB of living ``processes`` by name; None stands for one that ended.

    Those of which the system tells nothing (all but Linux) are left out.
    """
    peaks = {}
    for name, number in processes.items():
        with suppress(OSError):
            told = Path(f"/proc/{number}/status").read_text()
            if found := re.search(r"VmHWM:\s+(\d+) kB", told):
                peaks[name] = round(int(found[1]) * 1024e-6, 1)
    return peaks


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
