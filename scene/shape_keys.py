"""The shape keys of a head: those that may be set, and those that drivers set."""

from __future__ import annotations

import bpy

from ..backend.errors import FaceError, ModelError
from .mesh import expression_keys


def editable_keys(head: bpy.types.Object) -> dict[str, bpy.types.ShapeKey]:
    """Name to shape key, without the Basis.

    Raises :class:`ModelError` when ``head`` has none, and :class:`FaceError` when they are linked
    from another file.
    """
    keys = expression_keys(head)
    if not keys:
        raise ModelError(f"{head.name} has no shape keys any more; undo that or reconstruct again.")
    if head.data.shape_keys.library is not None:
        raise FaceError(
            f"The expression of {head.name} is linked from another file; make a library override "
            "first (Object > Library Override > Make)."
        )
    return {key.name: key for key in keys}


def driven_names(head: bpy.types.Object) -> set[str]:
    """Names of the shape keys whose value a driver sets."""
    data = head.data.shape_keys.animation_data
    paths = {driver.data_path for driver in data.drivers} if data is not None else set()
    return {key.name for key in expression_keys(head) if key.path_from_id("value") in paths}
