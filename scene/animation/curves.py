"""Actions and F-curves in all versions of Blender, written and read as arrays.

Up to Blender 4.3 an action has F-curves of its own; from 4.4 on it has a slot for every kind of
data, and the F-curves are in the slot's channelbag.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import bpy
import numpy as np
from numpy.typing import NDArray

from ..actions import SLOTTED, curves_on, value_path
from ..shape_keys import editable_keys

#: Numbers of the enumerations, which is what ``foreach_set`` takes; the same in all versions.
LINEAR, AUTO_CLAMPED = 1, 4
_ENUMS = ("interpolation", "easing", "handle_left_type", "handle_right_type", "type")
_FLOATS = (("co", 2), ("handle_left", 2), ("handle_right", 2), ("amplitude", 1), ("back", 1),
           ("period", 1))  # fmt: skip


def shape_keys_of(head: bpy.types.Object) -> bpy.types.Key:
    """The data-block of ``head``'s shape keys, which F-curves belong to.

    Raises as :func:`..expression.editable_keys`.
    """
    editable_keys(head)
    return cast(bpy.types.Key, head.data.shape_keys)


def curves_by_name(head: bpy.types.Object) -> dict[str, bpy.types.FCurve]:
    """Shape key name to the F-curve that moves it, of those that have one."""
    curves = {curve.data_path: curve for curve in curves_on(shape_keys_of(head))}
    paths = {name: value_path(name) for name in editable_keys(head)}
    return {name: curves[path] for name, path in paths.items() if path in curves}


def new_action(data: bpy.types.ID, name: str) -> bpy.types.Action:
    """A new, empty action that moves ``data`` from now on; what moved it before is let go."""
    action: Any = bpy.data.actions.new(name)
    animation: Any = data.animation_data or data.animation_data_create()
    if SLOTTED:
        slot = action.slots.new(data.id_type, data.name)
        action.layers.new("Layer").strips.new(type="KEYFRAME").channelbag(slot, ensure=True)
        animation.action = action
        animation.action_slot = slot
    else:
        action.id_root = data.id_type
        animation.action = action
    return action


def curves_holder(data: bpy.types.ID) -> Any:
    """What has the ``fcurves`` of the action that moves ``data``, which must have one."""
    animation: Any = data.animation_data
    action = animation.action
    if not SLOTTED:
        return action
    if animation.action_slot is None:
        animation.action_slot = action.slots.new(data.id_type, data.name)
    slot = animation.action_slot
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(slot, ensure=True)


def remove_curves(data: bpy.types.ID, paths: Iterable[str]) -> int:
    """Remove the F-curves of ``data`` at ``paths``; their number."""
    wanted = set(paths)
    found = [curve for curve in curves_on(data) if curve.data_path in wanted]
    if found:
        holder = curves_holder(data)
        for curve in found:
            holder.fcurves.remove(curve)
    return len(found)


def add_curve(
    data: bpy.types.ID,
    path: str,
    frames: NDArray[np.floating],
    values: NDArray[np.floating],
    *,
    index: int = 0,
    holder: Any = None,
) -> bpy.types.FCurve:
    """A new F-curve of ``data``'s action: straight lines through ``values`` at ``frames``, (N,).

    There must be none at ``path`` and ``index`` yet.  Handles are automatic, for when the user
    changes the interpolation.
    """
    holder = holder or curves_holder(data)
    curve = holder.fcurves.new(path, index=index)
    count = len(frames)
    points = curve.keyframe_points
    points.add(count)
    corners = np.empty((count, 2), np.float32)
    corners[:, 0], corners[:, 1] = frames, values
    points.foreach_set("co", corners.ravel())
    points.foreach_set("interpolation", np.full(count, LINEAR, np.int32))
    for handle in ("handle_left_type", "handle_right_type"):
        points.foreach_set(handle, np.full(count, AUTO_CLAMPED, np.int32))
    curve.update()
    return curve


def copy_curve(
    curve: bpy.types.FCurve,
    data: bpy.types.ID,
    path: str,
    *,
    scale: float = 1.0,
    holder: Any = None,
) -> bpy.types.FCurve:
    """``curve`` with its handles, interpolation and extrapolation as a new one of ``data``.

    ``scale`` multiplies the values.
    """
    holder = holder or curves_holder(data)
    new = holder.fcurves.new(path, index=curve.array_index)
    count = len(curve.keyframe_points)
    new.keyframe_points.add(count)
    for name, width in _FLOATS:
        values = np.empty(count * width, np.float32)
        curve.keyframe_points.foreach_get(name, values)
        if width == 2:
            values[1::2] *= scale
        new.keyframe_points.foreach_set(name, values)
    for name in _ENUMS:
        numbers = np.empty(count, np.int32)
        curve.keyframe_points.foreach_get(name, numbers)
        new.keyframe_points.foreach_set(name, numbers)
    new.extrapolation = curve.extrapolation
    new.mute = curve.mute
    new.update()
    return new


def set_aside(data: bpy.types.ID) -> bpy.types.Action | None:
    """Let the action of ``data`` go but keep it in the file; None where there is none."""
    animation: Any = data.animation_data
    if animation is None or animation.action is None:
        return None
    action = animation.action
    action.use_fake_user = True
    animation.action = None
    return action


def drop(data: bpy.types.ID) -> None:
    """Let the action of ``data`` go, and remove it when nothing else uses it."""
    animation: Any = data.animation_data
    if animation is None or animation.action is None:
        return
    action = animation.action
    animation.action = None
    if action.users == 0 and action.library is None and action.asset_data is None:
        bpy.data.actions.remove(action)
