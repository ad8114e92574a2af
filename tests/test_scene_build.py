"""The head object: geometry, shape keys, properties, and that nothing else is touched."""

from __future__ import annotations

import json
from typing import Any

import bpy
import numpy as np
import pytest
from reconstruct_face.scene.build import build_scene, head_name, prepare_file
from reconstruct_face.scene.coordinates import (
    camera_from_blender,
    camera_to_blender,
    from_blender,
    to_blender,
)
from reconstruct_face.scene.mesh import build_mesh, expression_keys, is_head, remove_head

from tests.synthetic_reconstruction import (
    ARKIT_NAMES,
    HEAD_HALF_SIZE_MM,
    euler_rotation,
    make_reconstruction,
)


@pytest.fixture(autouse=True)
def _empty_file() -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def evaluated(head: bpy.types.Object) -> np.ndarray:
    """(V, 3) the head's vertices as Blender shows them, subdivision off."""
    for modifier in head.modifiers:
        modifier.show_viewport = False
    shown = head.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    out = np.empty((len(shown.vertices), 3), np.float32)
    shown.vertices.foreach_get("co", out.ravel())
    return out


def test_axes_go_where_an_artist_expects_them() -> None:
    left, up, forward = to_blender(np.eye(3) * 1000)
    assert left.tolist() == [1, 0, 0]  # a character facing -Y has its left at +X
    assert up.tolist() == [0, 0, 1]
    assert forward.tolist() == [0, -1, 0]


def test_coordinates_go_there_and_back() -> None:
    points = np.random.default_rng(0).normal(size=(50, 3)) * 100
    assert np.allclose(from_blender(to_blender(points)), points)
    rotation, translation = euler_rotation(30, -20, 10), np.array([5.0, -7.0, 600.0])
    back = camera_from_blender(camera_to_blender(rotation, translation))
    assert np.allclose(back[0], rotation)
    assert np.allclose(back[1], translation)


def test_the_head_shows_the_posed_vertices_in_metres() -> None:
    made = make_reconstruction()
    head = build_scene(made).head
    shown = evaluated(head)
    expected = made.vertices_posed @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]) / 1000
    assert np.abs(shown - expected).max() < 1e-5
    neutral = np.empty((len(head.data.vertices), 3), np.float32)
    head.data.shape_keys.key_blocks["Basis"].points.foreach_get("co", neutral.ravel())
    size = np.ptp(neutral[: 41 * 60], axis=0)  # the egg without eyes and teeth
    assert size[0] == pytest.approx(2 * HEAD_HALF_SIZE_MM[0] / 1000, rel=0.01)
    assert size[2] == pytest.approx(2 * HEAD_HALF_SIZE_MM[1] / 1000, rel=0.01)


def test_a_shape_key_at_one_moves_the_head_by_its_basis() -> None:
    made = make_reconstruction()
    head = build_scene(made).head
    for key in expression_keys(head):
        key.value = 0.0
    head.data.shape_keys.key_blocks["jawOpen"].value = 1.0
    moved = from_blender(evaluated(head)) - made.vertices_neutral
    delta = made.expression_basis[ARKIT_NAMES.index("jawOpen")]
    assert np.abs(delta).max() > 1.0
    assert np.abs(moved - delta).max() < 0.01


def test_keys_are_named_ranged_and_set_as_in_the_photo() -> None:
    made = make_reconstruction()
    keys = expression_keys(build_mesh(made))
    assert len(ARKIT_NAMES) == 52
    assert [key.name for key in keys] == list(ARKIT_NAMES)
    assert {(key.slider_min, key.slider_max) for key in keys} == {(0.0, 1.0)}
    assert np.allclose([key.value for key in keys], made.expression, atol=1e-6)


def test_pca_keys_range_over_three_sigma_and_keep_negative_values() -> None:
    made = make_reconstruction(names=tuple(f"expression_{i}" for i in range(79)))
    assert made.expression.min() < -0.5
    keys = expression_keys(build_mesh(made))
    assert {(key.slider_min, key.slider_max) for key in keys} == {(-3.0, 3.0)}
    assert np.allclose([key.value for key in keys], made.expression, atol=1e-6)


def test_quads_uvs_and_materials_are_those_given() -> None:
    made = make_reconstruction()
    mesh = build_mesh(made).data
    assert len(mesh.polygons) == len(made.polygons)
    assert {polygon.loop_total for polygon in mesh.polygons} == {4}
    polygon = mesh.polygons[123]
    assert list(polygon.vertices) == made.polygons[123].tolist()
    uv = [mesh.uv_layers.active.uv[i].vector[:] for i in polygon.loop_indices]
    assert np.allclose(uv, made.uv[made.uv_polygons[123]])
    found = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("material_index", found)
    assert (found == made.polygon_material).all()
    kinds = [material.name.rpartition(" ")[2] for material in mesh.materials]
    assert kinds == ["skin", "eye", "teeth", "tongue", "mouth"]
    assert all(polygon.use_smooth for polygon in mesh.polygons)


def test_triangles_are_built_too() -> None:
    made = make_reconstruction()
    made.polygons = made.polygons[:, :3].copy()
    made.uv_polygons = made.uv_polygons[:, :3].copy()
    mesh = build_mesh(made.validate()).data
    assert {polygon.loop_total for polygon in mesh.polygons} == {3}


def test_faces_point_outward() -> None:
    made = make_reconstruction()
    mesh = build_mesh(made).data
    centre = np.zeros(3)
    outward = [
        np.dot(polygon.normal, np.array(polygon.center) - centre)
        for polygon in mesh.polygons[:2000]
    ]
    assert min(outward) > 0


def test_subdivision_is_one_in_the_viewport_and_two_in_renders() -> None:
    (modifier,) = build_mesh(make_reconstruction()).modifiers
    assert (modifier.type, modifier.levels, modifier.render_levels) == ("SUBSURF", 1, 2)


def test_open_bands_of_teeth_stay_sharp_and_single_teeth_half() -> None:
    made = make_reconstruction()
    teeth = np.flatnonzero(made.polygon_material == 2)
    mesh = build_mesh(made).data  # the rings of its teeth do not close at the poles
    crease = np.empty(len(mesh.edges), np.float32)
    mesh.attributes["crease_edge"].data.foreach_get("value", crease)
    in_teeth = np.isin(np.array([e.vertices[:] for e in mesh.edges]), made.polygons[teeth])
    assert (crease == in_teeth.all(axis=1)).all() and 0 < crease.mean() < 0.2
    cube = np.array(
        [[0, 3, 2, 1], [4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7]]
    )
    kept = np.concatenate([np.flatnonzero(made.polygon_material != 2), teeth[:6]])
    made.polygons, made.uv_polygons = made.polygons[kept], made.uv_polygons[kept]
    made.polygon_material = made.polygon_material[kept]
    made.polygons[-6:] = made.polygons[-6:].min() + cube
    mesh = build_mesh(made.validate()).data
    values = [edge.value for edge in mesh.attributes["crease_edge"].data]
    assert sum(value > 0 for value in values) == 12 and 0.2 < max(values) < 0.5


def test_every_material_shows_the_packed_texture() -> None:
    made = make_reconstruction()
    mesh = build_mesh(made).data
    images = set()
    for material in mesh.materials:
        colour: Any = material.node_tree.nodes["Principled BSDF"].inputs["Base Color"]
        (link,) = colour.links
        images.add(link.from_node.image)
    (image,) = images
    assert bytes(image.packed_file.data) == made.texture.tobytes()
    assert tuple(image.size) == (128, 128)
    assert image.colorspace_settings.name == "sRGB"


def test_without_a_texture_materials_have_plain_colours() -> None:
    mesh = build_mesh(make_reconstruction(texture_mode="none")).data
    inputs = [m.node_tree.nodes["Principled BSDF"].inputs["Base Color"] for m in mesh.materials]
    assert not any(socket.is_linked for socket in inputs)
    assert len({tuple(socket.default_value) for socket in inputs}) == 5


def test_properties_hold_coefficients_and_provenance() -> None:
    made = make_reconstruction(photo_path="/Bilder/Zoë é.jpg")
    head = build_mesh(made)
    for name in ("identity", "expression", "albedo"):
        assert np.allclose(head[name], getattr(made, name))
    about = json.loads(head["reconstruction"])
    assert about["photo"] == "Zoë é.jpg"
    assert about["model"]["name"] == "synthetic"
    assert is_head(head)
    assert not is_head(bpy.data.objects.new("other", bpy.data.meshes.new("other")))
    assert not is_head(None)


def test_everything_lies_in_one_collection_named_after_the_photo() -> None:
    built = build_scene(make_reconstruction())
    assert built.collection.name == "Ada Lovelace"
    own = {built.head, built.camera, *built.lights, built.rig}
    assert set(built.collection.objects) == own
    assert set(bpy.data.objects) == set(built.collection.objects)
    assert list(bpy.context.scene.collection.children) == [built.collection]


@pytest.mark.parametrize(
    ("path", "number", "name"),
    [
        ("/a/b/Ada Lovelace.jpg", 1, "Ada Lovelace"),
        (r"C:\photos\Zoë.png", 2, "Zoë face 2"),
        ("", 1, "Face"),
    ],
)
def test_a_head_is_named_after_its_photo(path: str, number: int, name: str) -> None:
    assert head_name(make_reconstruction(photo_path=path, face_index=number)) == name


def snapshot() -> dict[str, object]:
    """What of the user's scene must not change."""
    scene = bpy.context.scene
    layer = bpy.context.view_layer
    return {
        "camera": scene.camera,
        "world": scene.world,
        "engine": scene.render.engine,
        "size": (scene.render.resolution_x, scene.render.resolution_y),
        "transform": scene.view_settings.view_transform,
        "active": layer.objects.active,
        "selected": sorted(thing.name for thing in bpy.context.selected_objects),
        "own": sorted(thing.name for thing in scene.collection.objects),
        "scenes": len(bpy.data.scenes),
        "worlds": len(bpy.data.worlds),
    }


def test_building_twice_leaves_the_users_scene_alone() -> None:
    bpy.ops.mesh.primitive_cube_add()
    camera = bpy.data.objects.new("Mine", bpy.data.cameras.new("Mine"))
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    before = snapshot()
    first, second = build_scene(make_reconstruction()), build_scene(make_reconstruction())
    assert snapshot() == before
    assert first.collection != second.collection
    assert second.collection.name == "Ada Lovelace.001"
    assert len(bpy.data.collections) == 2


def test_asked_to_the_new_head_becomes_active() -> None:
    bpy.ops.mesh.primitive_cube_add()
    built = build_scene(make_reconstruction(), set_active=True)
    assert bpy.context.scene.camera == built.camera
    assert bpy.context.active_object == built.head
    assert bpy.context.selected_objects == [built.head]


def test_prepare_file_opens_an_empty_file_of_the_photos_shape() -> None:
    bpy.ops.mesh.primitive_cube_add()
    scene = prepare_file(make_reconstruction(image_size=(480, 640)))
    assert not bpy.data.objects
    assert (scene.render.resolution_x, scene.render.resolution_y) == (480, 640)
    assert scene.view_settings.view_transform == "Standard"
    assert scene.render.engine == "CYCLES"


def test_removing_a_head_leaves_nothing() -> None:
    kinds = ("objects", "meshes", "materials", "images", "shape_keys")
    before = {kind: len(getattr(bpy.data, kind)) for kind in kinds}
    head = build_mesh(make_reconstruction())
    added = {kind: len(getattr(bpy.data, kind)) - before[kind] for kind in kinds}
    assert added == {"objects": 1, "meshes": 1, "materials": 5, "images": 1, "shape_keys": 1}
    remove_head(head)
    assert {kind: len(getattr(bpy.data, kind)) for kind in kinds} == before
