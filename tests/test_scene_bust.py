"""A head with a bust in Blender: one mesh, its own pictures, in every file, beside the photo."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from reconstruct_face.backend.assembly import with_bust
from reconstruct_face.backend.errors import ModelError
from reconstruct_face.backend.exchange import Reconstruction
from reconstruct_face.backend.exchange.options import Options
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.model.bust import load_bust
from reconstruct_face.scene.build import build_scene, prepare_file
from reconstruct_face.scene.coordinates import to_blender
from reconstruct_face.scene.export import export_head
from reconstruct_face.scene.eye_materials import is_beside_photo
from reconstruct_face.scene.fitted import points_of
from reconstruct_face.scene.render import square_around_head
from reconstruct_face.scene.studio import studio
from reconstruct_face.scene.turntable import add_turntable
from reconstruct_face.scene.update import check_can_update, update_head

from tests.default_head import head_of, smooth_noise
from tests.errors import raises
from tests.glb_files import decoded, read_glb


def made(seed: int = 3) -> Reconstruction:
    head = with_bust(head_of(seed, smooth_noise(256, seed)), load_model())
    options = Options(bust=True).to_dict()
    return replace(head, provenance={"options": options}, model={"name": "default", "version": 1})


@pytest.fixture
def head() -> Reconstruction:
    head = made()
    prepare_file(head)
    return head


def test_it_is_part_of_the_mesh_with_a_material_of_its_own(head: Reconstruction) -> None:
    built = build_scene(head).head
    mesh = built.data
    assert len(mesh.vertices) == len(head.vertices_neutral)
    assert len(mesh.polygons) == len(head.polygons), "no polygon was thrown away as invalid"
    skin, bust = mesh.materials[0], mesh.materials[-1]
    assert bust["reconstruct_face_kind"] == "bust" and is_beside_photo(bust)
    images = {}
    for material in (skin, bust):
        shader = material.node_tree.nodes["Principled BSDF"]
        images[material] = shader.inputs["Base Color"].links[0].from_node.image
        assert shader.subsurface_method == "RANDOM_WALK_SKIN"
    assert images[bust] != images[skin]
    assert images[bust].packed_file.data == head.bust_texture.tobytes()
    assert images[bust].colorspace_settings.name == "sRGB"
    normal = shader.inputs["Normal"].links[0].from_node.inputs["Color"].links[0].from_node.image
    assert normal.packed_file.data == head.bust_normal_map.tobytes()
    assert normal.colorspace_settings.name == "Non-Color"
    below = slice(head.head_count, None)
    keys = mesh.shape_keys.key_blocks
    basis = points_of(keys[0])[below]
    assert np.allclose(basis, to_blender(head.vertices_neutral)[below], atol=1e-6)
    assert all(np.abs(points_of(key)[below] - basis).max() < 1e-7 for key in list(keys)[1:])


def test_without_a_texture_it_is_as_the_skin() -> None:
    head = with_bust(head_of(1, mode="none"), load_model())
    prepare_file(head)
    mesh = build_scene(head).head.data
    skin, bust = (
        x.node_tree.nodes["Principled BSDF"].inputs for x in (mesh.materials[0], mesh.materials[-1])
    )
    for name in ("Base Color", "Roughness", "Subsurface Weight", "IOR"):
        assert np.allclose(np.array(skin[name].default_value), np.array(bust[name].default_value))
        assert not bust[name].links


def test_the_glb_holds_all_of_it(head: Reconstruction, tmp_path: Path) -> None:
    path = export_head(build_scene(head), tmp_path, "anna", ["glb"])["glb"]
    document, binary = read_glb(path)
    (mesh,) = document["meshes"]
    materials = [material["name"] for material in document["materials"]]
    part = next(p for p in mesh["primitives"] if materials[p["material"]].endswith("bust"))
    points = decoded(document, binary, part["attributes"]["POSITION"])
    bust, model = load_bust(load_model()), load_model()
    wanted = (
        np.r_[head.vertices_neutral[bust.ring], head.vertices_neutral[len(model.mean) :]] / 1000
    )
    gap = np.linalg.norm(points[:, None] - wanted[None], axis=2)
    assert gap.min(axis=1).max() < 1e-5 and gap.min(axis=0).max() < 1e-5
    material = document["materials"][part["material"]]
    assert {"baseColorTexture"} <= material["pbrMetallicRoughness"].keys()
    assert "normalTexture" in material
    moved = [decoded(document, binary, target["POSITION"]) for target in part["targets"]]
    ring = (
        np.linalg.norm(points[:, None] - wanted[None, : len(bust.ring)], axis=2).min(axis=1) < 1e-5
    )
    assert max(np.abs(one[~ring]).max() for one in moved) == 0


@pytest.mark.seconds
@pytest.mark.parametrize("kind", ["obj", "fbx", "usd"])
def test_files_that_are_opened_again_have_the_same_vertices(
    kind: str, head: Reconstruction, tmp_path: Path
) -> None:
    path = export_head(build_scene(head), tmp_path, "anna", [kind])[kind]
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    read = {
        "obj": bpy.ops.wm.obj_import, "fbx": bpy.ops.import_scene.fbx, "usd": bpy.ops.wm.usd_import,
    }[kind]  # fmt: skip
    read(filepath=str(path))
    (thing,) = [one for one in bpy.data.objects if one.type == "MESH"]
    assert len(thing.data.vertices) == len(head.vertices_neutral)
    assert len(thing.data.polygons) == len(head.polygons)
    names = [material.name for material in thing.data.materials]
    assert len(names) == len(head.materials) and any("bust" in name for name in names)
    shape = thing.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    points = np.array([tuple(thing.matrix_world @ vertex.co) for vertex in shape.vertices])
    low = to_blender(head.vertices_posed)[head.head_count :].min(axis=0)
    assert np.allclose(points[head.head_count :].min(axis=0), low, atol=1e-4)


def test_a_new_fit_moves_it_and_keeps_what_was_sculpted(head: Reconstruction) -> None:
    built = build_scene(head).head
    mine = head.head_count + 100
    for key in built.data.shape_keys.key_blocks:
        key.points[mine].co.z += 0.01
    new = made(4)
    update_head(built, new, bpy.context.scene)
    points = points_of(built.data.shape_keys.key_blocks[0])
    wanted = to_blender(new.vertices_neutral)
    wanted[mine, 2] += 0.01
    assert np.allclose(points, wanted, atol=1e-6)
    shader = built.data.materials[-1].node_tree.nodes["Principled BSDF"]
    image = shader.inputs["Base Color"].links[0].from_node.image
    assert image.packed_file.data == new.bust_texture.tobytes()


def test_a_fit_without_it_is_refused_in_a_sentence(head: Reconstruction) -> None:
    built = build_scene(head).head
    check_can_update(built, Options(bust=True))
    with raises(ModelError, built.name, "bust"):
        check_can_update(built, Options())
    about = json.loads(built["reconstruction"])
    del about["provenance"]["options"]["bust"]  # as heads of earlier versions
    built["reconstruction"] = json.dumps(about)
    check_can_update(built, Options())
    with raises(ModelError, built.name, "bust"):
        check_can_update(built, Options(bust=True))


def test_pictures_frame_the_head_and_the_turntable_all_of_it(head: Reconstruction) -> None:
    plain = head_of(3)
    assert square_around_head(head) == square_around_head(plain)
    scene = build_scene(head)
    add_turntable(scene.head, bpy.context.scene)
    camera = bpy.context.scene.camera
    bpy.context.view_layer.update()
    from bpy_extras.object_utils import world_to_camera_view
    from mathutils import Vector

    bpy.context.scene.render.resolution_x = bpy.context.scene.render.resolution_y = 100
    for corner in scene.head.bound_box:
        place = world_to_camera_view(
            bpy.context.scene, camera, scene.head.matrix_world @ Vector(corner)
        )
        assert 0 < place.x < 1 and 0 < place.y < 1


def test_beside_the_photo_it_is_not_there(head: Reconstruction) -> None:
    """The photo shows clothes where the bust is."""
    scene = build_scene(head)
    before = len(bpy.data.materials)
    with studio(scene.head) as stage:
        slots = stage._mesh.materials
        last = slots[-1]
        with stage.without_bust():
            kinds = {node.type for node in slots[-1].node_tree.nodes}
            output = next(x for x in slots[-1].node_tree.nodes if x.type == "OUTPUT_MATERIAL")
            assert output.inputs["Surface"].links[0].from_node.type == "BSDF_TRANSPARENT" and kinds
        assert slots[-1] == last
    assert len(bpy.data.materials) == before
