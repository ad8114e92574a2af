"""Paths of this machine that a .blend must not hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy

#: Group and property of a scene that hold paths: ``operators/settings.py``, ``animation.py``.
CHOICES = (
    ("reconstruct_face", "photo"),
    ("reconstruct_face_animation", "video"),
    ("reconstruct_face_export", "folder"),
)

#: Lists of a scene whose items hold a path: group, list, property.
LISTS = (("reconstruct_face", "further", "path"),)


@contextmanager
def without_choices() -> Iterator[None]:
    """The photos and the video that the sidebar holds for the next run taken out for the while.

    They are whole paths of this machine.  Setting the properties would look for faces: what Blender
    keeps them in is changed, which since 5.0 is apart from custom properties.
    """
    kept = []
    for scene in bpy.data.scenes:
        apart = getattr(scene, "bl_system_properties_get", None)
        store = scene if apart is None else apart() or {}
        choices = [(store.get(group), name) for group, name in CHOICES]
        for group, items, name in LISTS:
            choices += [(item, name) for item in (store.get(group) or {}).get(items, ())]
        for values, name in choices:
            if values is not None and values.get(name):
                kept.append((values, name, values[name]))
                values[name] = ""
    try:
        yield
    finally:
        for values, name, path in kept:
            values[name] = path
