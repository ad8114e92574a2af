"""Bones and shape keys taking the lead from each other, with what is animated."""

from __future__ import annotations

import math

import bpy

from ..actions import curves_on
from ..armature.known import armature_of
from ..armature.lead import BONES, lead_of, let_lead, movable
from . import bones
from .apply import apply_motion
from .curves import curves_by_name, remove_curves, set_aside, shape_keys_of
from .read import read_motion


def hand_over(head: bpy.types.Object, lead: str, scene: bpy.types.Scene) -> int:
    """Let ``lead`` ("bones" or "keys") drive the other in ``head``, and take the face's animation
    along, a keyframe for every frame; the number of keyframes, 0 where it was not animated.

    What the shape keys had is set aside as an action; of the armature's action the curves of the
    face are replaced and those of neck, head and board stay.  Nothing happens without a rig, or
    where ``lead`` leads already.
    """
    if armature_of(head) is None or lead_of(head) == lead:
        return 0
    frames = _frames(head)
    motion = None if frames is None else read_motion(head, frames, scene, with_pose=False)
    if lead == BONES:
        set_aside(shape_keys_of(head))
    else:
        _remove_face(head)
    let_lead(head, lead)
    if motion is None or frames is None:
        return 0
    done = apply_motion(
        head,
        motion,
        scene,
        start_frame=frames[0],
        existing="merge",
        with_pose=False,
        markers=False,
        extend=False,
    )
    return done.keyframes


def _frames(head: bpy.types.Object) -> tuple[int, int] | None:
    """From which frame to which the face is animated by what leads; None where it is not."""
    moved = movable(head)
    if moved is None:
        curves = list(curves_by_name(head).values())
    else:
        paths = set(bones.face_paths(moved, moved.names))
        curves = [curve for curve in curves_on(moved.armature) if curve.data_path in paths]
    ranges = [curve.range() for curve in curves if len(curve.keyframe_points)]
    if not ranges:
        return None
    return math.floor(min(a for a, _ in ranges)), math.ceil(max(b for _, b in ranges))


def _remove_face(head: bpy.types.Object) -> None:
    moved = movable(head)
    if moved is not None and curves_on(moved.armature):
        remove_curves(moved.armature, bones.face_paths(moved, moved.names))
