"""For animators: keys for groups, expressions blended in and held, mirrored animation.

All of it works on the F-curves that are there, at frames, and by shape key name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import bpy

from ...backend.errors import FaceError
from ..actions import value_path
from ..expression import GROUPS, SIDES, group_of, opposite, partner
from ..shape_keys import driven_names, editable_keys
from .curves import copy_curve, curves_by_name, curves_holder, new_action, shape_keys_of


def key_groups(head: bpy.types.Object, groups: Iterable[str], frame: float) -> int:
    """A keyframe at ``frame`` for every shape key of ``groups``, as it is now; their number.

    Groups are those of :data:`.expression.GROUPS`.  Shape keys that a driver moves are left out.
    Raises :class:`FaceError` when nothing is left.
    """
    wanted = set(groups)
    if not wanted or wanted - set(GROUPS):
        raise FaceError(f"Choose one or more groups of {', '.join(GROUPS)}.")
    values = {n: key.value for n, key in editable_keys(head).items() if group_of(n) in wanted}
    return key_values(head, values, frame)


def key_values(head: bpy.types.Object, values: Mapping[str, float], frame: float) -> int:
    """Keyframes with ``values`` at ``frame``, the sliders being left as they are; their number.

    Raises :class:`FaceError` when no name is a shape key of ``head`` that can be keyed.
    """
    keys, driven = editable_keys(head), driven_names(head)
    names = [name for name in values if name in keys and name not in driven]
    if not names:
        raise FaceError(
            f"{head.name} has none of these shape keys, or drivers move them; choose others."
        )
    data = shape_keys_of(head)
    animation: Any = data.animation_data
    if animation is None or animation.action is None:
        new_action(data, f"{head.name} expression")
    elif animation.action.library is not None:
        raise FaceError(
            f"The animation of {head.name} is linked from another file; make it local first."
        )
    holder, curves = curves_holder(data), curves_by_name(head)
    for name in names:
        curve = curves.get(name) or holder.fcurves.new(value_path(name))
        key = keys[name]
        curve.keyframe_points.insert(frame, min(max(values[name], key.slider_min), key.slider_max))
        curve.update()
    return len(names)


def values_at(head: bpy.types.Object, frame: float) -> dict[str, float]:
    """Shape key name to its value at ``frame``: of its F-curve, or as it is now without one."""
    curves = curves_by_name(head)
    out = {}
    for name, key in editable_keys(head).items():
        curve = curves.get(name)
        out[name] = key.value if curve is None or curve.mute else curve.evaluate(frame)
    return out


def blend_and_hold(
    head: bpy.types.Object,
    values: Mapping[str, float],
    frame: float,
    *,
    blend: float = 6.0,
    hold: float = 12.0,
    blend_out: float | None = None,
    strength: float = 1.0,
) -> int:
    """An expression that comes, stays and goes again; the number of shape keys that move.

    From ``frame`` on it comes within ``blend`` frames, is held for ``hold`` frames, and goes within
    ``blend_out`` (``blend``) frames to what was there.  Only the names in ``values`` move;
    ``strength`` 1 is the expression, 0 nothing.  Keyframes that lie between are removed.

    Raises as :func:`key_values`, and :class:`FaceError` for lengths below zero.
    """
    leave = blend if blend_out is None else blend_out
    if min(blend, hold, leave) < 0:
        raise FaceError("Frames to blend and to hold are numbers from 0 on.")
    ends = (frame, frame + blend + hold + leave)
    before, after = values_at(head, ends[0]), values_at(head, ends[1])
    names = [name for name in values if name in before]
    target = {n: before[n] + strength * (values[n] - before[n]) for n in names}
    for name, curve in curves_by_name(head).items():
        if name in names:
            _clear(curve, *ends)
    steps: dict[float, Mapping[str, float]] = {ends[0]: {n: before[n] for n in names}}
    steps[ends[1]] = {n: after[n] for n in names}
    steps[frame + blend] = steps[frame + blend + hold] = target
    count = 0
    for at in sorted(steps):
        count = key_values(head, steps[at], at)
    return count


def _clear(curve: bpy.types.FCurve, first: float, last: float) -> None:
    for point in reversed(list(curve.keyframe_points)):
        if first - 1e-3 <= point.co.x <= last + 1e-3:
            curve.keyframe_points.remove(point, fast=True)
    curve.update()


def mirror_animation(head: bpy.types.Object) -> int:
    """Swap the curves of left and right; how many moved.  The head's pose stays.

    Raises :class:`FaceError` when there is no animation.
    """
    curves = curves_by_name(head)
    if not curves:
        raise FaceError(f"{head.name} has no animation to mirror; key or import one first.")
    keys = editable_keys(head)
    moved = {name: opposite(name) for name in curves if opposite(name) in keys}
    moved = {name: other for name, other in moved.items() if name != other}
    for name, other in moved.items():
        curves[name].data_path = value_path(other)
    return len(moved)


def symmetrise_animation(head: bpy.types.Object, side: str) -> int:
    """Give the other side the curves of ``side`` ("Left" or "Right"); how many were copied.

    As in symmetric editing: eyes look to the same side, a jaw moved aside stays as it is.  What has
    no animation on ``side`` is left alone.  Raises :class:`FaceError` when there is none.
    """
    if side not in SIDES:
        raise FaceError("Choose the side to copy from: Left or Right.")
    keys = editable_keys(head)
    pairs = {
        name: partner(name)
        for name in curves_by_name(head)
        if name.endswith(side) and partner(name) != name and partner(name) in keys
    }
    if not pairs:
        raise FaceError(f"{head.name} has no animation on its {side.lower()} side; animate it.")
    data, curves = shape_keys_of(head), curves_by_name(head)
    holder = curves_holder(data)
    for name, other in pairs.items():
        if other in curves:
            holder.fcurves.remove(curves[other])
        copy_curve(curves[name], data, value_path(other), holder=holder)
    return len(pairs)
