"""The armature of a head: bones, their weights on the mesh, a board with the face's controls.

The bones "chest" (with a bust), "neck" and "head" deform the mesh.  Jaw and eyes move by shape
keys, which the bones "jaw", "eye.L" and "eye.R" drive or are driven by (``lead.py``): so a bone and
its shape key are one movement, and what is under the skin cannot part from it.  The vertex groups
of those three are there for other programs (``skin.py``).
"""

from __future__ import annotations

from typing import Any

import bpy
from mathutils import Matrix

from ...backend.errors import ModelError
from ..mesh import is_head
from ..parts import follow_armature
from ..placing import let_go
from .anatomy import joints_of, shape_of
from .controls import channels_of
from .dress import dress, limit_bone
from .drivers import bones_free, drive_bases, keys_free
from .known import (
    ARMATURE,
    DRIVING,
    TAG,
    armature_of,
    channels_kept,
    head_of_armature,
    keep_channels,
)
from .lead import BONES, lead_of, let_lead, names_of_keys
from .skeleton import controls_on, editing, lay_bones
from .skin import remove_weights, weigh

#: The modifier's name.
MODIFIER = "Armature"


def add_armature(head: bpy.types.Object, lead: str = BONES) -> bpy.types.Object:
    """Give ``head`` an armature, which takes its place and its parent and holds it from now on.

    The face stays as it is; ``lead`` says what drives what (``lead.py``).  Raises
    :class:`ModelError` where ``head`` has one, is no head of this file, or has no ``jawOpen``;
    nothing has changed then.
    """
    if armature_of(head) is not None:
        raise ModelError(f"{head.name} has a rig already.")
    if not is_head(head) or head.library is not None or head.data.library is not None:
        raise ModelError(f"{head.name} is no head of this file; choose one that is not linked.")
    shape = shape_of(head)
    joints = joints_of(shape, head.name)
    armature = bpy.data.objects.new(
        f"{head.name} armature", bpy.data.armatures.new(f"{head.name} armature")
    )
    for collection in head.users_collection:
        collection.objects.link(armature)
    with editing(armature) as bones:
        lay_bones(bones, shape, joints)
    channels = channels_of(shape.keys, joints)
    dress(armature, controls_on(shape, joints), channels, joints)
    keep_channels(armature, channels)
    drive_bases(armature, joints)
    armature.show_in_front = True
    armature[TAG], head[ARMATURE] = head, armature
    weigh(head, shape, joints)
    _hold(armature, head)
    let_lead(head, lead)
    return armature


def refit_armature(head: bpy.types.Object) -> None:
    """Move the joints and the weights of ``head``'s armature to where its mesh is now.

    Which leads, and how body and board are posed, stays.  Nothing happens without an armature.
    """
    armature = armature_of(head)
    if armature is None:
        return
    lead, shape = lead_of(head), shape_of(head)
    joints = joints_of(shape, head.name)
    with editing(armature) as bones:
        lay_bones(bones, shape, joints)
    channels = channels_of(shape.keys, joints)
    keep_channels(armature, channels)
    for channel in channels:
        if channel.bone in DRIVING:
            limit_bone(armature.pose.bones[channel.bone], channel)
    drive_bases(armature, joints)
    weigh(head, shape, joints)
    let_lead(head, lead)


def remove_armature(head: bpy.types.Object) -> None:
    """Take the armature of ``head`` away; the face stays as it is, and the head where it is.

    Nothing happens without one.
    """
    armature = armature_of(head)
    if armature is None:
        return
    keys: Any = head.data.shape_keys
    channels, names = channels_kept(armature), names_of_keys(head)
    values = {key.name: key.value for key in keys.key_blocks}
    keys_free(keys, channels, names)
    bones_free(armature, channels)
    for name, value in values.items():
        keys.key_blocks[name].value = value
    for modifier in [m for m in head.modifiers if m.type == "ARMATURE" and m.object == armature]:
        head.modifiers.remove(modifier)
    follow_armature(head)
    remove_weights(head)
    if head.parent == armature:
        head.parent = armature.parent
        head.matrix_parent_inverse = armature.matrix_parent_inverse.copy()
        head.matrix_basis = armature.matrix_basis.copy()
    del head[ARMATURE]
    _remove(armature)


def tidy_after_deletion(linked: list[bpy.types.Object]) -> int:
    """Of ``linked`` objects remove armatures whose head was deleted, and what heads keep of an
    armature that was; how many of both there were.

    What hangs on an armature stays where it is, as does an armature that was animated.
    """
    count = 0
    for thing in linked:
        if thing.type == "MESH" and ARMATURE in thing and armature_of(thing) is None:
            _forget(thing)
            count += 1
        elif thing.type == "ARMATURE" and TAG in thing and head_of_armature(thing) is None:
            animation = thing.animation_data
            if animation is None or animation.action is None:
                _remove(thing)
                count += 1
    return count


def _forget(head: bpy.types.Object) -> None:
    """Take from ``head`` what an armature that is gone left: drivers, modifier, weights."""
    keys = head.data.shape_keys
    data = None if keys is None else keys.animation_data
    for curve in [] if data is None else list(data.drivers):
        targets = [target.id for one in curve.driver.variables for target in one.targets]
        if targets and not any(targets):
            data.drivers.remove(curve)
    for modifier in [m for m in head.modifiers if m.type == "ARMATURE" and m.object is None]:
        head.modifiers.remove(modifier)
    follow_armature(head)
    remove_weights(head)
    del head[ARMATURE]


def _remove(armature: bpy.types.Object) -> None:
    let_go(armature)
    data = armature.data
    bpy.data.objects.remove(armature)
    if isinstance(data, bpy.types.Armature) and not data.users:
        bpy.data.armatures.remove(data)


def _hold(armature: bpy.types.Object, head: bpy.types.Object) -> None:
    """``armature`` where ``head`` is, with its parent, and the head on it, deformed by it."""
    armature.parent, armature.parent_type = head.parent, head.parent_type
    armature.parent_bone = head.parent_bone
    armature.matrix_parent_inverse = head.matrix_parent_inverse.copy()
    armature.matrix_basis = head.matrix_basis.copy()
    head.parent, head.parent_type = armature, "OBJECT"
    head.matrix_parent_inverse = head.matrix_basis = Matrix.Identity(4)
    modifier = head.modifiers.new(MODIFIER, "ARMATURE")
    modifier.object = armature
    head.modifiers.move(len(head.modifiers) - 1, 0)
    follow_armature(head)
