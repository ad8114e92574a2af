"""Shape keys of the 15 visemes, as sums of ARKit's shapes."""

from __future__ import annotations

from collections.abc import Mapping

import bpy
import numpy as np

from ...backend.motion.visemes import VISEMES
from ..fitted import points_of


def add_visemes(head: bpy.types.Object, names: Mapping[str, str]) -> list[str]:
    """Give ``head`` a shape key per viseme of ``backend/motion/visemes.py``; their names.

    ``names``: by viseme what its key is called, as ``VISEME_NAMES`` has it.  Each key is the sum of
    the weighted changes of the head's own ARKit keys, since shape keys add up; "sil" changes
    nothing.  Names that are there already stay as they are, and a head without shape keys gets
    none.
    """
    mesh = head.data
    assert isinstance(mesh, bpy.types.Mesh)
    if mesh.shape_keys is None:
        return []
    keys = mesh.shape_keys.key_blocks
    rest = points_of(keys[0])
    added = []
    for viseme, name in names.items():
        if name in keys:
            continue
        shape = rest.astype(np.float64)
        for arkit, weight in VISEMES[viseme].items():
            if arkit in keys:
                shape += weight * (points_of(keys[arkit]) - rest)
        key = head.shape_key_add(name=name, from_mix=False)
        key.points.foreach_set("co", shape.astype(np.float32).ravel())
        added.append(key.name)
    return added
