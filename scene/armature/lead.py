"""Which leads, bones or shape keys, and the face as weights whichever it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from ...backend.errors import FaceError
from ...backend.exchange.names import ARKIT, matched
from ..actions import curves_on
from ..shape_keys import editable_keys
from .controls import MOUTH_JAW, Channel, values_of_channels
from .drivers import bones_follow, bones_free, keys_follow, keys_free
from .known import DEFORMING, FOLLOW, GAZE, armature_of, channels_kept

#: What leads: bones drive the shape keys, or are driven by them.
BONES, KEYS = "bones", "keys"
#: Custom property of an armature: which of the two.
_LEAD = "reconstruct_face_lead"


def lead_of(head: bpy.types.Object) -> str:
    """:data:`BONES` or :data:`KEYS`; the latter without an armature."""
    armature = armature_of(head)
    return KEYS if armature is None or armature.get(_LEAD) != BONES else BONES


def let_lead(head: bpy.types.Object, lead: str) -> None:
    """Let ``lead`` drive the other one; the face stays as it is now.

    What drivers of the user's own move is left to them.  Nothing happens without an armature.
    """
    armature = armature_of(head)
    if armature is None:
        return
    _update()
    channels, names = _movable(head, armature)
    keys: Any = head.data.shape_keys
    weights = {name: keys.key_blocks[own].value for name, own in names.items()}
    keys_free(keys, channels, names)
    bones_free(armature, channels)
    if lead == BONES:
        _rest_bases(armature, channels)
        pose_bones(armature, channels, weights)
        keys_follow(keys, armature, channels, names)
    else:
        _rest_bases(armature, channels)
        for name, own in names.items():
            keys.key_blocks[own].value = weights[name]
        bones_follow(armature, keys, channels, names)
    armature[_LEAD] = lead
    armature.update_tag()
    head.update_tag()


def lead_with(head: bpy.types.Object, weights: Mapping[str, float]) -> set[str]:
    """Pose the bones of ``head``, where they lead, so that its shape keys are ``weights``, by the
    shape keys' own names; those that they moved.

    Channels of which no shape key is named stay as they are.
    """
    moved = movable(head)
    return set() if moved is None else moved.lead_with(head, weights)


@contextmanager
def face_in_keys(head: bpy.types.Object) -> Iterator[None]:
    """The face of ``head`` in the values of its shape keys alone, for the while: neither drives the
    other, all bones but those of the body are at rest, and their curves are mute.

    Shape keys that bones led hold their values then; who needs their curves writes them in here, as
    ``animation/apply.py`` does for what is exported.  Nothing happens without an armature.
    """
    armature = armature_of(head)
    if armature is None:
        yield
        return
    _update()
    lead = lead_of(head)
    keys: Any = head.data.shape_keys
    channels, names = _movable(head, armature)
    weights = {own: keys.key_blocks[own].value for own in names.values()}
    posed = {bone.name: _state(bone) for bone in armature.pose.bones if _is_of_face(bone.name)}
    muted = [curve for curve in curves_on(armature) if not curve.mute and _moves_face(curve)]
    try:
        keys_free(keys, channels, names)
        bones_free(armature, channels)
        armature[_LEAD] = KEYS
        for curve in muted:
            curve.mute = True
        for own, value in weights.items():
            keys.key_blocks[own].value = value
        for name in posed:
            armature.pose.bones[name].matrix_basis = Matrix.Identity(4)
        leave_target(armature)
        armature.update_tag()
        _update()
        yield
    finally:
        for name, state in posed.items():
            _restore(armature.pose.bones[name], state)
        for curve in muted:
            curve.mute = False
        if lead == BONES:
            keys_follow(keys, armature, channels, names)
        else:
            bones_follow(armature, keys, channels, names)
        armature[_LEAD] = lead
        armature.update_tag()
        _update()


def leave_target(armature: bpy.types.Object) -> None:
    """Have the eyes no longer follow their target: what is said of them is all."""
    target = armature.pose.bones.get(GAZE)
    if target is not None and target.get(FOLLOW):
        target[FOLLOW] = 0.0


def _state(bone: bpy.types.PoseBone) -> tuple[Any, ...]:
    properties = {name: value for name, value in bone.items() if isinstance(value, float)}
    return bone.location.copy(), bone.rotation_euler.copy(), bone.scale.copy(), properties


def _restore(bone: bpy.types.PoseBone, state: tuple[Any, ...]) -> None:
    bone.location, bone.rotation_euler, bone.scale = state[:3]
    for name, value in state[3].items():
        bone[name] = value


def _is_of_face(bone: str) -> bool:
    return bone not in ("root", *DEFORMING)


def _moves_face(curve: bpy.types.FCurve) -> bool:
    name = curve.data_path.partition('pose.bones["')[2].partition('"')[0]
    return bool(name) and _is_of_face(name)


def _update() -> None:
    layer = bpy.context.view_layer
    assert layer is not None
    layer.update()


def key_bones(head: bpy.types.Object, frame: float) -> int:
    """A keyframe at ``frame`` for every movement of bones that is a shape key, where bones lead;
    the number of shape keys that took one.

    Raises :class:`FaceError` where the armature takes none: its animation is linked.
    """
    moved = movable(head)
    if moved is None:
        return 0
    for channel in moved.channels:
        bone = moved.armature.pose.bones[channel.bone]
        try:
            bone.keyframe_insert(channel.path, index=channel.axis, frame=frame)
            if channel.both:
                bone.keyframe_insert(f'["{channel.both}"]', frame=frame)
        except RuntimeError as error:
            reason = str(error).strip().removeprefix("Error: ").splitlines()[0].rstrip(".")
            raise FaceError(f"{moved.armature.name} takes no keyframes: {reason}.") from error
    return len(moved.names)


def pose_bones(
    armature: bpy.types.Object, channels: Iterable[Channel], weights: Mapping[str, float]
) -> None:
    """Move the bones of ``channels`` to ``weights``, by ARKit's names."""
    for channel, (moved, shared) in values_of_channels(channels, weights).items():
        bone = armature.pose.bones[channel.bone]
        getattr(bone, channel.path)[channel.axis] = float(moved)
        if channel.both:
            bone[channel.both] = float(shared)


@dataclass(frozen=True)
class Movable:
    """What bones that lead move; it costs a millisecond to find out."""

    armature: bpy.types.Object
    channels: tuple[Channel, ...]
    names: Mapping[str, str]  #: ARKit's name, or another shape key's own, to the shape key

    def lead_with(self, head: bpy.types.Object, weights: Mapping[str, float]) -> set[str]:
        """:func:`lead_with` for the ``head`` that this was found for."""
        wanted = {name: weights[own] for name, own in self.names.items() if own in weights}
        channels = [one for one in self.channels if any(name in wanted for name in one.names)]
        blocks = head.data.shape_keys.key_blocks
        others = {name for one in channels for name in one.names if name in self.names} - set(
            wanted
        )
        now = {name: blocks[self.names[name]].value for name in others}
        _rest_bases(self.armature, channels)
        pose_bones(self.armature, channels, now | wanted)
        self.armature.update_tag()
        return {self.names[name] for name in wanted}


def movable(head: bpy.types.Object) -> Movable | None:
    """What the bones of ``head`` move, where they lead; else None."""
    armature = armature_of(head)
    if armature is None or armature.get(_LEAD) != BONES:
        return None
    channels, names = _movable(head, armature)
    return Movable(armature, tuple(channels), names)


def names_of_keys(head: bpy.types.Object) -> dict[str, str]:
    """ARKit's name, or another shape key's own, to the shape key of ``head``."""
    keys = editable_keys(head)
    known = matched(ARKIT, keys)
    return known | {name: name for name in keys if name not in known.values()}


def _movable(
    head: bpy.types.Object, armature: bpy.types.Object
) -> tuple[list[Channel], dict[str, str]]:
    """The channels, and the shape keys of theirs that no driver of the user's moves."""
    channels = channels_kept(armature)
    names = names_of_keys(head)
    wanted = {name for channel in channels for name in channel.names}
    foreign = driven_by_others(head, armature)
    return channels, {n: own for n, own in names.items() if n in wanted and own not in foreign}


def driven_by_others(head: bpy.types.Object, armature: bpy.types.Object) -> set[str]:
    """The shape keys of ``head`` that drivers move which are none of ``armature``'s."""
    data = head.data.shape_keys.animation_data
    paths = {
        curve.data_path
        for curve in (() if data is None else data.drivers)
        if all(t.id != armature for v in curve.driver.variables for t in v.targets)
    }
    blocks = head.data.shape_keys.key_blocks
    return {key.name for key in blocks if key.path_from_id("value") in paths}


def _rest_bases(armature: bpy.types.Object, channels: list[Channel]) -> None:
    """Put what moves the bones above those of ``channels`` to rest, so that it adds nothing.

    The eyes' target goes straight ahead; where a turned head has it aside, the eyes leave it.
    """
    bases = {channel.base for channel in channels}
    pose = armature.pose.bones
    if "jaw_base" in bases and MOUTH_JAW.bone in pose:
        pose[MOUTH_JAW.bone].location = (0.0, 0.0, 0.0)
    if GAZE in pose and any(base.startswith("eye_aim") for base in bases):
        for name in (GAZE, "gaze.L", "gaze.R"):
            pose[name].matrix_basis = Matrix.Identity(4)
        turned = [name for name in DEFORMING if name in pose and _is_posed(pose[name])]
        if turned:
            leave_target(armature)


def _is_posed(bone: bpy.types.PoseBone) -> bool:
    return not np.allclose(np.array(bone.matrix_basis), np.eye(4), atol=1e-6)
