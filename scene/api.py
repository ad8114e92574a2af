"""The one call for scripts and the operator: a photo in, a head in the scene out."""

from __future__ import annotations

import atexit
import os

import bpy

from ..backend.exchange.wire import Progress
from .backend_process import BackendProcess
from .build import build_scene

_shared: BackendProcess | None = None


def reconstruct(
    photo: str | os.PathLike[str],
    *,
    face: int | str = "largest",
    texture: str = "albedo",
    texture_size: int = 2048,
    model: str = "default",
    estimate: str = "network",
    quality: str = "balanced",
    landmarks: bool = True,
    scene: bpy.types.Scene | None = None,
    set_active: bool = False,
    backend: BackendProcess | None = None,
    progress: Progress | None = None,
) -> bpy.types.Object | list[bpy.types.Object]:
    """Reconstruct the head in ``photo`` and add it to ``scene`` (the current one).

    The head's mesh object, or with ``face="all"`` the list of all of them, largest first.  Each is
    in a collection of its own with camera and lights; see :func:`~.build.build_scene`.  ``face`` is
    "largest", "all" or a number from 1; ``texture`` is "albedo", "photo" or "none"; ``estimate``
    "network" or "landmarks"; ``quality`` "fast", "balanced" or "best"; ``landmarks`` False does
    without dlib's landmark file.  ``backend`` replaces the shared process, which stays warm until
    :func:`close_backend`.

    Raises a :class:`FaceError` (``PhotoError``, ``NoFaceError``, ``WorkerError`` ...) whose text
    is one sentence for the user; the scene is then unchanged.
    """
    heads = (backend or shared_backend()).reconstruct(
        photo,
        face=face,
        texture=texture,
        texture_size=texture_size,
        model=model,
        estimate=estimate,
        quality=quality,
        landmarks=landmarks,
        progress=progress,
    )
    built = [build_scene(head, scene, set_active=set_active).head for head in heads]
    return built if face == "all" else built[0]


def shared_backend() -> BackendProcess:
    """The backend process that all calls share."""
    global _shared
    if _shared is None:
        _shared = BackendProcess()
    return _shared


def close_backend() -> None:
    """End the shared backend process, if there is one; the next call starts another."""
    global _shared
    backend, _shared = _shared, None
    if backend is not None:
        backend.close()


atexit.register(close_backend)
