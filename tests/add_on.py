"""The add-on as its tests have it: registered in an empty file, its backend the fake one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import reconstruct_face
from reconstruct_face.scene import jobs
from reconstruct_face.scene.backend_process import BackendProcess

FAKE = [sys.executable, str(Path(__file__).parent / "fake_backend.py")]


@contextmanager
def registered() -> Iterator[None]:
    """The add-on in an empty file while this lasts; its backend ends with it."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    jobs.use_backend(lambda: BackendProcess(command=FAKE))
    reconstruct_face.register()
    try:
        yield
    finally:
        reconstruct_face.unregister()
        assert jobs.backend_state() == "stopped", "unregistering ends the backend"
        jobs.use_backend(BackendProcess)
