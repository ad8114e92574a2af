"""What Blender's shape keys of copies need."""

from __future__ import annotations

from typing import Any

import bpy


def clear_keys(thing: bpy.types.Object) -> None:
    """Remove the shape keys of ``thing``, whose mesh is a copy.

    Blender 4.5 counts the keys of a copied mesh twice and would leave them in the file.
    """
    mesh: Any = thing.data
    if mesh.shape_keys is None:
        return
    name = mesh.shape_keys.name
    thing.shape_key_clear()
    left = bpy.data.shape_keys.get(name)
    if left is not None:
        bpy.data.batch_remove([left])
