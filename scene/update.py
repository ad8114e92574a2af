"""A head that is already in the scene, given what a new fit found; the object stays the user's.

Where it stands, what it is parented to, its materials, modifiers, vertex groups and keyframes are
left alone: coordinates, shape keys' values, texture, camera and lights change.  What was sculpted
or edited since the last fit, on the neutral head or on a shape key, is laid over the new one.
"""

from __future__ import annotations

import os

import bpy
import numpy as np

from ..backend.errors import ModelError
from ..backend.exchange import Reconstruction
from ..backend.exchange.options import ABOUT, DEFAULT_MODEL, Options
from .armature.build import refit_armature
from .armature.lead import lead_with
from .build import HeadScene, head_scene_of
from .displacement import ROLE as DISPLACEMENT
from .displacement import add_displacement, remove_displacement
from .fitted import FittedShape, fitted_shape, has_own_topology, keep_fitted, points_of
from .folds import ROLE as FOLDS
from .folds import add_folds, drive_folds
from .hair import carry_hair, hair_of, replace_hair
from .light import build_suns, light_only, suns_for
from .materials import (
    PICTURES,
    build_images,
    is_ours,
    is_painted,
    role_of,
)
from .mesh import about, photo_names, write_properties
from .photo_cameras import update_cameras
from .rig import put_on

#: Smaller differences from what the fit gave are none that an artist made; metres.
_UNTOUCHED_M = 1e-6
#: A shape key that was deleted comes back where the fit moves a point by more without it; metres.
_NEEDED_M = 1e-4


def update_head(
    head: bpy.types.Object, reconstruction: Reconstruction, scene: bpy.types.Scene
) -> list[str]:
    """Make ``head``, one of ours, the head of ``reconstruction``.

    Sculpting stays, vertex by vertex, as an offset on the new fit; shape keys that the user added
    move with the face.  A camera or a light that the user deleted stays deleted.  Returns sentences
    about what became of the user's own work.

    Raises :class:`ModelError`, before anything is changed, when ``head`` was made with another
    face model or set of expressions, or its mesh was edited since.
    """
    _check_topology(head, reconstruction)
    _check_expressions(head, reconstruction)
    before, photos = points_of(head.data.shape_keys.key_blocks[0]), photo_names(head)
    notes = [*_move_vertices(head, reconstruction), *_set_values(head, reconstruction)]
    refit_armature(head)
    names = reconstruction.expression_names
    lead_with(head, dict(zip(names, reconstruction.expression.tolist(), strict=True)))
    carry_hair(head, before, points_of(head.data.shape_keys.key_blocks[0]))
    notes += _replace_texture(head, reconstruction)
    write_properties(head, reconstruction)
    keep_fitted(head, reconstruction)
    if not replace_hair(head, reconstruction, head_scene_of(head).collection):
        notes += _kept_hair(head, reconstruction)
    around = head_scene_of(head)
    update_cameras(head, reconstruction, photos, scene, around.collection, around.rig)
    _update_lights(head, reconstruction, around)
    head.data.update()
    return notes


def _kept_hair(head: bpy.types.Object, reconstruction: Reconstruction) -> list[str]:
    """The sentence about hair that stays although another was asked for."""
    asked = reconstruction.provenance.get("options", {}).get("hair", "none")
    if asked == "none" or not hair_of(head):
        return []
    return [f"The new fit has no hair; what {head.name} had is kept."]


def check_can_update(head: bpy.types.Object, options: Options) -> None:
    """Raise the :class:`ModelError` of :func:`update_head` as far as it is known before the fit."""
    if head.data.shape_keys is None:
        raise ModelError(f"{head.name} has no shape keys any more; reconstruct a new head instead.")
    if not has_own_topology(head):
        raise ModelError(
            f"The mesh of {head.name} was edited: points or faces are not those of its fit any "
            "more. Reconstruct a new head instead."
        )
    was = about(head).get("provenance", {}).get("options", {})
    model, expressions = was.get("model"), was.get("expressions")
    # A model that is a file may be elsewhere by now; whether it is the same is seen after the fit.
    if model and model != options.model and not os.path.isabs(model):
        raise ModelError(
            f"{head.name} was made with the face model '{model}', the settings say "
            f"'{options.model}'; choose '{model}' there, or reconstruct a new head."
        )
    if was and (was.get("bust") is True) != options.bust:
        has, asked = ("without", "with") if options.bust else ("with", "without")
        raise ModelError(
            f"{head.name} was made {has} a bust, the new fit is asked for {asked} one; ask for the "
            "same, or reconstruct a new head."
        )
    if model != DEFAULT_MODEL and expressions and expressions != options.expressions:
        label = next(
            (x.label for x in ABOUT["expressions"].choices if x.value == expressions), expressions
        )
        raise ModelError(
            f"{head.name} has other expressions than the settings say; choose '{label}' there, or "
            "reconstruct a new head."
        )


def _check_topology(head: bpy.types.Object, reconstruction: Reconstruction) -> None:
    mesh = head.data
    assert isinstance(mesh, bpy.types.Mesh)
    corners = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", corners)
    if len(mesh.vertices) != len(reconstruction.vertices_neutral) or not np.array_equal(
        corners, reconstruction.polygons.ravel()
    ):
        raise ModelError(
            f"The mesh of {head.name} has {len(mesh.vertices)} vertices and was edited or made "
            "with another face model; reconstruct a new head instead."
        )
    if mesh.shape_keys is None:
        raise ModelError(f"{head.name} has no shape keys any more; reconstruct a new head instead.")


def _check_expressions(head: bpy.types.Object, reconstruction: Reconstruction) -> None:
    """The keys of one set say nothing about the weights of another."""
    known = about(head).get("expression_names")
    if known is not None and list(known) != list(reconstruction.expression_names):
        raise ModelError(
            f"{head.name} was made with another set of expressions ({len(known)}, the new fit has "
            f"{len(reconstruction.expression_names)}); reconstruct a new head instead."
        )


def _move_vertices(head: bpy.types.Object, reconstruction: Reconstruction) -> list[str]:
    """The new fit under what the user sculpted; the sentences about it."""
    mesh = head.data
    assert isinstance(mesh, bpy.types.Mesh) and mesh.shape_keys is not None
    blocks = mesh.shape_keys.key_blocks
    new, was = FittedShape.of(reconstruction), fitted_shape(head, reconstruction)
    basis_was = points_of(blocks[0]) if was is None else was.basis
    sculpted = np.zeros(len(mesh.vertices), bool)
    for key in blocks:
        ours = key == blocks[0] or key.name in new.deltas
        before, points = basis_was, new.basis
        if key != blocks[0] and ours:
            delta = new.deltas[key.name]
            before, points = (
                before + (delta if was is None else was.deltas[key.name]),
                points + delta,
            )
        if was is not None or not ours:
            offset = points_of(key) - before
            changed = np.abs(offset).max(axis=1) > _UNTOUCHED_M
            points = np.where(changed[:, None], points + offset, points)
            sculpted |= changed & ours
        key.points.foreach_set("co", np.ascontiguousarray(points, np.float32).ravel())
    mesh.vertices.foreach_set("co", points_of(blocks[0]).ravel())
    if was is None:
        return [
            f"{head.name} comes from an earlier version, which did not note its fit: what was "
            "sculpted on it was replaced. Undo brings it back."
        ]
    if not (count := int(sculpted.sum())):
        return []
    points = "1 point" if count == 1 else f"{count} points"
    return [f"What was sculpted on {head.name} is kept ({points})."]


def _set_values(head: bpy.types.Object, reconstruction: Reconstruction) -> list[str]:
    """The photo's expression; what is animated follows its F-curves again at the next frame.

    Keys that were deleted come back where the face would be another one without them.
    """
    blocks = head.data.shape_keys.key_blocks
    new = FittedShape.of(reconstruction)
    names, values = reconstruction.expression_names, reconstruction.expression.tolist()
    back = []
    for name, value, (low, high) in zip(
        names, values, reconstruction.expression_range.tolist(), strict=True
    ):
        if name not in blocks:
            if np.abs(value * new.deltas[name]).max() < _NEEDED_M:
                continue
            key = head.shape_key_add(name=name, from_mix=False)
            points = points_of(blocks[0]) + new.deltas[name]
            key.points.foreach_set("co", points.ravel())
            key.slider_min, key.slider_max = low, high
            back.append(name)
        blocks[name].value = value
    if not back:
        return []
    return [
        f"The new fit needs shape keys that were deleted; they are there again: {', '.join(back)}."
    ]


def _replace_texture(head: bpy.types.Object, reconstruction: Reconstruction) -> list[str]:
    """Put the new texture and maps where the old ones were, in whatever nodes use them; one painted
    on stays."""
    notes = []
    old = {
        node.image: role_of(node.image)
        for material in head.data.materials
        if material is not None and material.node_tree is not None
        for node in material.node_tree.nodes
        if node.type == "TEX_IMAGE" and is_ours(node.image)
    }
    found = build_images(reconstruction, head.name)
    if DISPLACEMENT not in found:
        remove_displacement(head)
        old = {image: role for image, role in old.items() if role != DISPLACEMENT}
    for role, new in found.items():
        same = [image for image, held in old.items() if held == role]
        for image in same:
            if is_painted(image):
                notes.append(_set_aside(image, new, PICTURES[role]))
            else:
                _take_over(image, new)
        if not same and role == FOLDS:  # a head whose photo showed none, or of an earlier version
            add_folds(head, {role: new}, reconstruction)
        elif not same and role == DISPLACEMENT:
            add_displacement(head, {role: new})
        elif not same:
            bpy.data.images.remove(new)
    drive_folds(head, reconstruction)
    return notes


def _set_aside(old: bpy.types.Image, new: bpy.types.Image, what: str) -> str:
    """``new``, the ``what`` of the head, for every user of ``old``, which stays in the file.

    Returns the sentence about it.
    """
    if old.is_dirty:
        old.pack()
    name = old.name
    old.user_remap(new)
    old.name, old.use_fake_user = f"{name} painted", True
    new.name = name
    return f"The {what} was painted: it stays in the file as '{old.name}', the new one is shown."


def _take_over(old: bpy.types.Image, new: bpy.types.Image) -> None:
    """``new`` for every user of ``old``, under its name."""
    name = old.name
    old.user_remap(new)
    bpy.data.images.remove(old)
    new.name = name


def _update_lights(
    head: bpy.types.Object, reconstruction: Reconstruction, around: HeadScene
) -> None:
    if not around.lights:
        return
    name = f"{head.name} light"
    for light in around.lights:
        assert isinstance(light.data, bpy.types.Light)
        bpy.data.lights.remove(light.data)  # and the object with it
    lights = build_suns(suns_for(reconstruction), name)
    for light in lights:
        around.collection.objects.link(light)
    if around.rig is not None:
        put_on(around.rig, lights)
    light_only(lights, around.collection)
