"""Looks, limits and constraints of the bones."""

from __future__ import annotations

from typing import Any

import bpy

from . import shapes
from .anatomy import Joints
from .controls import Channel, Control
from .known import BOARD, DEFORMING, DRIVING, FOLLOW, GAZE
from .skeleton import COLUMN_M, ROW_M, box_of

#: The half width of a box in which a handle goes up and down only.
_NARROW_M = 0.006
_LEFT, _RIGHT, _MIDDLE, _BODY, _FRAME = "THEME04", "THEME01", "THEME09", "THEME03", "CUSTOM"
#: Frames and labels, on Blender's dark ground and on a light one.
_GREY = (0.62, 0.62, 0.62)
_COLOURS = {"L": _LEFT, "R": _RIGHT, "": _MIDDLE}
_SHARED = "What the two opposite movements of this axis have in common: both at once"
#: The bones' collections, in order, and whether they are shown.
_COLLECTIONS = {"Body": True, "Face": True, "Board": True, "Mechanism": False}


def dress(
    armature: bpy.types.Object, controls: list[Control], channels: list[Channel], joints: Joints
) -> None:
    """Give the bones of ``armature`` looks and collections, and the limits of ``channels``."""
    pose: Any = armature.pose.bones
    for bone in pose:
        bone.rotation_mode = "XYZ"
    for control in controls:
        _dress_control(pose, control)
    _dress_body(pose)
    _dress_board(pose[BOARD], controls)
    _dress_eyes(pose, joints)
    for channel in channels:
        bone = pose[channel.bone]
        if channel.both:
            bone[channel.both] = 0.0
            bone.id_properties_ui(channel.both).update(min=0.0, max=1.0, description=_SHARED)
        if channel.bone in DRIVING:
            limit_bone(bone, channel)
    _lock_unused(pose, channels)
    _sort(armature)


def limit_bone(bone: Any, channel: Channel) -> None:
    """Stop ``bone`` where the shape keys of ``channel`` are at 1; other axes of its limit stay."""
    kind = "LIMIT_LOCATION" if channel.path == "location" else "LIMIT_ROTATION"
    limit = next((one for one in bone.constraints if one.type == kind), None)
    limit = limit or bone.constraints.new(kind)
    limit.owner_space, limit.use_transform_limit = "LOCAL", True
    way, ends = "xyz"[channel.axis], channel.limits
    if kind == "LIMIT_LOCATION":
        setattr(limit, f"use_min_{way}", True)
        setattr(limit, f"use_max_{way}", True)
    else:
        setattr(limit, f"use_limit_{way}", True)
    setattr(limit, f"min_{way}", ends[0])
    setattr(limit, f"max_{way}", ends[1])


def _dress_control(pose: Any, control: Control) -> None:
    bone = pose[control.bone]
    free = {channel.axis: channel.limits for channel in control.channels}
    for channel in control.channels:
        limit_bone(bone, channel)
    bone.lock_location = tuple(axis not in free for axis in range(3))
    bone.lock_rotation = bone.lock_scale = (True, True, True)
    low, high = _frame(control)
    frame = shapes.box(f"WGT {box_of(control)}", low, high, control.label)
    _look(pose[box_of(control)], frame, _FRAME)
    _look(
        bone, shapes.circle("WGT handle", 0.0055, axis=2), _COLOURS[control.bone.partition(".")[2]]
    )


def _frame(control: Control) -> tuple[tuple[float, float], tuple[float, float]]:
    """The lowest and the highest corner of the box of ``control``."""
    free = {channel.axis: channel.limits for channel in control.channels}
    (x0, x1), (y0, y1) = (free.get(axis, (-_NARROW_M, _NARROW_M)) for axis in (0, 1))
    return (x0, y0), (x1, y1)


def _dress_body(pose: Any) -> None:
    _look(pose["root"], shapes.circle("WGT root", 0.12, axis=2), _BODY)
    for name, radius in zip(DEFORMING, (0.16, 0.11, 0.13), strict=True):
        if name in pose:
            _look(pose[name], shapes.circle(f"WGT {name}", radius, axis=1), _BODY)
            pose[name].custom_shape_translation = (0.0, pose[name].length / 2, 0.0)
            pose[name].lock_location = (True, True, True)
    _look(pose["jaw"], shapes.sphere("WGT jaw", 0.012), _MIDDLE)
    pose["jaw"].custom_shape_translation = (0.0, pose["jaw"].length + 0.014, 0.0)


def _dress_board(board: Any, controls: list[Control]) -> None:
    columns = [control.column for control in controls]
    rows = [control.row for control in controls]
    edge = 0.75
    low = ((min(columns) - edge) * COLUMN_M, -(max(rows) + edge) * ROW_M)
    high = ((max(columns) + edge) * COLUMN_M, (edge - min(rows)) * ROW_M)
    _look(board, shapes.box("WGT board", low, high, "", crossed=False), _FRAME)


def _dress_eyes(pose: Any, joints: Joints) -> None:
    if not joints.eyes:
        return
    target = pose[GAZE]
    target[FOLLOW] = 1.0
    target.id_properties_ui(FOLLOW).update(
        min=0.0, max=1.0, description="How far the eyes look at this target"
    )
    _look(target, shapes.box("WGT gaze", (-0.055, -0.025), (0.055, 0.025), "gaze"), _MIDDLE)
    for letter in "LR":
        aim, eye, seen = (pose[f"{name}.{letter}"] for name in ("eye_aim", "eye", "gaze"))
        track = aim.constraints.new("DAMPED_TRACK")
        track.target, track.subtarget, track.track_axis = aim.id_data, seen.name, "TRACK_Y"
        _look(eye, shapes.circle("WGT eye", 0.009, axis=1), _COLOURS[letter])
        eye.custom_shape_translation = (0.0, 3 * joints.eye_radius, 0.0)
        _look(seen, shapes.circle("WGT gaze eye", 0.012, axis=2), _COLOURS[letter])
        seen.lock_rotation = (True, True, True)


def _lock_unused(pose: Any, channels: list[Channel]) -> None:
    """Lock what moves nothing of jaw and eyes."""
    for name in DRIVING:
        if name not in pose:
            continue
        mine = [channel for channel in channels if channel.bone == name]
        for path, lock in (("location", "lock_location"), ("rotation_euler", "lock_rotation")):
            free = {channel.axis for channel in mine if channel.path == path}
            setattr(pose[name], lock, tuple(axis not in free for axis in range(3)))
        pose[name].lock_scale = (True, True, True)


def _look(bone: Any, shape: bpy.types.Object, palette: str) -> None:
    bone.custom_shape, bone.use_custom_shape_bone_size = shape, False
    bone.color.palette = palette
    if palette == _FRAME:
        bone.color.custom.normal = bone.color.custom.select = bone.color.custom.active = _GREY


def _sort(armature: bpy.types.Object) -> None:
    """Bones into collections by what they are for."""
    data: Any = armature.data
    groups = {name: data.collections.new(name) for name in _COLLECTIONS}
    for bone in data.bones:
        if bone.name in (*DEFORMING, "root"):
            group = "Body"
        elif bone.name in DRIVING or bone.name.startswith(GAZE):
            group = "Face"
        elif bone.name.startswith(("jaw_base", "eye_aim")):
            group = "Mechanism"
        else:
            group = "Board"
            bone.hide_select = "_box" in bone.name
        groups[group].assign(bone)
    for name, shown in _COLLECTIONS.items():
        groups[name].is_visible = shown
