"""The empty that holds a head's lights, and what becomes of lights and camera without the head.

The lights stand in the head's middle, since a sun's place does not matter, and so small that their
symbols are inside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import bpy
from mathutils import Matrix

from .armature.build import tidy_after_deletion
from .camera import VIEW
from .hair import is_hair, remove_hair
from .light import is_light

#: Custom property of a head: its rig; of the rig: that it is one.
RIG, TAG = "rig", "reconstruct_face_rig"
#: Custom property of a rig: the camera that goes with it, "camera_2" and so on those of further
#: photos.
CAMERA = "camera"
#: Custom property of an empty that carries a moving head: the head, see ``animation/pose.py``.
CARRIER = "reconstruct_face_carrier"

_SIZE_M = 0.05
#: Of the lights: a sun's symbol has a line of 20 times that.
_SCALE = 0.001


def build_rig(
    head: bpy.types.Object, camera: bpy.types.Object, lights: Iterable[bpy.types.Object]
) -> bpy.types.Object:
    """A new empty where ``head`` is, in no collection yet, that holds lights of ours.

    The camera is only noted: a line would go from it to the empty, right through the face.
    """
    rig = bpy.data.objects.new(f"{head.name} rig", None)
    rig.empty_display_type, rig.empty_display_size = "PLAIN_AXES", _SIZE_M
    rig[TAG], rig[CAMERA] = 1, camera
    rig.matrix_world = Matrix.Translation(head.matrix_world.translation)
    head[RIG] = rig
    put_on(rig, lights)
    return rig


def put_on(rig: bpy.types.Object, lights: Iterable[bpy.types.Object]) -> None:
    """Have ``rig`` hold ``lights``, in the middle."""
    for light in lights:
        light.parent = rig
        light.scale = (_SCALE, _SCALE, _SCALE)


def rig_of(head: bpy.types.Object) -> bpy.types.Object | None:
    """The rig of ``head``; None where there is none, or it was deleted."""
    rig = head.get(RIG)
    return rig if isinstance(rig, bpy.types.Object) and rig.users_collection else None


def remove_left_behind() -> int:
    """Remove the rigs, carriers, armatures and hair whose head is gone, with cameras and lights,
    and what an armature that is gone left on its head; how many.

    What is not ours stays, as do cameras that were animated.
    """
    linked = [thing for thing in bpy.data.objects if thing.users_collection]
    held = {thing[RIG] for thing in linked if thing.type == "MESH" and RIG in thing}
    removed = 0
    for rig in [thing for thing in linked if thing.type == "EMPTY"]:
        if TAG in rig:
            gone = rig not in held
        elif CARRIER in rig:
            head = rig[CARRIER]
            gone = head is None or not head.users_collection
        else:
            continue
        if gone:
            _remove(rig)
            removed += 1
    removed += tidy_after_deletion([thing for thing in bpy.data.objects if thing.users_collection])
    for hair in [thing for thing in bpy.data.objects if is_hair(thing) and thing.users_collection]:
        head = hair.parent
        if head is None or not head.users_collection:
            remove_hair(hair)
            removed += 1
    return removed


def _remove(rig: bpy.types.Object) -> None:
    collections = list(rig.users_collection)
    cameras = [rig[name] for name in rig.keys() if name.split("_")[0] == CAMERA]  # noqa: SIM118
    things: list[bpy.types.Object] = [*rig.children]
    things += [camera for camera in cameras if isinstance(camera, bpy.types.Object)]
    for thing in things:
        ours = is_light(thing) or (thing.type == "CAMERA" and VIEW in thing)
        if ours and thing.animation_data is None and not thing.children:
            data = cast(bpy.types.ID, thing.data)
            bpy.data.objects.remove(thing)
            bpy.data.batch_remove([data] if data.users == 0 else [])
        elif thing.parent == rig:
            place = thing.matrix_world.copy()
            thing.parent = None
            thing.matrix_world = place
    bpy.data.objects.remove(rig)
    # A scene's own is none of these.
    for collection in collections:
        if collection in bpy.data.collections[:] and not collection.all_objects[:]:
            bpy.data.collections.remove(collection)
