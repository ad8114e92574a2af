"""Which head the panels and buttons are about."""

from __future__ import annotations

import bpy

from .armature.known import head_of_armature
from .mesh import is_head
from .parts import TAG as PART
from .photo_cameras import has_camera
from .rig import rig_of


def current_head(context: bpy.types.Context) -> bpy.types.Object | None:
    """The active head; of an active camera, light, rig or part of ours the head that it belongs
    to; else the only head of the scene.  None where there is no telling.
    """
    active = context.active_object
    if is_head(active):
        return active
    part_of = None if active is None else active.get(PART)
    if is_head(part_of):
        return part_of
    scene = context.scene
    if scene is None:
        return None
    heads = [thing for thing in scene.objects if is_head(thing)]
    if active is not None:
        for head in heads:
            rig = rig_of(head)
            on_rig = rig is not None and rig in (active, active.parent)
            if on_rig or has_camera(head, active) or head_of_armature(active) == head:
                return head
    return heads[0] if len(heads) == 1 else None
