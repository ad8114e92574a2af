"""How much memory the processes needed at most."""

from __future__ import annotations

import sys


def peak_memory_mb(blender: bool) -> dict[str, float]:
    """Peak resident memory in MB of this process and, with ``blender``, of its largest ended child.

    Empty where the system does not tell (Windows).
    """
    try:
        import resource
    except ImportError:
        return {}
    # Kilobytes on Linux, bytes on macOS (getrusage(2) of each).
    unit = 1e-6 if sys.platform == "darwin" else 1024e-6
    peaks = {"backend": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, 1)}
    if blender:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        peaks["blender"] = round(children.ru_maxrss * unit, 1)
    return peaks
