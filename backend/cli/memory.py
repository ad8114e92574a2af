"""How much memory the processes needed at most."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


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
