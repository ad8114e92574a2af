"""Bones for a head that is written for a target: those of ``scene/armature`` that programs need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import bpy

from ..armature.anatomy import joints_of, shape_of
from ..armature.known import ARMATURE
from ..armature.skeleton import editing, lay_bones
from ..armature.skin import BONE_NAMES, keep_skeleton, skinned, weigh

#: Unreal leaves a node of this name, which Blender writes above the bones, out of the skeleton.
NAME = "Armature"
#: What hair hangs on.
_HEAD = "head"


@contextmanager
def with_bones(head: bpy.types.Object, names: str) -> Iterator[bpy.types.Object]:
    """``head`` (a copy, at rest) with a skeleton of its own while in here; the armature.

    ``names``: a key of :data:`BONE_NAMES`.  Every vertex has weights that add up to 1: of "chest"
    (with a bust), "neck", "head", "jaw" and the two eyes.  Whether the head it is a copy of has an
    armature does not matter.  Raises :class:`ModelError` for a head without ``jawOpen``, whose
    joints cannot be told.
    """
    scene: Any = bpy.context.scene
    shape = shape_of(head)
    joints = joints_of(shape, head.name)
    data = bpy.data.armatures.new(NAME)
    armature = bpy.data.objects.new(NAME, data)
    scene.collection.objects.link(armature)
    try:
        with editing(armature) as bones:
            lay_bones(bones, shape, joints)
            keep_skeleton(bones)
        weigh(head, shape, joints)
        hold(armature, [head])
        head[ARMATURE] = armature
        with skinned(head, names):
            yield armature
    finally:
        if ARMATURE in head:
            del head[ARMATURE]
        bpy.data.batch_remove([armature, data])


def hold(armature: bpy.types.Object, things: Sequence[bpy.types.Object]) -> None:
    """Let ``armature`` deform ``things`` by their vertex groups and be their parent."""
    for thing in things:
        modifier: Any = thing.modifiers.new("Armature", "ARMATURE")
        modifier.object = armature
        thing.parent = armature


def hold_on_head(armature: bpy.types.Object, names: str, thing: bpy.types.Object) -> None:
    """Let ``thing`` (cards of hair) follow the head's bone as it is."""
    group = thing.vertex_groups.new(name=BONE_NAMES[names][_HEAD])
    group.add(range(len(thing.data.vertices)), 1.0, "REPLACE")
    hold(armature, [thing])
