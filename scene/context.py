"""Parts of Blender's context that are there for certain where an operator or a panel asks.

Type stubs say of each that it may be missing.
"""

from __future__ import annotations

from typing import cast

import bpy


def head_of(context: bpy.types.Context) -> bpy.types.Object:
    """:func:`~.current.current_head`, where ``poll`` has seen to it that there is one."""
    from .current import current_head  # registering needs none of its modules

    return cast(bpy.types.Object, current_head(context))


def scene_of(context: bpy.types.Context) -> bpy.types.Scene:
    """The current scene."""
    return cast(bpy.types.Scene, context.scene)


def area_of(context: bpy.types.Context) -> bpy.types.Area | None:
    """The area the user is in; None for scripts, timers and in background mode."""
    return cast("bpy.types.Area | None", context.area)


def view_of(area: bpy.types.Area) -> bpy.types.SpaceView3D:
    """The 3D view that ``area``, which is one, shows."""
    return cast(bpy.types.SpaceView3D, area.spaces.active)
