"""Eyes, teeth, tongue and lashes as objects of their own, which share the head's mesh.

A part is another object of the same mesh, of which a Mask modifier shows that part, as another
hides it on the head.  So one set of shape keys moves all, a new fit reaches all, and nothing has to
be joined again.  A part can be hidden, moved, or have modifiers of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from ..backend.errors import ModelError
from .hair_surface import copy_modifiers, hold
from .placing import let_go
from .vertex_groups import fill_group, vertices_by_kind

#: Custom property of a part: its head.
TAG = "reconstruct_face_part_of"
#: Name of a part to the kinds of material that it has.
PARTS = {
    "eyes": ("eye", "iris", "cornea", "tear"),
    "teeth": ("teeth",),
    "tongue": ("tongue",),
    "lashes": ("lashes",),
}
#: The vertex group with all parts, and the name of the Mask modifiers.
_ALL, MASK = "parts", "Parts"


def add_parts(head: bpy.types.Object) -> list[bpy.types.Object]:
    """Make the parts of ``head`` objects of their own, named after it; those that were made.

    Raises :class:`ModelError` where it has none to be told by its materials, or has them already.
    """
    if parts_of(head):
        raise ModelError(f"The parts of {head.name} are objects already.")
    found = {name: part for name in PARTS if (part := _vertices(head, name)).any()}
    if not found:
        raise ModelError(f"{head.name} has no eyes, teeth or lashes that its materials tell.")
    whole = np.zeros(len(head.data.vertices), bool)
    for name, part in found.items():
        fill_group(head, name, part.astype(float))
        whole |= part
    fill_group(head, _ALL, whole.astype(float))
    made = []
    for name in found:
        part = bpy.data.objects.new(f"{head.name} {name}", head.data)
        part[TAG], part.parent = head, head
        for collection in head.users_collection:
            collection.objects.link(part)
        copy_modifiers(head, part)
        part.matrix_parent_inverse = part.matrix_basis = Matrix.Identity(4)
        _mask(part, name)
        made.append(part)
    _mask(head, _ALL).invert_vertex_group = True
    return made


def remove_parts(head: bpy.types.Object) -> int:
    """Put the parts of ``head`` back into it; how many there were."""
    parts = parts_of(head)
    for part in parts:
        let_go(part)
    bpy.data.batch_remove(parts)
    for mask in _masks(head):
        head.modifiers.remove(mask)
    group = head.vertex_groups.get(_ALL)
    if group is not None:
        head.vertex_groups.remove(group)
    return len(parts)


def parts_of(head: bpy.types.Object) -> list[bpy.types.Object]:
    """The objects that are parts of ``head``."""
    return [x for x in bpy.data.objects if x.get(TAG) == head and x.users_collection]


def follow_armature(head: bpy.types.Object) -> None:
    """Let the parts of ``head``, and what its hair is held by, be deformed by the armatures that
    deform it, and by no other."""
    hold(head)
    for part in parts_of(head):
        for modifier in [m for m in part.modifiers if m.type == "ARMATURE"]:
            part.modifiers.remove(modifier)
        for index, modifier in enumerate(m for m in head.modifiers if m.type == "ARMATURE"):
            own = part.modifiers.new(modifier.name, "ARMATURE")
            own.object = modifier.object
            part.modifiers.move(len(part.modifiers) - 1, index)


@contextmanager
def whole(head: bpy.types.Object) -> Iterator[None]:
    """``head`` with its parts for the while, for what looks at that object alone."""
    masks = [mask for mask in _masks(head) if mask.show_viewport or mask.show_render]
    shown = [(mask.show_viewport, mask.show_render) for mask in masks]
    for mask in masks:
        mask.show_viewport = mask.show_render = False
    try:
        yield
    finally:
        for mask, was in zip(masks, shown, strict=True):
            mask.show_viewport, mask.show_render = was


def _vertices(head: bpy.types.Object, name: str) -> np.ndarray:
    """(V,) the vertices of the part ``name``."""
    mesh = head.data
    assert isinstance(mesh, bpy.types.Mesh)
    kinds = vertices_by_kind(mesh)
    none = np.zeros(len(mesh.vertices), bool)
    return np.logical_or.reduce([none, *(kinds[kind] for kind in PARTS[name] if kind in kinds)])


def _mask(thing: bpy.types.Object, group: str) -> Any:
    """A Mask modifier on ``thing``, before its subdivision, so that nothing hidden is divided."""
    mask: Any = thing.modifiers.new(MASK, "MASK")
    mask.vertex_group = group
    first = next((i for i, m in enumerate(thing.modifiers) if m.type == "SUBSURF"), None)
    if first is not None:
        thing.modifiers.move(len(thing.modifiers) - 1, first)
    return mask


def _masks(head: bpy.types.Object) -> list[Any]:
    masks: list[Any] = [m for m in head.modifiers if m.type == "MASK"]
    return [mask for mask in masks if mask.vertex_group == _ALL]
