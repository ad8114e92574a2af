"""The calls for scripts and operators: a photo in, a head in the scene out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import bpy

from ..backend.exchange import Reconstruction
from ..backend.exchange.options import Options
from ..backend.exchange.wire import Progress
from . import jobs
from .backend_process import BackendProcess
from .build import build_scene
from .verification import keep


def reconstruct(
    photo: str | os.PathLike[str],
    *,
    options: Options | None = None,
    name: str | None = None,
    scene: bpy.types.Scene | None = None,
    set_active: bool = False,
    backend: BackendProcess | None = None,
    progress: Progress | None = None,
    **named: Any,
) -> bpy.types.Object | list[bpy.types.Object]:
    """Reconstruct the head in ``photo`` and add it to ``scene`` (the current one).

    The head's mesh object, or with ``face="all"`` the list of all of them, largest first.  Each is
    in a collection of its own with camera and lights; see :func:`~.build.build_scene`.

    * ``named``: the fields of :class:`~.options.Options` by name, as in ``reconstruct(photo,
      face=2, texture="photo")``; they replace those of ``options``.  ``corrected`` counts in
      pixels of the upright photo, as ``head["landmarks2d"]`` does (photos of over 24 megapixels
      are halved).
    * ``name``: of head and collection; the photo's unless given.
    * ``set_active``: make the head the active, selected object.
    * ``backend``: a process of the caller's own in place of the shared one, which stays warm until
      :func:`close_backend`.
    * ``progress``: called as ``progress(fraction, step)`` on this thread.

    Waits until it is done; what ``progress`` raises, or Ctrl-C, cancels it.
    :func:`.jobs.start_reconstruction` with :func:`add_heads` is the same without waiting.

    Raises a :class:`FaceError` (``OptionError``, ``PhotoError``, ``NoFaceError``, ``WorkerError``
    ...) whose text is one sentence for the user; the scene is then unchanged.
    """
    chosen = (options or Options()).with_named(named)
    if backend is None:
        found = jobs.start_reconstruction(photo, chosen).wait(progress)
    else:
        found = backend.reconstruct(photo, chosen, progress=progress)
    heads = add_heads(found, scene, set_active=set_active, name=name)
    return heads if chosen.face == "all" else heads[0]


def reconstruct_person(
    photos: Sequence[str | os.PathLike[str]],
    *,
    options: Options | None = None,
    corrected: Sequence[Sequence[Sequence[float]] | None] | None = None,
    name: str | None = None,
    scene: bpy.types.Scene | None = None,
    set_active: bool = False,
    backend: BackendProcess | None = None,
    progress: Progress | None = None,
    **named: Any,
) -> bpy.types.Object:
    """Reconstruct one head from several ``photos`` of one person and add it to ``scene``.

    The head's mesh object, in a collection of its own with a camera for each photo that was used,
    and the lights of the main photo, which is the best one.  ``corrected`` has for each photo the
    landmarks set by hand, or None.  Which photos were left out, and why, is in the JSON of its
    property ``reconstruction``, under "warnings".  All else is as for :func:`reconstruct`.
    """
    chosen = (options or Options()).with_named(named)
    if backend is None:
        found = jobs.start_person(photos, chosen, corrected).wait(progress)
    else:
        found = backend.reconstruct_person(photos, chosen, corrected=corrected, progress=progress)
    return add_heads([found], scene, set_active=set_active, name=name)[0]


def add_heads(
    reconstructions: Sequence[Reconstruction],
    scene: bpy.types.Scene | None = None,
    *,
    set_active: bool = False,
    name: str | None = None,
) -> list[bpy.types.Object]:
    """Add the heads of ``reconstructions`` to ``scene`` (the current one), or none of them.

    The mesh objects, in that order.  With ``set_active`` the last of them is the active object.
    Whatever goes wrong is raised after everything new was removed again.
    """
    before = _data()
    try:
        heads = [
            build_scene(reconstruction, scene, name=name, set_active=set_active).head
            for reconstruction in reconstructions
        ]
    except BaseException:
        bpy.data.batch_remove(list(_data() - before))
        raise
    for reconstruction in reconstructions:
        keep(reconstruction)
    return heads


def close_backend() -> None:
    """End the shared backend process, if there is one; the next call starts another."""
    jobs.close()


def _data() -> set[bpy.types.ID]:
    """All data of the kinds that heads are made of."""
    kinds = (
        "collections", "objects", "meshes", "cameras", "lights", "materials", "images",
        "hair_curves", "node_groups", "armatures",
    )  # fmt: skip
    return {thing for kind in kinds for thing in getattr(bpy.data, kind)}
