"""Stands in for Blender: answers "build" with small files; the argument makes it misbehave."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from PIL import Image
from reconstruct_face.backend.exchange import load_reconstruction
from reconstruct_face.backend.exchange.wire import serve

BEHAVIOUR = sys.argv[1] if len(sys.argv) > 1 else ""


def ping(*, progress):
    return {}


def build(*, npz, folder, name, formats, preview, window, compact, progress):
    load_reconstruction(npz)
    said = "compact " if compact else ""
    if BEHAVIOUR == "die" or (BEHAVIOUR == "die-on-bad" and name.startswith("bad")):
        os.kill(os.getpid(), 9)
    if BEHAVIOUR in ("hang", "late"):
        time.sleep(60)
    progress(0.5, "Building")
    files = {}
    for kind in formats:
        path = Path(folder) / f"{name}.{kind}"
        path.write_bytes(b"" if BEHAVIOUR == "empty" else f"{said}{kind} of {name}".encode())
        files[kind] = str(path)
    views = {"photo_render": None, "three_quarter": None}
    if preview:
        assert len(window) == 4
        for view in views:
            views[view] = str(Path(folder) / f"{name}_{view}.png")
            Image.new("RGBA", (64, 64), (200, 90, 40, 255)).save(views[view])
    return {"files": files, **views, "timings": {"build": 0.01}}


if __name__ == "__main__":
    print("Blender 5.0.1 greets")  # as the executable does, before any script runs
    sys.stdout.flush()
    if BEHAVIOUR == "late":
        time.sleep(20)
    serve({"ping": ping, "build": build})
