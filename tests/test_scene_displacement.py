"""The displacement in Blender's material, through saving, exporting and fitting again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from reconstruct_face.backend.exchange import Reconstruction
from reconstruct_face.scene.build import HeadScene, build_scene, prepare_file
from reconstruct_face.scene.displacement import CHOICE, STRENGTH, displacement_image
from reconstruct_face.scene.export import export_head
from reconstruct_face.scene.update import update_head

from tests.synthetic_reconstruction import make_reconstruction

HEIGHT = np.round(np.random.default_rng(1).normal(size=(32, 32)) * 20).astype(np.float32) / 1024


@pytest.fixture
def detailed() -> Reconstruction:
    head = make_reconstruction()
    return replace(head, displacement=HEIGHT, normal_map=head.texture)


@pytest.fixture
def built(detailed: Reconstruction) -> HeadScene:
    return build_scene(detailed, prepare_file(detailed))


def skin_of(head: bpy.types.Object) -> bpy.types.Material:
    found = [m for m in head.data.materials if m is not None and m.name.endswith("skin")]
    return found[0]


def pixels_of(image: bpy.types.Image) -> np.ndarray:
    found = np.empty(image.size[0] * image.size[1] * image.channels, np.float32)
    image.pixels.foreach_get(found)
    return found.reshape(image.size[1], image.size[0], -1)[::-1, :, 0]


def test_the_material_has_it_in_metres_with_a_strength(built: HeadScene) -> None:
    material = skin_of(built.head)
    output = next(n for n in material.node_tree.nodes if n.type == "OUTPUT_MATERIAL")
    displace = output.inputs["Displacement"].links[0].from_node
    assert displace.inputs["Midlevel"].default_value == 0
    scale = displace.inputs["Scale"].links[0].from_node
    assert scale.inputs[1].default_value == pytest.approx(0.001)
    assert scale.inputs[0].links[0].from_node.name == STRENGTH
    image = displacement_image(built.head)
    assert image is not None and image.colorspace_settings.name == "Non-Color"
    np.testing.assert_array_equal(pixels_of(image), HEIGHT)
    assert material.displacement_method == "BUMP"


def test_the_normal_map_gives_way_to_geometry(built: HeadScene) -> None:
    material = skin_of(built.head)
    factors = []
    for method in ("BUMP", "DISPLACEMENT"):
        material.displacement_method = method
        graph = bpy.context.evaluated_depsgraph_get()
        graph.update()
        seen = material.evaluated_get(graph).node_tree.nodes[CHOICE].inputs[0].default_value
        factors.append(seen)
    assert factors == [0, 1]


def test_the_file_and_the_exports_have_it(built: HeadScene, tmp_path: Path) -> None:
    export_head(built, tmp_path, "x", ["glb", "obj", "blend"])
    beside = bpy.data.images.load(str(tmp_path / "x_displacement.exr"))
    beside.colorspace_settings.name = "Non-Color"
    np.testing.assert_array_equal(pixels_of(beside), HEIGHT)
    output = next(n for n in skin_of(built.head).node_tree.nodes if n.type == "OUTPUT_MATERIAL")
    assert output.inputs["Displacement"].links  # exporting took it out for the while only
    name = built.head.name
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "x.blend"))
    image = displacement_image(bpy.data.objects[name])
    assert image is not None
    np.testing.assert_array_equal(pixels_of(image), HEIGHT)


def test_fitting_again_brings_and_takes_it(detailed: Reconstruction, built: HeadScene) -> None:
    scene = bpy.context.scene
    plain = replace(detailed, displacement=np.empty((0, 0), np.float32))
    update_head(built.head, plain, scene)
    assert displacement_image(built.head) is None
    assert not [i for i in bpy.data.images if "displacement" in i.name]
    update_head(built.head, replace(detailed, displacement=2 * HEIGHT), scene)
    image = displacement_image(built.head)
    assert image is not None
    np.testing.assert_array_equal(pixels_of(image), 2 * HEIGHT)
