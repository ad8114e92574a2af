"""The animation of a head as a ``Motion``: the way back from F-curves."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ...backend.errors import FaceError
from ...backend.exchange.motion import Motion
from ..actions import curves_on, value_path
from ..build import head_scene_of
from ..expression import editable_keys
from ..mesh import about
from . import pose
from .apply import FOUND, LOST, frame_rate

Float = NDArray[np.float64]


def read_motion(
    head: bpy.types.Object,
    frames: tuple[int, int] | None = None,
    scene: bpy.types.Scene | None = None,
    *,
    with_pose: bool = True,
) -> Motion:
    """How ``head`` moves from the first to the last of ``frames`` (the scene's), one a frame.

    Values are evaluated, with whatever interpolation, and within each shape key's range; what is
    not animated has the value it has now.  Second 0 is the first frame.  The pose is head to the
    head's camera, where either moves; frames between the markers of a lost face are not valid.

    Raises :class:`FaceError` when there are no such frames.
    """
    scene = scene or bpy.context.scene
    assert scene is not None
    first, last = frames or (scene.frame_start, scene.frame_end)
    if last < first:
        raise FaceError(f"There are no frames from {first} to {last}; change the scene's range.")
    keys = editable_keys(head)
    numbers = np.arange(first, last + 1)
    carrier = pose.carrier_of(head)
    camera = head_scene_of(head).camera
    simple = _only_action(head.data.shape_keys) and not _moves(head)
    if with_pose:
        simple = simple and _readable(carrier) and not _moves(camera)
    moving = with_pose and any(_moves(thing) for thing in (head, carrier, camera))
    if simple:
        values = _from_curves(head, keys, numbers)
        worlds = _carrier_worlds(head, carrier, numbers) if moving else None
    else:
        values, worlds = _by_playing(head, keys, numbers, scene, moving)
    ranges = np.array([(key.slider_min, key.slider_max) for key in keys.values()])
    weights = np.clip(values, ranges[:, 0], ranges[:, 1])
    rotation = translation = None
    if worlds is not None:
        rotation, translation = pose.seen_from_camera(worlds, camera)
    rate = frame_rate(scene)
    known = about(head)
    return Motion(
        times=(numbers - first) / rate,
        names=tuple(keys),
        weights=weights.astype(np.float32),
        rotation=rotation,
        translation=translation,
        valid=_valid(scene, head, numbers),
        frame_rate=rate,
        header={"source": head.name, "model": known.get("model", {}).get("name", "")}
        | ({"image_size": known["image_size"]} if camera and "image_size" in known else {}),
    )


def is_moving(head: bpy.types.Object) -> bool:
    """Whether anything animates the shape keys of ``head``, or the empty that carries it."""
    return any(_moves(x) for x in (head.data.shape_keys, head, pose.carrier_of(head)))


def _moves(thing: Any) -> bool:
    data = None if thing is None else thing.animation_data
    if data is None:
        return bool(thing is not None and getattr(thing, "constraints", None))
    return bool(curves_on(thing) or data.nla_tracks or data.drivers) or bool(
        getattr(thing, "constraints", None)
    )


def _only_action(thing: Any) -> bool:
    data = thing.animation_data
    return data is None or not (data.nla_tracks or data.drivers)


def _readable(carrier: Any) -> bool:
    """Whether the empty's place is in its own F-curves alone."""
    if carrier is None:
        return True
    plain = carrier.rotation_mode == "QUATERNION" and carrier.parent is None
    return plain and _only_action(carrier) and not carrier.constraints


def _from_curves(head: bpy.types.Object, keys: dict[str, Any], numbers: NDArray) -> Float:
    curves = {c.data_path: c for c in curves_on(head.data.shape_keys) if not c.mute}
    out = np.empty((len(numbers), len(keys)))
    for column, (name, key) in enumerate(keys.items()):
        curve = curves.get(value_path(name))
        if curve is None:
            out[:, column] = key.value
        else:
            out[:, column] = [curve.evaluate(float(frame)) for frame in numbers]
    return out


def _carrier_worlds(
    head: bpy.types.Object, carrier: bpy.types.Object | None, numbers: NDArray
) -> Float:
    """(N, 4, 4) worlds of ``head``, whose own transform does not move."""
    if carrier is None:
        return np.tile(np.array(head.matrix_world, np.float64), (len(numbers), 1, 1))
    curves = {(c.data_path, c.array_index): c for c in curves_on(carrier) if not c.mute}

    def channel(path: str, width: int) -> Float:
        now = getattr(carrier, path)
        out = np.empty((len(numbers), width))
        for axis in range(width):
            curve = curves.get((path, axis))
            out[:, axis] = (
                now[axis] if curve is None else [curve.evaluate(float(x)) for x in numbers]
            )
        return out

    local = pose.from_channels(channel("location", 3), channel("rotation_quaternion", 4))
    below = np.array(head.matrix_parent_inverse @ head.matrix_basis, np.float64)
    return local @ below


def _by_playing(
    head: bpy.types.Object,
    keys: dict[str, Any],
    numbers: NDArray,
    scene: bpy.types.Scene,
    moving: bool,
) -> tuple[Float, Float | None]:
    """By going through the frames: slower, but with drivers, NLA and constraints."""
    was, part = scene.frame_current, scene.frame_subframe
    values = np.empty((len(numbers), len(keys)))
    worlds = np.empty((len(numbers), 4, 4))
    try:
        for row, frame in enumerate(numbers):
            scene.frame_set(int(frame))
            for column, name in enumerate(keys):
                values[row, column] = head.data.shape_keys.key_blocks[name].value
            worlds[row] = np.array(head.matrix_world)
    finally:
        scene.frame_set(was, subframe=part)
    return values, worlds if moving else None


def _valid(scene: bpy.types.Scene, head: bpy.types.Object, numbers: NDArray) -> NDArray[np.bool_]:
    names = {LOST.format(head.name): False, FOUND.format(head.name): True}
    marks = sorted((m.frame, names[m.name]) for m in scene.timeline_markers if m.name in names)
    out = np.ones(len(numbers), bool)
    for frame, seen in marks:
        out[numbers >= frame] = seen
    return out
