"""What hair is held by: the head's mesh once more, of which the viewport has just what hair is on.

Whatever asks for the head's points in the viewport has its subdivision done by the processor: a
shape key on a head with hair then takes ten times as long.  So hair has a surface of its own, an
object of the head's mesh and shape keys in no collection, which is divided in renderings only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .vertex_groups import corners_and_slots, fill_group

#: Custom property of a surface: its head.
TAG = "reconstruct_face_hair_surface_of"
#: The vertex group of what hair is on.
GROUP = "hair surface"
_MASK = "Hair"
#: Custom property of the curves: their surface, also while they are held by the head itself.
OWN = "reconstruct_face_surface"
#: Cells of the texture's side, in which roots and polygons meet.
_CELLS = 256
#: Modifiers of a head that its surface has too, or needs not: the Mask takes out parts that are
#: objects of their own.  With any other, as users add them, hair is held by the head itself.
_KNOWN = ("ARMATURE", "SUBSURF", "MASK")


def add_surface(head: bpy.types.Object, uv: NDArray, layer: str) -> bpy.types.Object:
    """A new surface of ``head`` for hair whose roots have the texture coordinates ``uv`` (S, 2) in
    the UV map ``layer``."""
    surface = bpy.data.objects.new(f"{head.name} hair surface", head.data)
    surface[TAG], surface.parent = head, head
    surface.add_rest_position_attribute = True
    fill_group(head, GROUP, _around(head, uv, layer).astype(float))
    mask: Any = surface.modifiers.new(_MASK, "MASK")
    mask.vertex_group, mask.show_render = GROUP, False
    _smooth_in_renderings(head, surface)
    return surface


def surface_of(curves: Any) -> bpy.types.Object | None:
    """The surface that was made for ``curves``; None where there is none of ours."""
    surface = curves.get(OWN)
    return surface if isinstance(surface, bpy.types.Object) and TAG in surface else None


def remove_surface(surface: bpy.types.Object | None) -> None:
    """Delete ``surface`` unless there still is hair that it was made for."""
    if surface is not None and not _held_by(surface):
        bpy.data.objects.remove(surface)


def out_of_step() -> list[bpy.types.Object]:
    """The heads whose modifiers were changed since their hair was held."""
    heads = []
    for curves in bpy.data.hair_curves:
        surface = surface_of(curves)
        head = None if surface is None else surface[TAG]
        if surface is None or head is None or curves.surface not in (head, surface):
            continue  # the head is gone, or it is the user's choice
        if (curves.surface == head) != _is_foreign(head) or _armatures(head) != _armatures(surface):
            heads.append(head)
    return heads


def hold(head: bpy.types.Object) -> None:
    """Bring what holds the hair of ``head`` in step with it, after its modifiers were changed.

    Its armatures deform the surface too.  Modifiers that users add are not copied: then hair is
    held by the head itself, slowly, until they are gone.
    """
    for surface in [thing for thing in bpy.data.objects if thing.get(TAG) == head]:
        for modifier in [m for m in surface.modifiers if m.name != _MASK]:
            surface.modifiers.remove(modifier)
        _smooth_in_renderings(head, surface)
        for curves in _held_by(surface):
            if curves.surface in (head, surface):
                curves.surface = head if _is_foreign(head) else surface
                head.add_rest_position_attribute |= _is_foreign(head)


@contextmanager
def as_rendered(hair: bpy.types.Object) -> Iterator[None]:
    """The viewport has the surface of ``hair`` whole and smooth, as the head, for the while."""
    surface = surface_of(hair.data)
    was = [] if surface is None else [(m, m.show_viewport) for m in surface.modifiers]
    # Told the same again, a modifier is worked out again.
    changed = [(m, shown) for m, shown in was if shown != (m.name != _MASK)]
    for modifier, shown in changed:
        modifier.show_viewport = not shown
    try:
        yield
    finally:
        for modifier, shown in changed:
            modifier.show_viewport = shown


def holder_of(hair: bpy.types.Object, head: bpy.types.Object) -> bpy.types.Object:
    """What holds ``hair`` on ``head``: its surface, the same mesh as the head's while
    :func:`as_rendered`, or the head itself."""
    surface = surface_of(hair.data)
    curves: Any = hair.data
    return surface if surface is not None and surface == curves.surface else head


def copy_modifiers(head: bpy.types.Object, thing: bpy.types.Object) -> None:
    """Armatures and subdivision on ``thing``, of the mesh of ``head``, as there; a user's other
    modifiers stay on the head."""
    for modifier in head.modifiers:
        if modifier.type == "ARMATURE":
            thing.modifiers.new(modifier.name, "ARMATURE").object = modifier.object
        elif modifier.type == "SUBSURF":
            own = thing.modifiers.new(modifier.name, "SUBSURF")
            own.levels, own.render_levels = modifier.levels, modifier.render_levels


def _smooth_in_renderings(head: bpy.types.Object, surface: bpy.types.Object) -> None:
    copy_modifiers(head, surface)
    for modifier in surface.modifiers:
        if modifier.type == "SUBSURF":
            modifier.show_viewport = False


def _held_by(surface: bpy.types.Object) -> list[Any]:
    return [curves for curves in bpy.data.hair_curves if curves.get(OWN) == surface]


def _is_foreign(head: bpy.types.Object) -> bool:
    return any(modifier.type not in _KNOWN for modifier in head.modifiers)


def _armatures(thing: bpy.types.Object) -> list[bpy.types.Object | None]:
    return [modifier.object for modifier in thing.modifiers if modifier.type == "ARMATURE"]


def _around(head: bpy.types.Object, uv: NDArray, layer: str) -> NDArray[np.bool_]:
    """(V,) the vertices of polygons that have some of the ``uv`` (S, 2), or nearly, and those of
    their neighbours."""
    mesh = head.data
    assert isinstance(mesh, bpy.types.Mesh)
    corners, _, sizes = corners_and_slots(mesh)
    at = np.empty((len(corners), 2), np.float32)
    mesh.uv_layers[layer].uv.foreach_get("vector", at.ravel())
    cells = np.clip(np.floor(uv * _CELLS), 0, _CELLS - 1).astype(int)
    total = np.zeros((_CELLS + 1, _CELLS + 1), int)
    np.add.at(total, (cells[:, 0] + 1, cells[:, 1] + 1), 1)
    total = total.cumsum(axis=0).cumsum(axis=1)
    starts = np.cumsum(sizes) - sizes
    low = np.floor(np.minimum.reduceat(at, starts) * _CELLS)
    high = np.floor(np.maximum.reduceat(at, starts) * _CELLS) + 1
    (x0, y0), (x1, y1) = (np.clip(one, 0, _CELLS).astype(int).T for one in (low, high))
    held = total[x1, y1] - total[x0, y1] - total[x1, y0] + total[x0, y0] > 0
    out = np.zeros(len(mesh.vertices), bool)
    # And all around these: strands turn with normals, which are of all polygons that meet.
    for _ in range(2):
        out[corners[held.repeat(sizes)]] = True
        held = np.logical_or.reduceat(out[corners], starts)
    return out
