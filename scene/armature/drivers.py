"""Drivers between bones and shape keys, one way or the other.

Their expressions are simple ones in Blender's sense: it computes them itself, also where scripts
may not run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import bpy

from ..actions import value_path
from .anatomy import Joints
from .controls import MOUTH_JAW, STEP_M, Channel
from .known import FOLLOW, GAZE

#: What a driver's variable reads of a bone.
_KINDS = {"location": "LOC", "rotation_euler": "ROT"}
_AXES = "XYZ"


def keys_follow(
    keys: bpy.types.Key,
    armature: bpy.types.Object,
    channels: Iterable[Channel],
    names: Mapping[str, str],
) -> None:
    """Let the shape keys of ``keys`` be what the bones do; ``names``: ARKit's to the shape key's.

    A weight is the movement over the channel's step, that of the bone above included, plus what the
    channel's two have in common, within 0..1.
    """
    for channel in channels:
        for name, step in zip((channel.plus, channel.minus), channel.steps, strict=True):
            own = names.get(name, "")
            if not own or own not in keys.key_blocks:
                continue
            keys.driver_remove(value_path(own))
            driver = keys.driver_add(value_path(own)).driver
            driver.type = "SCRIPTED"
            moved = _bone_variable(driver, "a", armature, channel.bone, channel)
            if channel.base:
                moved = (
                    f"({moved} + {_bone_variable(driver, 'b', armature, channel.base, channel)})"
                )
            shared = ""
            if channel.both:
                _path_variable(driver, "c", armature, _property(channel.bone, channel.both))
                shared = " + c"
            driver.expression = f"min(max({moved} / {step:.9g}, 0){shared}, 1)"


def bones_follow(
    armature: bpy.types.Object,
    keys: bpy.types.Key,
    channels: Iterable[Channel],
    names: Mapping[str, str],
) -> None:
    """Let the bones show what the shape keys are: the other way round."""
    for channel in channels:
        found = [
            (letter, names[name], step)
            for letter, name, step in zip(
                "ab", (channel.plus, channel.minus), channel.steps, strict=True
            )
            if name and names.get(name, "") in keys.key_blocks
        ]
        bone: Any = armature.pose.bones[channel.bone]
        bone.driver_remove(channel.path, channel.axis)
        if not found:
            continue
        driver = bone.driver_add(channel.path, channel.axis).driver
        driver.type = "SCRIPTED"
        for letter, own, _ in found:
            variable = driver.variables.new()
            variable.name = letter
            variable.targets[0].id_type, variable.targets[0].id = "KEY", keys
            variable.targets[0].data_path = value_path(own)
        driver.expression = " + ".join(f"{letter} * {step:.9g}" for letter, _, step in found)


def keys_free(keys: bpy.types.Key, channels: Iterable[Channel], names: Mapping[str, str]) -> None:
    """Take the drivers of :func:`keys_follow` off."""
    for channel in channels:
        for name in channel.names:
            if name in names:
                keys.driver_remove(value_path(names[name]))


def bones_free(armature: bpy.types.Object, channels: Iterable[Channel]) -> None:
    """Take the drivers of :func:`bones_follow` off."""
    for channel in channels:
        armature.pose.bones[channel.bone].driver_remove(channel.path, channel.axis)


def drive_bases(armature: bpy.types.Object, joints: Joints) -> None:
    """Let the board's jaw control move the bone above the jaw, and the gaze's property decide how
    far the eyes look at the target."""
    pose: Any = armature.pose.bones
    if MOUTH_JAW.bone in pose:
        base = pose["jaw_base"]
        box = Channel(MOUTH_JAW.bone, "location", 1, -STEP_M)
        _drive(base, "rotation_euler", 0, armature, box, joints.jaw_angle)
        if "jawLeft" in joints.jaw_moves:
            box = Channel(MOUTH_JAW.bone, "location", 0, STEP_M)
            _drive(base, "location", 0, armature, box, float(joints.jaw_moves["jawLeft"][0]))
    for letter in "LR":
        aim = pose.get(f"eye_aim.{letter}")
        track = None if aim is None else next(iter(aim.constraints), None)
        if track is not None:
            track.driver_remove("influence")
            driver = track.driver_add("influence").driver
            driver.type = "SCRIPTED"
            _path_variable(driver, "a", armature, _property(GAZE, FOLLOW))
            driver.expression = "a"


def _drive(
    bone: Any, path: str, axis: int, armature: bpy.types.Object, by: Channel, whole: float
) -> None:
    """``bone`` moves by ``whole`` where the bone of ``by`` moves by its step."""
    bone.driver_remove(path, axis)
    driver = bone.driver_add(path, axis).driver
    driver.type = "SCRIPTED"
    moved = _bone_variable(driver, "a", armature, by.bone, by)
    driver.expression = f"{moved} * {whole / by.step:.9g}"


def _bone_variable(
    driver: Any, letter: str, armature: bpy.types.Object, bone: str, channel: Channel
) -> str:
    """A variable that is the movement of ``bone`` at ``channel``, with its constraints."""
    variable = driver.variables.new()
    variable.name, variable.type = letter, "TRANSFORMS"
    target = variable.targets[0]
    target.id, target.bone_target = armature, bone
    target.transform_space, target.rotation_mode = "LOCAL_SPACE", "XYZ"
    target.transform_type = f"{_KINDS[channel.path]}_{_AXES[channel.axis]}"
    return letter


def _path_variable(driver: Any, letter: str, armature: bpy.types.Object, path: str) -> None:
    variable = driver.variables.new()
    variable.name = letter
    variable.targets[0].id, variable.targets[0].data_path = armature, path


def _property(bone: str, name: str) -> str:
    return f'pose.bones["{bone}"]["{name}"]'
