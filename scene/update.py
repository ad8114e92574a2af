"""A head that is already in the scene, given what a new fit found; the object stays the user's.

Where it stands, what it is parented to, its materials, modifiers, vertex groups and keyframes are
left alone: coordinates, shape keys' values, texture, camera and lights change.
"""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from ..backend.errors import ModelError
from ..backend.exchange import Reconstruction
from .build import head_scene_of
from .camera import align_to_head, background_of, fit_to_scene, place_camera
from .coordinates import to_blender
from .light import build_suns, light_only, suns_for
from .materials import is_ours, packed_image
from .mesh import write_properties


def update_head(
    head: bpy.types.Object, reconstruction: Reconstruction, scene: bpy.types.Scene
) -> None:
    """Make ``head``, one of ours, the head of ``reconstruction``.

    Shape keys that the user added move with the face.  A camera or a light that the user deleted
    stays deleted.

    Raises :class:`ModelError`, before anything is changed, when ``head`` was made with another
    face model or its mesh was edited since.
    """
    _check_topology(head, reconstruction)
    _move_vertices(head, reconstruction)
    _set_values(head, reconstruction)
    _replace_texture(head, reconstruction)
    write_properties(head, reconstruction)
    _update_surroundings(head, reconstruction, scene)
    head.data.update()


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


def _move_vertices(head: bpy.types.Object, reconstruction: Reconstruction) -> None:
    mesh = head.data
    assert isinstance(mesh, bpy.types.Mesh) and mesh.shape_keys is not None
    blocks = mesh.shape_keys.key_blocks
    ours = dict(zip(reconstruction.expression_names, reconstruction.expression_basis, strict=True))
    basis = to_blender(reconstruction.vertices_neutral.astype(np.float32))
    moved = basis - _read(blocks[0])
    for key in blocks:
        delta = ours.get(key.name)
        if key == blocks[0]:
            points = basis
        elif delta is not None:
            points = basis + to_blender(delta.astype(np.float32))
        else:
            points = _read(key) + moved
        key.points.foreach_set("co", np.ascontiguousarray(points, np.float32).ravel())
    mesh.vertices.foreach_set("co", basis.ravel())


def _read(key: bpy.types.ShapeKey) -> NDArray[np.float32]:
    points = np.empty(3 * len(key.points), np.float32)
    key.points.foreach_get("co", points)
    return points.reshape(-1, 3)


def _set_values(head: bpy.types.Object, reconstruction: Reconstruction) -> None:
    """The photo's expression; what is animated follows its F-curves again at the next frame."""
    blocks = head.data.shape_keys.key_blocks
    names, values = reconstruction.expression_names, reconstruction.expression.tolist()
    for name, value in zip(names, values, strict=True):
        if name in blocks:
            blocks[name].value = value


def _replace_texture(head: bpy.types.Object, reconstruction: Reconstruction) -> None:
    """Put the new texture where the old one was, in whatever nodes use it."""
    if not reconstruction.texture.size:
        return
    new = packed_image(f"{head.name} texture", reconstruction.texture, ".png")
    old = {
        node.image
        for material in head.data.materials
        if material is not None and material.node_tree is not None
        for node in material.node_tree.nodes
        if node.type == "TEX_IMAGE" and is_ours(node.image)
    }
    for image in old:
        _take_over(image, new)
    if not old:
        bpy.data.images.remove(new)


def _take_over(old: bpy.types.Image, new: bpy.types.Image) -> None:
    """``new`` for every user of ``old``, under its name."""
    name = old.name
    old.user_remap(new)
    bpy.data.images.remove(old)
    new.name = name


def _update_surroundings(
    head: bpy.types.Object, reconstruction: Reconstruction, scene: bpy.types.Scene
) -> None:
    around = head_scene_of(head)
    if around.camera is not None:
        place_camera(around.camera, reconstruction)
        align_to_head(around.camera, head)
        fit_to_scene(around.camera, scene)
        behind = background_of(around.camera)
        if behind is not None and is_ours(behind.image) and reconstruction.photo.size:
            photo = packed_image(behind.image.name, reconstruction.photo, ".jpg")
            _take_over(behind.image, photo)
    if not around.lights:
        return
    name = f"{head.name} light"
    for light in around.lights:
        assert isinstance(light.data, bpy.types.Light)
        bpy.data.lights.remove(light.data)  # and the object with it
    lights = build_suns(suns_for(reconstruction), name)
    for light in lights:
        around.collection.objects.link(light)
    light_only(lights, around.collection)
