"""For animators: keys for groups, expressions blended in and held, mirrored animation, retargeting.

All of it works on the F-curves that are there, at frames, and by shape key name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ...backend.errors import FaceError
from ..actions import curves_on, value_path
from ..expression import GROUPS, driven_names, editable_keys, group_of, opposite
from .curves import copy_curve, curves_holder, drop, find_curve, new_action, set_aside

#: What :func:`retarget` may do where ranges differ.
FITS = ("clamp", "scale")


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
    data = head.data.shape_keys
    animation: Any = data.animation_data
    if animation is None or animation.action is None:
        new_action(data, f"{head.name} expression")
    elif animation.action.library is not None:
        raise FaceError(
            f"The animation of {head.name} is linked from another file; make it local first."
        )
    holder = curves_holder(data)
    for name in names:
        path = value_path(name)
        curve = find_curve(data, path) or holder.fcurves.new(path)
        key = keys[name]
        curve.keyframe_points.insert(frame, min(max(values[name], key.slider_min), key.slider_max))
        curve.update()
    return len(names)


def values_at(head: bpy.types.Object, frame: float) -> dict[str, float]:
    """Shape key name to its value at ``frame``: of its F-curve, or as it is now without one."""
    curves = {curve.data_path: curve for curve in curves_on(head.data.shape_keys)}
    out = {}
    for name, key in editable_keys(head).items():
        curve = curves.get(value_path(name))
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
    data = head.data.shape_keys
    for name in names:
        curve = find_curve(data, value_path(name))
        if curve is not None:
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
    """Swap the curves of left and right; how many moved.

    Raises :class:`FaceError` when there is no animation.
    """
    return _rename(head, _swapped, "mirror")


def symmetrise_animation(head: bpy.types.Object, side: str) -> int:
    """Give the other side the curves of ``side`` ("Left" or "Right"); how many were copied.

    What has no animation on ``side`` is left alone.  Raises :class:`FaceError` when there is none.
    """
    if side not in ("Left", "Right"):
        raise FaceError("Choose the side to copy from: Left or Right.")
    data = head.data.shape_keys
    editable_keys(head)
    sources = {
        name: curve for name in _names(head) if name.endswith(side)
        and (curve := find_curve(data, value_path(name))) is not None
        and opposite(name) in _names(head)
    }  # fmt: skip
    if not sources:
        raise FaceError(f"{head.name} has no animation on its {side.lower()} side; animate it.")
    holder = curves_holder(data)
    for name, curve in sources.items():
        old = find_curve(data, value_path(opposite(name)))
        if old is not None:
            holder.fcurves.remove(old)
            curve = find_curve(data, value_path(name))  # removing moves the others in memory
            assert curve is not None
        copy_curve(curve, data, value_path(opposite(name)), holder=holder)
    return len(sources)


def retarget(
    source: bpy.types.Object,
    target: bpy.types.Object,
    *,
    fit: str = "clamp",
    existing: str = "keep",
) -> tuple[int, tuple[str, ...]]:
    """The expression's animation of ``source`` on ``target``, by name, keyframes and handles alike.

    The number of curves, and the names that ``target`` lacks.  ``fit``: "clamp" copies values,
    which ``target``'s ranges then limit; "scale" multiplies them by the ratio of the upper ends.
    ``existing`` as in :func:`.apply.apply_motion`, without "merge".  The head's pose stays.

    Raises :class:`FaceError` when ``source`` has no animation, or no name in common.
    """
    if fit not in FITS:
        raise FaceError(f"'{fit}' is no choice; choose of {', '.join(FITS)}.")
    if source == target:
        raise FaceError("Choose another head to take the animation from.")
    theirs, ours = editable_keys(source), editable_keys(target)
    found = {
        name: curve for name in theirs
        if (curve := find_curve(source.data.shape_keys, value_path(name))) is not None
    }  # fmt: skip
    if not found:
        raise FaceError(f"{source.name} has no animation of its expression; choose another head.")
    common = [name for name in found if name in ours]
    if not common:
        raise FaceError(
            f"{source.name} and {target.name} have no shape key names in common; choose a head "
            "with ARKit's expressions."
        )
    data = target.data.shape_keys
    if existing == "replace":
        drop(data)
    else:
        set_aside(data)
    new_action(data, f"{target.name} expression")
    holder = curves_holder(data)
    for name in common:
        high, wanted = theirs[name].slider_max, ours[name].slider_max
        scale = wanted / high if fit == "scale" and high > 0 and wanted > 0 else 1.0
        copy_curve(found[name], data, value_path(name), scale=scale, holder=holder)
    return len(common), tuple(name for name in found if name not in ours)


def _names(head: bpy.types.Object) -> list[str]:
    return list(editable_keys(head))


def _swapped(name: str, names: list[str]) -> str:
    other = opposite(name)
    return other if other in names else name


def _rename(head: bpy.types.Object, rule: Any, doing: str) -> int:
    data = head.data.shape_keys
    names = _names(head)
    paths = {value_path(name): value_path(rule(name, names)) for name in names}
    found = [curve for curve in curves_on(data) if curve.data_path in paths]
    if not found:
        raise FaceError(f"{head.name} has no animation to {doing}; key or import one first.")
    moved = [curve for curve in found if paths[curve.data_path] != curve.data_path]
    for curve in moved:
        curve.data_path = paths[curve.data_path]
    return len(moved)


def curve_values(head: bpy.types.Object, name: str) -> NDArray[np.float32] | None:
    """(N, 2) frames and values of the keyframes of shape key ``name``; None without a curve."""
    curve = find_curve(head.data.shape_keys, value_path(name))
    if curve is None:
        return None
    out = np.empty(2 * len(curve.keyframe_points), np.float32)
    curve.keyframe_points.foreach_get("co", out)
    return out.reshape(-1, 2)
