"""Shape keys of the 15 visemes, as sums of ARKit's shapes."""

from __future__ import annotations

import bpy
import numpy as np

from ...backend.motion.visemes import VISEMES
from ..fitted import points_of


def add_visemes(head: bpy.types.Object, pattern: str) -> list[str]:
    """Give ``head`` a shape key per viseme of ``backend/motion/visemes.py``; their names.

    ``pattern`` ("viseme_{}") makes the names.  Each key is the sum of the weighted changes of the
    head's own ARKit keys, since shape keys add up; "sil" changes nothing.  Names that are there
    already stay as they are, and a head without shape keys gets none.
    """
    mesh = head.data
    assert isinstance(mesh, bpy.types.Mesh)
    if mesh.shape_keys is None:
        return []
    keys = mesh.shape_keys.key_blocks
    rest = points_of(keys[0])
    added = []
    for viseme, weights in VISEMES.items():
        name = pattern.format(viseme)
        if name in keys:
            continue
        shape = rest.astype(np.float64)
        for arkit, weight in weights.items():
            if arkit in keys:
                shape += weight * (points_of(keys[arkit]) - rest)
        key = head.shape_key_add(name=name, from_mix=False)
        key.points.foreach_set("co", shape.astype(np.float32).ravel())
        added.append(key.name)
    return added
