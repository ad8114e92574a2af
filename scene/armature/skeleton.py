"""The bones of a head, laid to its joints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from .anatomy import SIDES, Float, Joints, Shape
from .controls import MOUTH_JAW, Control, board_of
from .known import BOARD, DEFORMING, GAZE

#: Between the middles of two boxes of the board, and from the head's side to the board's middle.
COLUMN_M, ROW_M, _ASIDE_M = 0.052, 0.062, 0.2
#: From the eyes to what they look at, metres: across a table.
_GAZE_M = 0.6
_FORWARD, _UPWARD = np.array([0.0, -1.0, 0.0]), np.array([0.0, 0.0, 1.0])


@contextmanager
def editing(armature: bpy.types.Object) -> Iterator[Any]:
    """The edit bones of ``armature``; what was active and in which mode is so again afterwards.

    Blender edits what the current view layer shows: an armature of another scene, or one that is
    hidden, is linked to it and shown for the while.
    """
    layer: Any = bpy.context.view_layer
    active = layer.objects.active
    mode = "OBJECT" if active is None else active.mode
    if mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    chosen = [thing for thing in layer.objects if thing.select_get()]
    with _shown(armature, layer):
        layer.objects.active = armature
        bpy.ops.object.mode_set(mode="EDIT")
        try:
            yield armature.data.edit_bones
        finally:
            bpy.ops.object.mode_set(mode="OBJECT")
            layer.update()  # makes the bones of the pose
            layer.objects.active = active
    for thing in layer.objects:
        thing.select_set(thing in chosen)
    if active is not None and mode != "OBJECT":
        bpy.ops.object.mode_set(mode=mode)


@contextmanager
def _shown(armature: bpy.types.Object, layer: Any) -> Iterator[None]:
    beside = bpy.data.collections.new("editing")
    beside.objects.link(armature)
    bpy.context.scene.collection.children.link(beside)
    layer.update()
    hidden, off = armature.hide_get(), armature.hide_viewport
    armature.hide_viewport = False
    armature.hide_set(False)
    try:
        yield
    finally:
        armature.hide_viewport = off
        armature.hide_set(hidden)
        bpy.data.collections.remove(beside)


def controls_on(shape: Shape, joints: Joints) -> list[Control]:
    """The controls of the board of a head of ``shape``, the jaw's among them."""
    jaw = MOUTH_JAW.having({"jawOpen", *joints.jaw_moves})
    return [*board_of(shape.keys), *([] if jaw is None else [jaw])]


def box_of(control: Control) -> str:
    """The name of the bone that is the box of ``control``."""
    stem, dot, side = control.bone.partition(".")
    return f"{stem}_box{dot}{side}"


def lay_bones(bones: Any, shape: Shape, joints: Joints) -> None:
    """Make the edit ``bones``, or move those that are there, to ``joints``.

    "root", "chest" (with a bust), "neck" and "head", their x to the head's left; the jaw's x is
    that too, so that it opens by a positive turn; an eye's z is up and its x to the head's right,
    so that it looks up and to the head's left by positive turns.
    """

    def lay(name: str, start: Float, end: Float, parent: str, toward: Float) -> None:
        bone = bones.get(name) or bones.new(name)
        bone.head, bone.tail = start.tolist(), end.tolist()
        bone.align_roll(Vector(toward.tolist()))
        bone.parent = bones.get(parent)
        bone.use_deform = name in DEFORMING

    ground = joints.neck if joints.chest is None else joints.chest
    lay("root", ground, ground - 0.05 * _FORWARD, "", _UPWARD)
    lowest = "root"
    if joints.chest is not None:
        lay("chest", joints.chest, joints.neck, "root", _FORWARD)
        lowest = "chest"
    lay("neck", joints.neck, joints.head, lowest, _FORWARD)
    lay("head", joints.head, joints.crown, "neck", _FORWARD)
    back = np.cross([1.0, 0.0, 0.0], joints.chin - joints.jaw)
    lay("jaw_base", joints.jaw, joints.chin, "head", back)
    lay("jaw", joints.jaw, joints.chin, "jaw_base", back)
    if joints.eyes:
        middle = np.mean([*joints.eyes.values()], axis=0) + _GAZE_M * _FORWARD
        lay(GAZE, middle, middle + 0.03 * _UPWARD, "root", _FORWARD)
        for side, letter in zip(SIDES, "LR", strict=True):
            eye = joints.eyes[side]
            front, target = eye + 2 * joints.eye_radius * _FORWARD, eye + _GAZE_M * _FORWARD
            lay(f"gaze.{letter}", target, target + 0.015 * _UPWARD, GAZE, _FORWARD)
            lay(f"eye_aim.{letter}", eye, front, "head", _UPWARD)
            lay(f"eye.{letter}", eye, front, f"eye_aim.{letter}", _UPWARD)
    _lay_board(lay, shape, joints)


def _lay_board(lay: Any, shape: Shape, joints: Joints) -> None:
    """Beside the head's left, at the height of the face, in the plane of the face."""
    controls = controls_on(shape, joints)
    face = shape.part("skin") if shape.part("skin").any() else slice(None)
    side = float(shape.basis[face, 0].max()) + _ASIDE_M
    middle = np.array([side, joints.chin[1], joints.jaw[2] + 3 * ROW_M])
    lay(BOARD, middle, middle + 0.02 * _UPWARD, "root", _FORWARD)
    for control in controls:
        place = middle + (control.column * COLUMN_M, 0.0, -control.row * ROW_M)
        end = place + 0.01 * _UPWARD
        lay(box_of(control), place, end, BOARD, _FORWARD)
        lay(control.bone, place, end, box_of(control), _FORWARD)
