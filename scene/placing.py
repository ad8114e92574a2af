"""Where a new head goes: to the middle of the scene, or beside what is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy
import numpy as np
from mathutils import Matrix, Vector
from numpy.typing import NDArray

from .armature.known import mover_of
from .fitted import points_of
from .mesh import is_head

#: Between a head and what stands beside it.
_GAP_M = 0.05
#: What Blender's 32 bits may change of a place.
_SAME_M = 1e-6
#: What is larger is a room, a ground or a set, in which a head may stand; the default cube is 2 m.
_LARGEST_M = 3.0
_SOLID = ("MESH", "CURVE", "SURFACE", "META", "FONT")

#: Custom property of a head: how far along x it was put from the origin, metres.
_ASIDE = "placed_aside"

#: (2, 3) lowest and highest corner in the world, metres.
Box = NDArray[np.float64]


def place_beside(head: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """Move ``head``, which is at the origin and not in ``scene`` yet, along x to where it is free.

    So a second head does not stand in the first, nor any in Blender's default cube.
    """
    own = box_of(head)
    taken = [box_of(thing) for thing in scene.objects if _shows(thing, scene)]
    taken = [box for box in taken if 0 < (box[1] - box[0]).max() <= _LARGEST_M]
    ends = sorted(float(box[1, 0]) + _GAP_M for box in taken)
    for start in (own[0, 0], *(end for end in ends if end > own[0, 0])):
        moved = own + (start - own[0, 0], 0.0, 0.0)
        if not any((moved[0] < box[1]).all() and (box[0] < moved[1]).all() for box in taken):
            head[_ASIDE] = float(start - own[0, 0])
            head.matrix_world = _place_of(head)
            return


@contextmanager
def at_origin(head: bpy.types.Object) -> Iterator[None]:
    """``head`` at the origin for the while, if it is still where :func:`place_beside` put it.

    One that was moved or turned since, or has a parent but its armature, stays where it is.
    """
    mover = mover_of(head)
    place = mover.matrix_basis.copy()
    put = _ASIDE in head and mover.parent is None
    if not put or not np.allclose(np.array(place), np.array(_place_of(head)), atol=_SAME_M):
        yield
        return
    try:
        _move(mover, Matrix.Identity(4))
        yield
    finally:
        if place != Matrix.Identity(4):  # else nothing has moved, and hair is slow to follow
            _move(mover, place)


def _place_of(head: bpy.types.Object) -> Matrix:
    return Matrix.Translation((head[_ASIDE], 0.0, 0.0))


def _move(thing: bpy.types.Object, place: Matrix) -> None:
    thing.matrix_basis = place
    layer = bpy.context.view_layer
    assert layer is not None
    layer.update()


def let_go(thing: bpy.types.Object) -> None:
    """Take what hangs on ``thing`` off it, each where it is."""
    for child in thing.children:
        place = child.matrix_world.copy()
        child.parent = None
        child.matrix_world = place


def box_of(thing: bpy.types.Object) -> Box:
    """The extent of ``thing``, of a head of ours its neutral one's also before it was drawn."""
    if is_head(thing) and thing.data.shape_keys is not None:
        points = points_of(thing.data.shape_keys.key_blocks[0])
        corners = np.stack([points.min(0), points.max(0)])
        corners = np.stack(np.meshgrid(*corners.T), -1).reshape(-1, 3)
    else:
        corners = np.array([tuple(corner) for corner in thing.bound_box])
    placed = np.array([thing.matrix_world @ Vector(corner) for corner in corners.tolist()])
    return np.stack([placed.min(0), placed.max(0)])


def _shows(thing: bpy.types.Object, scene: bpy.types.Scene) -> bool:
    if thing.type not in _SOLID or thing.hide_viewport:
        return False
    return not thing.hide_get(view_layer=scene.view_layers[0])
