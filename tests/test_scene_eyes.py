"""Eyes in Blender: a cornea that refracts, and what files for other programs get of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from reconstruct_face.backend.bench.models import random_head
from reconstruct_face.scene.asset_preview import draw_head
from reconstruct_face.scene.build import HeadScene, build_scene
from reconstruct_face.scene.export import export_head
from reconstruct_face.scene.eye_materials import CLEAR, FILM_ALPHA, INDEX, is_seen_through
from reconstruct_face.scene.passes_material import Emitted, emitting

HEAD = random_head("default")
KINDS = [slot.kind for slot in HEAD.materials]


@pytest.fixture
def built() -> HeadScene:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    return build_scene(HEAD, name="Eyes")


def cornea_of(built: HeadScene) -> bpy.types.Material:
    material = built.head.material_slots[KINDS.index("cornea")].material
    assert material is not None
    return material


def principled(material: bpy.types.Material) -> Any:
    return next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")


def reached(material: bpy.types.Material, target: str) -> set[str]:
    """Types of the nodes that the output for the renderer ``target`` depends on."""
    output = next(
        node
        for node in material.node_tree.nodes
        if node.type == "OUTPUT_MATERIAL" and node.target == target
    )
    found: set[str] = set()
    left: list[Any] = [output]
    while left:
        node = left.pop()
        found.add(node.type)
        left += [link.from_node for socket in node.inputs for link in socket.links]
    return found


def test_the_cornea_refracts_and_lets_light_onto_the_iris(built: HeadScene) -> None:
    cornea = cornea_of(built)
    inputs = principled(cornea).inputs
    assert inputs["Transmission Weight"].default_value == 1
    assert inputs["Roughness"].default_value == 0
    assert inputs["IOR"].default_value == pytest.approx(INDEX)
    assert {"BSDF_PRINCIPLED", "LIGHT_PATH", "BSDF_TRANSPARENT"} <= reached(cornea, "CYCLES")
    assert "BSDF_PRINCIPLED" not in reached(cornea, "EEVEE")
    assert {"BSDF_TRANSPARENT", "FRESNEL"} <= reached(cornea, "EEVEE")
    assert cornea.diffuse_color[3] < 0.1, "solid shading shows the iris too"
    assert max(cornea.diffuse_color[:3]) == 0, "and not through a haze"
    iris = built.head.material_slots[KINDS.index("iris")].material
    assert iris is not None
    assert iris.roughness == 0, "in solid shading a rough one is veiled by its highlight"


def test_only_cornea_lashes_and_tears_are_seen_through(built: HeadScene) -> None:
    through = [is_seen_through(slot.material) for slot in built.head.material_slots]
    assert through == [kind in ("cornea", "lashes", "tear") for kind in KINDS]
    for kind in ("eye", "iris"):
        shader = principled(built.head.material_slots[KINDS.index(kind)].material)
        assert shader.inputs["Base Color"].links and shader.inputs["Alpha"].default_value == 1
    iris = principled(built.head.material_slots[KINDS.index("iris")].material)
    assert iris.inputs["Coat Weight"].default_value == 0, "the cornea mirrors, not the iris"


def test_passes_show_no_cornea(built: HeadScene) -> None:
    before = cornea_of(built)
    with emitting(built.head, Emitted.NORMAL, np.zeros((9, 3))):
        for target in ("CYCLES", "EEVEE"):
            shown = reached(cornea_of(built), target)
            assert "BSDF_TRANSPARENT" in shown and "EMISSION" not in shown
    assert cornea_of(built) == before


@pytest.mark.seconds
@pytest.mark.parametrize("key", ["glb", "fbx", "obj"])
def test_files_show_a_clear_film_before_the_iris(
    built: HeadScene, tmp_path: Path, key: str
) -> None:
    before = [(slot.material, slot.material.name) for slot in built.head.material_slots]
    path = export_head(built, tmp_path, "eyes", [key])[key]
    assert [(s.material, s.material.name) for s in built.head.material_slots] == before
    assert {m.name for m in bpy.data.materials} == {name for _, name in before}
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    read = {"glb": bpy.ops.import_scene.gltf, "fbx": bpy.ops.import_scene.fbx}
    read.get(key, bpy.ops.wm.obj_import)(filepath=str(path))
    (head,) = [thing for thing in bpy.data.objects if thing.type == "MESH"]
    alphas = {
        slot.material.name.split()[-1].split("_")[-1]: (
            principled(slot.material).inputs["Alpha"].default_value
        )
        for slot in head.material_slots
    }
    for kind in CLEAR:
        assert alphas.pop(kind) == pytest.approx(FILM_ALPHA, abs=0.01)
    assert set(alphas.values()) == {1.0} and set(alphas) == set(KINDS) - set(CLEAR)


def test_the_preview_of_an_asset_shows_the_iris(built: HeadScene) -> None:
    cornea_of(built).diffuse_color = (1.0, 0.0, 1.0, 1.0)
    red, green, blue = np.moveaxis(draw_head(built.head)[..., :3], 2, 0)
    assert not ((red > 0.3) & (blue > 0.3) & (green < 0.1)).any()
