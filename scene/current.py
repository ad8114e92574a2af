"""Which head the panels and buttons are about."""

from __future__ import annotations

import bpy

from .mesh import is_head
from .photo_cameras import has_camera
from .rig import rig_of


def current_head(context: bpy.types.Context) -> bpy.types.Object | None:
    """The active head; of an active camera, light or rig of ours the head that it belongs to; else
    the only head of the scene.  None where there is no telling.
    """
    active = context.active_object
    if is_head(active):
        return active
    scene = context.scene
    if scene is None:
        return None
    heads = [thing for thing in scene.objects if is_head(thing)]
    if active is not None:
        for head in heads:
            rig = rig_of(head)
            on_rig = rig is not None and rig in (active, active.parent)
            if on_rig or has_camera(head, active):
                return head
    return heads[0] if len(heads) == 1 else None
