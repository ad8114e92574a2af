"""``python -P -m reconstruct_face.scene.measure NAME.npz``: what building a head's object costs.

Prints a JSON list: seconds, shape keys, and the process's MB before and at the peak, which Linux
tells; -1 elsewhere.  ``bench models`` runs it where ``bpy`` is.
"""

from __future__ import annotations

import json
import re
import sys
import time
from contextlib import suppress
from pathlib import Path

from ..backend.exchange import load_reconstruction
from .mesh import build_mesh


def main(path: str) -> None:
    """Build and print."""
    made = load_reconstruction(path)
    before = _megabytes("VmRSS")
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    start = time.perf_counter()
    head = build_mesh(made)
    seconds = time.perf_counter() - start
    keys = len(head.data.shape_keys.key_blocks) - 1
    print(json.dumps([seconds, keys, before, _megabytes("VmHWM")]))


def _megabytes(name: str) -> float:
    try:
        found = re.search(name + r":\s+(\d+)", Path("/proc/self/status").read_text())
    except OSError:
        return -1.0
    return int(found[1]) * 1024e-6 if found else -1.0


if __name__ == "__main__":
    main(sys.argv[1])
