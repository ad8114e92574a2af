"""Weights of the bones on the mesh, and the head as other programs expect a skinned mesh."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import bpy
import numpy as np

from ..vertex_groups import LEAST, fill_group, read_group
from .anatomy import Joints, Shape
from .known import DEFORMING, DRIVING, armature_of
from .lead import face_in_keys
from .weights import weights_of

#: Names of the bones that deform, as the humanoids of other programs have them.  Unreal: the
#: mannequin's spine, neck and head, and MetaHuman's facial joints.  Unity: those that its Avatar
#: recognises.  VRM 1.0: those of VRMC_vrm's humanoid.
BONE_NAMES: Mapping[str, Mapping[str, str]] = {
    "blender": {name: name for name in ("root", *DEFORMING, *DRIVING)},
    "unreal": {
        "root": "root", "chest": "spine_05", "neck": "neck_01", "head": "head",
        "jaw": "FACIAL_C_Jaw", "eye.L": "FACIAL_L_Eye", "eye.R": "FACIAL_R_Eye",
    },
    "unity": {
        "root": "Root", "chest": "Chest", "neck": "Neck", "head": "Head",
        "jaw": "Jaw", "eye.L": "LeftEye", "eye.R": "RightEye",
    },
    "vrm": {
        "root": "root", "chest": "chest", "neck": "neck", "head": "head",
        "jaw": "jaw", "eye.L": "leftEye", "eye.R": "rightEye",
    },
}  # fmt: skip


def weigh(head: bpy.types.Object, shape: Shape, joints: Joints) -> None:
    """Give ``head`` the vertex groups of its bones, in place of those that are there.

    The head's holds what jaw and eyes have too: in Blender these move by shape keys.
    """
    weights = weights_of(shape, joints)
    weights["head"] = weights["head"] + sum(weights[name] for name in DRIVING)
    for name in (*DEFORMING, *DRIVING):
        if weights[name].max() > LEAST:
            fill_group(head, name, weights[name])


def remove_weights(head: bpy.types.Object) -> None:
    """Take the vertex groups of the bones away."""
    for name in (*DEFORMING, *DRIVING):
        group = head.vertex_groups.get(name)
        if group is not None:
            head.vertex_groups.remove(group)


@contextmanager
def skinned(head: bpy.types.Object, names: str = "blender") -> Iterator[bpy.types.Object | None]:
    """``head`` and its armature as other programs take them, for the while.

    Jaw and eyes deform by their weights, which the head's gives up to them, and bones are named as
    :data:`BONE_NAMES` says for ``names``.  Bones that are none of the skeleton (board, targets, the
    ones between head and jaw or eye; :func:`is_of_skeleton`) do not deform and can be left out: the
    parents of jaw and eyes in the file are then the head.  The face is in the shape keys' values
    and their curves alone, with the bones of the face at rest (:func:`.lead.face_in_keys`): both
    would move it twice.  Gives the armature, None without one.
    """
    armature = armature_of(head)
    if armature is None:
        yield None
        return
    bones = armature.data.bones
    groups = {name: read_group(head, name) for name in (*DEFORMING, *DRIVING)}
    apart = sum(groups[name] for name in DRIVING)
    renamed = {old: new for old, new in BONE_NAMES[names].items() if old in bones and old != new}
    with face_in_keys(head):
        try:
            fill_group(head, "head", np.clip(groups["head"] - apart, 0.0, 1.0))
            for name in DRIVING:
                if name in bones:
                    bones[name].use_deform = True
            for old, new in renamed.items():
                bones[old].name = new
            yield armature
        finally:
            for old, new in renamed.items():
                bones[new].name = old
            for name in DRIVING:
                if name in bones:
                    bones[name].use_deform = False
            fill_group(head, "head", groups["head"])


def is_of_skeleton(bone: str) -> bool:
    """Whether ``bone``, by its name in Blender, is one that other programs need."""
    return bone in ("root", *DEFORMING, *DRIVING)
