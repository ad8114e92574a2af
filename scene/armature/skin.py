"""Weights of the bones on the mesh, and the head as other programs expect a skinned mesh."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from ..vertex_groups import LEAST, fill_group, read_group
from .anatomy import Joints, Shape
from .known import DEFORMING, DRIVING, TAG, armature_of, head_of_armature
from .lead import face_in_keys
from .skeleton import editing
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


@contextmanager
def bare_skeleton(head: bpy.types.Object) -> Iterator[bpy.types.Object | None]:
    """An armature of the bones that other programs need, which deforms ``head`` in place of its
    own for the while and moves as that does; in no collection.  None for a head without a rig.

    Within it ``head`` is as :func:`skinned` makes it.
    """
    armature = armature_of(head)
    if armature is None or head_of_armature(armature) != head:
        yield None
        return
    with skinned(head):
        data: Any = armature.data.copy()
        bare = armature.copy()
        bare.data = data
        try:
            bare.animation_data_clear()
            for name in (TAG, *bare.keys()):
                bare.pop(name, None)
            with editing(bare) as bones:
                keep_skeleton(bones)
            for bone in bare.pose.bones:
                _follow(bone, armature)
            with _deformed_by(head, armature, bare):
                yield bare
        finally:
            bpy.data.objects.remove(bare)
            bpy.data.armatures.remove(data)


@contextmanager
def undeformed(head: bpy.types.Object) -> Iterator[None]:
    """``head`` as its shape keys alone make it, for the while: bones move nothing."""
    armature = armature_of(head)
    modifiers = [m for m in head.modifiers if m.type == "ARMATURE" and m.object == armature]
    if armature is None or head_of_armature(armature) != head:
        yield
        return
    shown = [modifier.show_viewport for modifier in modifiers]
    with face_in_keys(head):
        try:
            for modifier in modifiers:
                modifier.show_viewport = False
            yield
        finally:
            for modifier, was in zip(modifiers, shown, strict=True):
                modifier.show_viewport = was


def keep_skeleton(bones: Any) -> None:
    """Take the edit ``bones`` away that other programs do not need; jaw and eyes hang on the
    head then."""
    for bone in [bone for bone in bones if not is_of_skeleton(bone.name)]:
        for child in bone.children:
            if is_of_skeleton(child.name):
                child.parent = bones.get("head")
        bones.remove(bone)


def _follow(bone: bpy.types.PoseBone, armature: bpy.types.Object) -> None:
    """Let ``bone`` be where that of ``armature`` is, if it is the body's; else at rest."""
    for constraint in list(bone.constraints):
        bone.constraints.remove(constraint)
    bone.matrix_basis = Matrix.Identity(4)
    if bone.name not in DRIVING:
        copied: Any = bone.constraints.new("COPY_TRANSFORMS")
        copied.target, copied.subtarget = armature, bone.name


@contextmanager
def _deformed_by(
    head: bpy.types.Object, armature: bpy.types.Object, other: bpy.types.Object
) -> Iterator[None]:
    modifiers = [m for m in head.modifiers if m.type == "ARMATURE" and m.object == armature]
    parent = head.parent
    try:
        for modifier in modifiers:
            modifier.object = other
        if parent == armature:
            head.parent = other
        yield
    finally:
        for modifier in modifiers:
            modifier.object = armature
        head.parent = parent


def is_of_skeleton(bone: str) -> bool:
    """Whether ``bone``, by its name in Blender, is one that other programs need."""
    return bone in ("root", *DEFORMING, *DRIVING)
