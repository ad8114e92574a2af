"""Actions on shape keys, alike in all versions of Blender.

From Blender 4.4 on an action has slots, layers and strips, and 5.0 removed ``action.fcurves``.
Before, an action had F-curves of its own and one kind of data (``id_root``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import bpy

#: Whether actions have slots.
SLOTTED = bpy.app.version >= (4, 4, 0)


def value_path(name: str) -> str:
    """The data path of the value of the shape key ``name``, from the shape keys' data-block."""
    return f'key_blocks["{bpy.utils.escape_identifier(name)}"].value'


def new_key_action(name: str) -> bpy.types.Action:
    """A new, empty action for shape keys."""
    action: Any = bpy.data.actions.new(name)
    if SLOTTED:
        slot = action.slots.new("KEY", "Expression")
        strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
        strip.channelbag(slot, ensure=True)
    else:
        action.id_root = "KEY"
    return action


def new_curve(action: bpy.types.Action, path: str) -> bpy.types.FCurve:
    """A new F-curve at the data path ``path`` in an action of :func:`new_key_action`."""
    return _holder(action, key_slot(action)).fcurves.new(path)


def key_slot(action: bpy.types.Action) -> Any:
    """The slot for shape keys, None if there is none, or no such thing in this Blender."""
    slots = getattr(action, "slots", ()) if SLOTTED else ()
    return next((slot for slot in slots if slot.target_id_type == "KEY"), None)


def key_curves(action: bpy.types.Action) -> list[bpy.types.FCurve]:
    """The F-curves that ``action`` has for shape keys; none where it is for other data."""
    if not SLOTTED:
        return list(action.fcurves) if action.id_root == "KEY" else []
    slot = key_slot(action)
    return [] if slot is None else _curves(action, slot)


def assign(data: bpy.types.ID, action: bpy.types.Action) -> None:
    """Let ``action`` move ``data``, shape keys for instance."""
    animation: Any = data.animation_data or data.animation_data_create()
    animation.action = action
    if SLOTTED and animation.action_slot is None:
        # Blender chooses a slot by the data's name only, or when it was the last one's.
        animation.action_slot = next(iter(animation.action_suitable_slots), None)


def curves_on(data: bpy.types.ID) -> list[bpy.types.FCurve]:
    """The F-curves of the action that moves ``data`` now; none without one."""
    animation: Any = data.animation_data
    if animation is None or animation.action is None:
        return []
    if not SLOTTED:
        return list(animation.action.fcurves)
    return [] if animation.action_slot is None else _curves(animation.action, animation.action_slot)


def is_animated(data: bpy.types.ID) -> bool:
    """Whether keyframes, NLA strips or drivers move ``data``."""
    animation = data.animation_data
    return animation is not None and bool(
        curves_on(data) or animation.nla_tracks or animation.drivers
    )


def has_keyframe(data: bpy.types.ID, path: str, frame: float) -> bool:
    """Whether the F-curve of ``data`` at ``path`` has a keyframe at ``frame``."""
    return any(
        curve.data_path == path and any(abs(p.co.x - frame) < 0.01 for p in curve.keyframe_points)
        for curve in curves_on(data)
    )


def _holder(action: Any, slot: Any) -> Any:
    """What has ``fcurves``: the channelbag of ``slot``, or an old action itself."""
    return action.layers[0].strips[0].channelbag(slot, ensure=True) if SLOTTED else action


def _curves(action: Any, slot: Any) -> list[bpy.types.FCurve]:
    strips: Iterable[Any] = (strip for layer in action.layers for strip in layer.strips)
    bags = (strip.channelbag(slot) for strip in strips if strip.type == "KEYFRAME")
    return [curve for bag in bags if bag is not None for curve in bag.fcurves]
