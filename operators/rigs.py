"""Cameras and lights of heads that were deleted go with them; hair learns of modifiers."""

from __future__ import annotations

import bpy

#: How many objects each scene had, by its session's number.
_counts: dict[int, int] = {}


@bpy.app.handlers.persistent
def _changed(scene: bpy.types.Scene, *_: object) -> None:
    """Something was changed: look whether objects are gone or a head has other modifiers, but not
    within Blender's update."""
    from ..scene.hair_surface import out_of_step

    count, key = len(scene.objects), scene.session_uid
    to_do = count < _counts.get(key, 0) or out_of_step()
    if to_do and not bpy.app.timers.is_registered(_clear):
        bpy.app.timers.register(_clear)
    _counts[key] = count


def _clear() -> None:
    from ..scene.hair_surface import hold, out_of_step
    from ..scene.rig import remove_left_behind

    remove_left_behind()
    for head in out_of_step():
        hold(head)


@bpy.app.handlers.persistent
def _loaded(*_: object) -> None:
    _counts.clear()


CLASSES = ()


def register_more() -> None:
    """Watch from now on."""
    bpy.app.handlers.depsgraph_update_post.append(_changed)
    bpy.app.handlers.load_pre.append(_loaded)


def unregister_more() -> None:
    """No longer."""
    bpy.app.handlers.depsgraph_update_post.remove(_changed)
    bpy.app.handlers.load_pre.remove(_loaded)
    if bpy.app.timers.is_registered(_clear):
        bpy.app.timers.unregister(_clear)
    _counts.clear()
