"""The empty that carries a moving head, and head-to-camera poses as its places.

The camera is held: what moved before it was the head.  Blender axes and metres here; poses of a
``Motion`` become them by ``scene/coordinates.py``.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ...backend.exchange.motion import Motion
from ...backend.geometry.rotation import FACING, from_quaternions, to_quaternions
from ..armature.known import mover_of
from ..armature.lead import BONES, lead_of
from ..build import head_scene_of
from ..coordinates import HEAD_TO_BLENDER, camera_from_blender, camera_to_blender
from ..mesh import about
from ..rig import CARRIER

Float = NDArray[np.float64]


def carrier_of(head: bpy.types.Object) -> bpy.types.Object | None:
    """The empty of ours that carries ``head``; None without one."""
    parent = mover_of(head).parent
    return parent if parent is not None and CARRIER in parent else None


def make_carrier(head: bpy.types.Object) -> bpy.types.Object:
    """The empty that carries ``head``, made where the head is when there is none.

    Nothing moves: the head, or its armature with it, keeps its own transform below it, and the
    empty takes the parent of that.
    """
    found = carrier_of(head)
    if found is not None:
        return found
    empty = bpy.data.objects.new(f"{head.name} pose", None)
    empty.empty_display_type = "ARROWS"
    empty.empty_display_size = 0.15
    empty.rotation_mode = "QUATERNION"
    empty[CARRIER] = head
    for collection in head.users_collection:
        collection.objects.link(empty)
    mover = mover_of(head)
    if mover.parent is not None:
        empty.parent, empty.parent_type = mover.parent, mover.parent_type
        empty.parent_bone = mover.parent_bone
        empty.matrix_parent_inverse = mover.matrix_parent_inverse.copy()
    location, turn, _scale = mover.matrix_basis.decompose()
    empty.matrix_basis = Matrix.LocRotScale(location, turn, None)
    rest = empty.matrix_basis.copy()
    mover.parent, mover.parent_type = empty, "OBJECT"
    mover.matrix_parent_inverse = rest.inverted()
    return empty


def places(motion: Motion, head: bpy.types.Object, empty: bpy.types.Object, place: str) -> Float:
    """(N, 4, 4) local matrices of ``empty`` that move ``head`` as ``motion`` does.

    ``place`` "camera": where the head's camera sees it as the video's did; "here": beginning where
    the head is now.  A motion without translation turns the head where it is.
    """
    start = local_rest(head, empty)
    assert motion.rotation is not None
    if motion.translation is None:
        turns = np.tile(np.eye(4), (len(motion.times), 1, 1))
        own = HEAD_TO_BLENDER @ FACING.T
        turns[:, :3, :3] = own @ motion.rotation @ HEAD_TO_BLENDER.T
        return start @ turns
    seen = np.stack(
        [camera_to_blender(r, t) for r, t in zip(motion.rotation, motion.translation, strict=True)]
    )
    moved = np.linalg.inv(seen)  # head to a camera at the origin
    camera = head_scene_of(head).camera
    if place == "camera" and camera is not None:
        held = np.array(camera.matrix_world, np.float64)
        return np.linalg.inv(_above(empty)) @ held @ moved
    return start @ seen[0] @ moved


def default_place(motion: Motion, head: bpy.types.Object) -> str:
    """ "camera" where the head's camera is the one that filmed the motion, else "bones" where bones
    lead and "here" where they don't."""
    size, own = motion.header.get("image_size"), about(head).get("image_size")
    same = bool(size) and bool(own) and list(size) == list(own)
    if same and head_scene_of(head).camera is not None:
        return "camera"
    return "bones" if lead_of(head) == BONES else "here"


def local_rest(head: bpy.types.Object, empty: bpy.types.Object) -> Float:
    """(4, 4) local matrix of ``empty`` at which ``head`` has its own transform."""
    return np.linalg.inv(np.array(mover_of(head).matrix_parent_inverse, np.float64))


def to_channels(matrices: Float) -> tuple[Float, Float]:
    """(N, 3) locations and (N, 4) quaternions, neighbours alike in sign, of (N, 4, 4)."""
    return matrices[:, :3, 3], to_quaternions(matrices[:, :3, :3])


def from_channels(locations: Float, quaternions: Float) -> Float:
    """(N, 4, 4): the inverse of :func:`to_channels`."""
    out = np.tile(np.eye(4), (len(locations), 1, 1))
    out[:, :3, :3] = from_quaternions(quaternions)
    out[:, :3, 3] = locations
    return out


def seen_from_camera(worlds: Float, cameras: Float | None) -> tuple[Float, Float | None]:
    """(N, 3, 3) rotation and (N, 3) translation (mm), head to camera, of heads at ``worlds``.

    ``worlds`` is (N, 4, 4), as is ``cameras``, or (1, 4, 4) where it is still.  Without a camera
    the rotation is that seen from the front (-Y), and there is no translation.
    """
    upright = worlds.copy()
    upright[:, :3, :3] = from_quaternions(to_quaternions(_unscaled(worlds[:, :3, :3])))
    if cameras is None:
        own = FACING @ HEAD_TO_BLENDER.T
        return own @ upright[:, :3, :3] @ HEAD_TO_BLENDER, None
    pairs = [camera_from_blender(seen) for seen in np.linalg.inv(upright) @ cameras]
    return np.stack([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs])


def _above(empty: Any) -> Float:
    """(4, 4) from the empty's local matrix to the world, as things are now."""
    if empty.parent is None:
        return np.eye(4)
    local = np.array(empty.matrix_local, np.float64)
    basis = np.array(empty.matrix_basis, np.float64)
    parent = np.array(empty.parent.matrix_world, np.float64)
    return parent @ local @ np.linalg.inv(basis)


def _unscaled(rotations: Float) -> Float:
    return rotations / np.linalg.norm(rotations, axis=1, keepdims=True)
