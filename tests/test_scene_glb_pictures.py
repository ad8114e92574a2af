"""The pictures in a .glb: byte by byte those of the materials, unless somebody changed them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from PIL import Image
from reconstruct_face.scene.build import HeadScene, build_scene, prepare_file
from reconstruct_face.scene.export import export_head
from reconstruct_face.scene.materials import ROLE, role_of

from tests.glb_files import read_glb
from tests.synthetic_reconstruction import encode_jpeg, make_reconstruction


@pytest.fixture
def head_scene() -> Iterator[HeadScene]:
    noise = np.random.default_rng(3).integers(90, 160, (64, 64, 3)).astype(np.uint8)
    made = replace(
        make_reconstruction(),
        normal_map=encode_jpeg(noise),
        roughness_map=encode_jpeg(noise[..., 0]),
        specular_map=encode_jpeg(noise[..., 1]),
    )
    prepare_file(made)
    yield build_scene(made, name="Zoë", set_active=True)


def image_of(role: str) -> bpy.types.Image:
    (found,) = (image for image in bpy.data.images if image.get(ROLE) == role)
    return found


def pictures_in(path: Path) -> dict[str, bytes]:
    document, blob = read_glb(path)
    found = {}
    for image in document["images"]:
        view = document["bufferViews"][image["bufferView"]]
        start = view["byteOffset"]
        found[image["name"]] = blob[start : start + view["byteLength"]]
        kind = Image.open(io.BytesIO(found[image["name"]])).format
        assert image["mimeType"] == {"PNG": "image/png", "JPEG": "image/jpeg"}[kind or ""]
    return found


def written(head_scene: HeadScene, folder: Path) -> dict[str, bytes]:
    return pictures_in(export_head(head_scene, folder, "zoe", ["glb"])["glb"])


def pixels_of(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def skin_nodes(head_scene: HeadScene) -> tuple[Any, Any]:
    tree = head_scene.head.data.materials[0].node_tree
    return tree, tree.nodes["Principled BSDF"]


def test_the_file_has_the_pictures_of_the_blend(head_scene: HeadScene, tmp_path: Path) -> None:
    before = {image: role_of(image) for image in bpy.data.images}
    found = written(head_scene, tmp_path)
    roles = ("colour", "normal", "roughness")
    assert found == {
        f"Zoë_{name}": bytes(image_of(role).packed_file.data)
        for role, name in zip(roles, ("texture", "normal_map", "roughness_map"), strict=True)
    }
    assert {image: role_of(image) for image in bpy.data.images} == before
    tree, shader = skin_nodes(head_scene)
    assert shader.inputs["Base Color"].links[0].from_node.image == image_of("colour")
    assert shader.inputs["Roughness"].links[0].from_node.image == image_of("roughness")


def test_what_was_painted_is_written(head_scene: HeadScene, tmp_path: Path) -> None:
    image = image_of("colour")
    width, height = image.size
    image.pixels.foreach_set(np.tile(np.float32([0, 1, 0, 1]), width * height))
    assert image.is_dirty
    found = written(head_scene, tmp_path)["Zoë_texture"]
    assert (pixels_of(found) == (0, 255, 0)).all()


def test_a_users_picture_is_combined_with_ours(head_scene: HeadScene, tmp_path: Path) -> None:
    """Roughness and metallic are one picture in glTF; the exporter makes it of both."""
    tree, shader = skin_nodes(head_scene)
    metal = bpy.data.images.new("metal", 64, 64)
    metal.pixels.foreach_set(np.tile(np.float32([1, 1, 1, 1]), 64 * 64))
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = metal
    tree.links.new(node.outputs["Color"], shader.inputs["Metallic"])
    found = written(head_scene, tmp_path)
    (both,) = (data for name, data in found.items() if "metal" in name)
    pixels = pixels_of(both)
    assert pixels.shape[:2] == (64, 64) and (pixels[..., 2] == 255).all()
    ours = pixels_of(bytes(image_of("roughness").packed_file.data))
    assert np.abs(pixels[..., 1] - ours[..., 1]).max() <= 2


def test_a_texture_that_also_serves_nodes_of_the_users_own_is_there_once(
    head_scene: HeadScene, tmp_path: Path
) -> None:
    tree, shader = skin_nodes(head_scene)
    link = shader.inputs["Base Color"].links[0]
    invert = tree.nodes.new("ShaderNodeInvert")
    tree.links.new(link.from_socket, invert.inputs["Color"])
    tree.links.new(invert.outputs["Color"], shader.inputs["Base Color"])
    found = written(head_scene, tmp_path)
    assert [name for name in found if "texture" in name] == ["Zoë_texture"]
    assert pixels_of(found["Zoë_texture"]).shape == (*image_of("colour").size, 3)
