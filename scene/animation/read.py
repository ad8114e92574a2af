"""The animation of a head as a ``Motion``: the way back from F-curves."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ...backend.errors import FaceError
from ...backend.exchange.motion import Motion
from ..actions import curves_on, is_animated
from ..armature.known import mover_of
from ..build import head_scene_of
from ..context import scene_of
from ..mesh import about, model_of
from ..shape_keys import editable_keys
from . import pose
from .apply import FOUND, LOST, frame_rate
from .curves import curves_by_name, shape_keys_of

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
    scene = scene or scene_of(bpy.context)
    first, last = frames or (scene.frame_start, scene.frame_end)
    if last < first:
        raise FaceError(f"There are no frames from {first} to {last}; change the scene's range.")
    keys = editable_keys(head)
    numbers = np.arange(first, last + 1)
    carrier = pose.carrier_of(head)
    camera = head_scene_of(head).camera
    simple = _only_action(shape_keys_of(head)) and not _moves(head)
    if with_pose:
        simple = simple and _readable(carrier) and not _moves(camera)
    moving = with_pose and any(_moves(thing) for thing in (head, carrier, camera))
    if simple:
        values = _from_curves(head, keys, numbers)
        worlds = _carrier_worlds(head, carrier, numbers) if moving else None
        cameras = None if camera is None else np.array(camera.matrix_world, np.float64)[None]
    else:
        values, worlds, cameras = _by_playing(head, keys, numbers, scene, camera)
        worlds, cameras = (worlds, cameras) if moving else (None, None)
    ranges = np.array([(key.slider_min, key.slider_max) for key in keys.values()])
    weights = np.clip(values, ranges[:, 0], ranges[:, 1])
    rotation = translation = None
    if worlds is not None:
        rotation, translation = pose.seen_from_camera(worlds, cameras)
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
        header={"source": head.name, "model": model_of(head)}
        | ({"image_size": known["image_size"]} if camera and "image_size" in known else {}),
    )


def _moves(thing: Any) -> bool:
    return thing is not None and (is_animated(thing) or bool(thing.constraints))


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
    curves = curves_by_name(head)
    out = np.empty((len(numbers), len(keys)))
    for column, (name, key) in enumerate(keys.items()):
        curve = curves.get(name)
        if curve is None or curve.mute:
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
    mover = mover_of(head)
    below = np.array(mover.matrix_parent_inverse @ mover.matrix_basis, np.float64)
    return local @ below


def _by_playing(
    head: bpy.types.Object,
    keys: dict[str, Any],
    numbers: NDArray,
    scene: bpy.types.Scene,
    camera: bpy.types.Object | None,
) -> tuple[Float, Float, Float | None]:
    """By going through the frames: slower, but with drivers, NLA and constraints.

    (N, E) values, (N, 4, 4) worlds of the head and of ``camera``.
    """
    was, part = scene.frame_current, scene.frame_subframe
    blocks = shape_keys_of(head).key_blocks
    values = np.empty((len(numbers), len(keys)))
    worlds = np.empty((len(numbers), 4, 4))
    cameras = None if camera is None else np.empty((len(numbers), 4, 4))
    try:
        for row, frame in enumerate(numbers):
            scene.frame_set(int(frame))
            for column, name in enumerate(keys):
                values[row, column] = blocks[name].value
            worlds[row] = np.array(head.matrix_world)
            if camera is not None and cameras is not None:
                cameras[row] = np.array(camera.matrix_world)
    finally:
        scene.frame_set(was, subframe=part)
    return values, worlds, cameras


def _valid(scene: bpy.types.Scene, head: bpy.types.Object, numbers: NDArray) -> NDArray[np.bool_]:
    names = {LOST.format(head.name): False, FOUND.format(head.name): True}
    marks = sorted((m.frame, names[m.name]) for m in scene.timeline_markers if m.name in names)
    out = np.ones(len(numbers), bool)
    for frame, seen in marks:
        out[numbers >= frame] = seen
    return out
