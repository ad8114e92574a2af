"""What armature a head has, by what names its bones go, and which movements are kept with it."""

from __future__ import annotations

import json
from dataclasses import astuple
from typing import Any

import bpy

from ...backend.bounded import Damaged, parse_json
from .controls import Channel

#: Custom property of an armature: the head that it belongs to; of a head: its armature.
TAG, ARMATURE = "reconstruct_face_armature", "armature"
#: Custom property of an armature: its channels, JSON.
_CHANNELS = "reconstruct_face_channels"
#: The bone that the board hangs on, the target of the eyes, and that bone's property.
BOARD, GAZE, FOLLOW = "face_board", "gaze", "follow"
#: Bones that move the mesh by their weights in Blender, and those that do so elsewhere only.
DEFORMING, DRIVING = ("chest", "neck", "head"), ("jaw", "eye.L", "eye.R")
#: Of a JSON of channels; the default model's has 8 kB.
_LARGEST = 200_000


def armature_of(head: bpy.types.Object) -> bpy.types.Object | None:
    """The armature of ours that ``head`` has; None without one, or where it was deleted."""
    found = head.get(ARMATURE)
    return found if isinstance(found, bpy.types.Object) and found.users_collection else None


def head_of_armature(thing: bpy.types.Object | None) -> bpy.types.Object | None:
    """The head whose armature ``thing`` is; None where it is none, or its head was deleted."""
    found = None if thing is None or thing.type != "ARMATURE" else thing.get(TAG)
    return found if isinstance(found, bpy.types.Object) and found.users_collection else None


def mover_of(head: bpy.types.Object) -> bpy.types.Object:
    """The object by which ``head`` is moved as a whole: its armature if that holds it."""
    armature = armature_of(head)
    return armature if armature is not None and head.parent == armature else head


def keep_channels(armature: bpy.types.Object, channels: list[Channel]) -> None:
    """Keep with ``armature`` which movements of its bones are shape keys."""
    armature[_CHANNELS] = json.dumps([astuple(channel) for channel in channels])


def channels_kept(armature: bpy.types.Object) -> list[Channel]:
    """Those of :func:`keep_channels` whose bones are there; none where they cannot be read."""
    try:
        rows: Any = parse_json(str(armature.get(_CHANNELS, "[]")), _LARGEST)
        found = [Channel(*row) for row in rows]
    except (Damaged, TypeError, ValueError):
        return []
    bones = armature.pose.bones
    return [
        one
        for one in found
        if one.path in ("location", "rotation_euler") and one.bone in bones and one.step
    ]
