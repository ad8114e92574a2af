"""A ``Motion`` on the bones of a head's armature, where they lead: face, neck and head."""

from __future__ import annotations

from collections.abc import Mapping

import bpy
import numpy as np
from numpy.typing import NDArray

from ...backend.exchange.motion import Motion
from ...backend.geometry.rotation import FACING, from_quaternions, to_quaternions
from ...backend.motion.simplify import simplify
from ..armature.controls import Channel, values_of_channels
from ..armature.lead import Movable, leave_target
from ..coordinates import HEAD_TO_BLENDER, camera_to_blender
from .curves import add_curve, curves_holder

Float = NDArray[np.float64]

#: Bones that turn with the head, and which part of the way each is turned up to there: the lower
#: neck takes a good third of what a nod or a turn is (by eye).
_TURNED = {"neck": 0.4, "head": 1.0}
#: A curve of turns may be off by so much where curves are simplified: 0.1 degrees.
_TURN_TOLERANCE = 0.0017


def face_paths(moved: Movable, names: Mapping[str, str]) -> list[str]:
    """The data paths that :func:`write_face` writes for the shape keys in ``names``' values."""
    out = []
    for channel in _channels(moved, names):
        out.append(_path(channel))
        if channel.both:
            out.append(_property(channel))
    return out


def turn_paths(armature: bpy.types.Object) -> list[str]:
    """The data paths that :func:`write_turn` writes."""
    return [f'pose.bones["{name}"].rotation_euler' for name in _TURNED if name in _bones(armature)]


def write_face(
    moved: Movable,
    motion: Motion,
    frames: Float,
    names: Mapping[str, str],
    tolerance: float,
) -> int:
    """Curves of the bones for the weights of ``motion``, one value a frame of ``frames`` (N,).

    ``names``: the motion's to the shape key's, of those that the bones move.  ``tolerance`` is of a
    weight.  The eyes leave their target.  The armature has an action without curves at
    :func:`face_paths`.  Returns the number of keyframes.
    """
    arkit = {own: name for name, own in moved.names.items()}
    weights = {
        arkit[own]: np.clip(motion.weights[:, motion.names.index(name)].astype(np.float64), 0, 1)
        for name, own in names.items()
    }
    holder, count = curves_holder(moved.armature), 0
    if any(name.startswith("eyeLook") for name in weights):
        leave_target(moved.armature)
    values = values_of_channels(_channels(moved, names), weights)
    for channel, (places, shared) in values.items():
        told = [(_path(channel), channel.axis, places, abs(channel.step))]
        if channel.both:
            told.append((_property(channel), 0, shared, 1.0))
        for path, axis, curve, unit in told:
            one = np.broadcast_to(curve, frames.shape)
            index = simplify(frames, one, tolerance * unit) if tolerance else slice(None)
            count += len(frames[index])
            add_curve(moved.armature, path, frames[index], one[index], index=axis, holder=holder)
    return count


def write_turn(armature: bpy.types.Object, turns: Float, frames: Float, tolerance: float) -> int:
    """Curves of neck and head for ``turns`` (N, 3, 3), as :func:`turns_of` gives them; the number
    of keyframes."""
    holder, count = curves_holder(armature), 0
    for name, eulers in eulers_of(armature, turns).items():
        armature.pose.bones[name].rotation_mode = "XYZ"
        for axis in range(3):
            one = eulers[:, axis]
            index = simplify(frames, one, _TURN_TOLERANCE) if tolerance else slice(None)
            count += len(frames[index])
            path = f'pose.bones["{name}"].rotation_euler'
            add_curve(armature, path, frames[index], one[index], index=axis, holder=holder)
    return count


def turn_bones(armature: bpy.types.Object, turn: Float) -> None:
    """Turn neck and head of ``armature`` so that the head is turned by ``turn`` (3, 3)."""
    for name, euler in eulers_of(armature, turn[None]).items():
        bone = armature.pose.bones[name]
        bone.rotation_mode, bone.rotation_euler = "XYZ", euler[0].tolist()


def turns_of(motion: Motion) -> Float:
    """(N, 3, 3) how the head turns, in its own axes in Blender.

    From facing the camera on, or where the motion has a place too, from its first frame on.
    """
    assert motion.rotation is not None
    if motion.translation is None:
        return HEAD_TO_BLENDER @ FACING.T @ motion.rotation @ HEAD_TO_BLENDER.T
    seen = np.stack(
        [camera_to_blender(r, t) for r, t in zip(motion.rotation, motion.translation, strict=True)]
    )[:, :3, :3]
    return seen[0] @ seen.transpose(0, 2, 1)


def eulers_of(armature: bpy.types.Object, turns: Float) -> dict[str, Float]:
    """(N, 3) XYZ angles by bone of neck and head that make ``turns`` (N, 3, 3) of the head."""
    out, above = {}, np.tile(np.eye(3), (len(turns), 1, 1))
    for name, part in _TURNED.items():
        if name not in _bones(armature):
            continue
        rest = np.array(_bones(armature)[name].matrix_local, np.float64)[:3, :3]
        whole = _parts(turns, part)
        own = rest.T @ above.transpose(0, 2, 1) @ whole @ rest
        out[name] = _to_euler(own)
        above = whole
    return out


def _parts(turns: Float, part: float) -> Float:
    """``part`` of the way from no turn to each of ``turns``, about the same axis."""
    if part == 1.0:
        return turns
    q = to_quaternions(turns)
    q = np.where(q[:, :1] < 0, -q, q)
    half = np.arctan2(np.linalg.norm(q[:, 1:], axis=1), q[:, 0])
    axis = q[:, 1:] / np.maximum(np.sin(half), 1e-12)[:, None]
    scaled = np.column_stack([np.cos(part * half), np.sin(part * half)[:, None] * axis])
    return from_quaternions(scaled)


def _to_euler(turns: Float) -> Float:
    """(N, 3) angles x, y, z of (N, 3, 3), turned about x first (Blender's XYZ)."""
    y = -np.arcsin(np.clip(turns[:, 2, 0], -1, 1))
    x = np.arctan2(turns[:, 2, 1], turns[:, 2, 2])
    z = np.arctan2(turns[:, 1, 0], turns[:, 0, 0])
    return np.unwrap(np.column_stack([x, y, z]), axis=0)


def _channels(moved: Movable, names: Mapping[str, str]) -> list[Channel]:
    wanted = set(names.values())
    return [
        channel
        for channel in moved.channels
        if any(moved.names.get(name) in wanted for name in channel.names)
    ]


def _bones(armature: bpy.types.Object) -> bpy.types.ArmatureBones:
    assert isinstance(armature.data, bpy.types.Armature)
    return armature.data.bones


def _path(channel: Channel) -> str:
    return f'pose.bones["{channel.bone}"].{channel.path}'


def _property(channel: Channel) -> str:
    return f'pose.bones["{channel.bone}"]["{channel.both}"]'
