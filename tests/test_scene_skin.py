"""The skin's maps in Blender: wired where they belong, lit as the normals say, in every format."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import cv2
import numpy as np
import pytest
from mathutils import Vector
from reconstruct_face.backend.exchange import Reconstruction
from reconstruct_face.backend.exchange.npz import load_reconstruction, save_reconstruction
from reconstruct_face.backend.geometry.srgb import SRGB_TO_LINEAR
from reconstruct_face.backend.photo.encode import encode_jpeg, encode_png
from reconstruct_face.scene.build import HeadScene, build_scene, prepare_file
from reconstruct_face.scene.export import export_head
from reconstruct_face.scene.update import update_head
from reconstruct_face.scene.wrinkles import SHADE, wrinkle_depth

from tests.glb_files import read_glb
from tests.synthetic_reconstruction import make_reconstruction

#: (n + 1) / 2 of a normal that leans by 30 degrees towards +u, and of one that does not.
LEANING, FLAT = (191, 128, 238), (128, 128, 255)


def stripes(right: bool) -> np.ndarray:
    """Wrinkles of all groups as lines along v, on all of one map; the other is smooth."""
    out = np.zeros((256, 256, 3), np.uint8)
    if right:
        out[:, ::8] = out[:, 1::8] = 255
    return out


def first_value(image: Any) -> float:
    return float(image.pixels[0])


def with_maps(normal: tuple[int, int, int] = FLAT, rough: int = 120) -> Reconstruction:
    side = 64
    return replace(
        make_reconstruction(rows=20, columns=30),
        normal_map=encode_jpeg(np.full((side, side, 3), normal, np.uint8)),
        roughness_map=encode_jpeg(np.full((side, side), rough, np.uint8)),
        specular_map=encode_jpeg(np.full((side, side), 100, np.uint8)),
        wrinkles_right=encode_png(stripes(right=True)),
        wrinkles_left=encode_png(stripes(right=False)),
    )


def build(made: Reconstruction) -> HeadScene:
    prepare_file(made)
    return build_scene(made, set_active=True)


def skin(head: bpy.types.Object) -> bpy.types.Node:
    return head.data.materials[0].node_tree.nodes["Principled BSDF"]


def sources(head: bpy.types.Object) -> dict[str, bpy.types.Image]:
    """Pictures that the skin's shader takes, by its input; under wrinkles relief and colour."""
    found = {}
    for socket in skin(head).inputs:
        node = socket.links[0].from_node if socket.links else None
        while node is not None and node.type != "TEX_IMAGE":
            linked = [i.links[0].from_node for i in node.inputs if i.links]
            # A colour is scaled; a Bump node has what lies below it last.
            node = linked[0 if node.type == "VECT_MATH" else -1] if linked else None
        if node is not None:
            found[socket.name] = node.image
    return found


def test_each_map_feeds_its_input_as_numbers() -> None:
    head = build(with_maps()).head
    found = sources(head)
    assert set(found) == {"Base Color", "Roughness", "Specular IOR Level", "Normal"}
    assert found["Base Color"].colorspace_settings.name == "sRGB"
    for name in ("Roughness", "Specular IOR Level", "Normal"):
        assert found[name].colorspace_settings.name == "Non-Color"
        assert found[name].packed_file is not None
    assert first_value(found["Roughness"]) == pytest.approx(120 / 255, abs=0.01)
    labels = {node.label for node in head.data.materials[0].node_tree.nodes if node.type == "FRAME"}
    assert len(labels) == 5
    for material in head.data.materials[1:]:  # the maps are the skin's
        images = {n.image for n in material.node_tree.nodes if n.type == "TEX_IMAGE"}
        assert images == {found["Base Color"]}


def test_a_head_without_maps_is_plain() -> None:
    assert set(sources(build(make_reconstruction(rows=20, columns=30)).head)) == {"Base Color"}


def middle(
    made: Reconstruction,
    towards: float,
    keys: dict[str, float] | None = None,
    depth: float | None = None,
) -> np.ndarray:
    """(8, 8, 3) the middle of the face from the front, under one sun from the side."""
    built = build(made)
    if depth is not None:
        socket: Any = wrinkle_depth(built.head)
        socket.default_value = depth
    scene = bpy.context.scene
    for key in built.head.data.shape_keys.key_blocks[1:]:
        key.value = (keys or {}).get(key.name, 0.0)
    for light in built.lights:
        bpy.data.objects.remove(light)
    skin(built.head).inputs["Subsurface Weight"].default_value = 0
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.rotation_euler = Vector((towards, -0.7, 0)).to_track_quat("Z", "Y").to_euler()
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.location, camera.rotation_euler = (0, -1, 0), (np.pi / 2, 0, 0)
    for thing in (sun, camera):
        scene.collection.objects.link(thing)
    scene.camera = camera
    scene.render.resolution_x = scene.render.resolution_y = 64
    scene.cycles.samples, scene.cycles.use_denoising = 8, False
    picture = Path(bpy.app.tempdir) / "front.png"
    scene.render.filepath = str(picture)
    bpy.ops.render.render(write_still=True)
    return cv2.imread(str(picture))[28:36, 28:36].astype(float)


@pytest.mark.seconds
def test_cycles_lights_the_relief_from_the_right_side() -> None:
    made = with_maps(LEANING)
    x, y, z = made.vertices_neutral.T
    front = (z > 0) & (np.abs(y) < 40) & (x > 5) & (x < 60)  # beside the texture's seam
    first = np.zeros((len(made.vertices_neutral), 2))
    first[made.polygons.ravel()[::-1]] = made.uv[made.uv_polygons.ravel()[::-1]]
    skin_only = np.zeros(len(front), bool)
    skin_only[made.polygons[made.polygon_material == 0]] = True
    chosen = front & skin_only
    u_along_x = np.corrcoef(x[chosen], first[chosen, 0])[0, 1]
    assert abs(u_along_x) > 0.7
    side = float(np.sign(u_along_x))
    flat = with_maps(FLAT)
    assert middle(made, side).mean() > 1.1 * middle(flat, side).mean()
    assert middle(made, -side).mean() < 0.8 * middle(flat, -side).mean()


@pytest.mark.seconds
def test_wrinkles_come_with_their_shape_keys() -> None:
    """In Cycles: smooth at rest and by keys of the other half, lined by each group's keys."""
    made = with_maps()
    made.expression_basis[:] = 0  # nothing moves, so that pictures can be compared
    made.vertices_posed = made.vertices_neutral
    smooth = middle(made, 1.0)
    for name in ("browDownRight", "mouthSmileRight", "browInnerUp"):
        lined = middle(made, 1.0, {name: 1.0})
        half = middle(made, 1.0, {name: 0.5})
        assert np.abs(lined - smooth).mean() > 1.2
        assert 0.4 < np.abs(half - smooth).mean() < np.abs(lined - smooth).mean()
    for name in ("browDownLeft", "jawOpen"):
        assert np.abs(middle(made, 1.0, {name: 1.0}) - smooth).mean() < 0.5


@pytest.mark.seconds
def test_less_light_gets_into_wrinkles() -> None:
    """Of a skin that is one groove, which has no slopes, the colour loses its part."""
    groove = np.full((256, 256, 3), 255, np.uint8)
    dull = encode_jpeg(np.zeros((64, 64), np.uint8))
    made = replace(with_maps(), wrinkles_right=encode_png(groove), specular_map=dull)
    made.expression_basis[:] = 0
    made.vertices_posed = made.vertices_neutral
    rest, deep, half = (
        np.median(SRGB_TO_LINEAR[middle(made, 1.0, {"mouthSmileRight": value}).astype(int)])
        for value in (0.0, 1.0, 0.5)
    )
    assert deep / rest == pytest.approx(1 - SHADE, abs=0.03)
    assert half / rest == pytest.approx(1 - SHADE / 2, abs=0.03)


@pytest.mark.seconds
def test_a_slider_makes_them_deeper_or_none() -> None:
    made = with_maps()
    made.expression_basis[:] = 0
    made.vertices_posed = made.vertices_neutral
    smooth = middle(made, 1.0)
    usual, deep, none = (
        np.abs(middle(made, 1.0, {"browInnerUp": 1.0}, depth) - smooth).mean()
        for depth in (None, 1.0, 0.0)
    )
    assert none < 0.5 < usual < 0.8 * deep
    assert wrinkle_depth(build(make_reconstruction(rows=20, columns=30)).head) is None


def test_wrinkles_follow_the_largest_key_of_their_group() -> None:
    head = build(with_maps()).head
    blocks, nodes = head.data.shape_keys.key_blocks, head.data.materials[0].node_tree.nodes
    for key in blocks[1:]:
        key.value = 0.0
    blocks["mouthSmileLeft"].value, blocks["cheekSquintLeft"].value = 0.3, 0.7
    graph = bpy.context.evaluated_depsgraph_get()
    graph.update()
    shown = head.evaluated_get(graph).data.materials[0].evaluated_get(graph).node_tree.nodes
    depth = {n.label: n.outputs[0].default_value for n in shown if n.type == "VALUE"}
    assert len(depth) == 6
    assert depth["Smile left"] == pytest.approx(0.7)
    assert sum(depth.values()) == pytest.approx(0.7)
    assert all(not d.driver.expression or d.driver.type == "MAX" for d in _drivers(head))
    assert nodes["Wrinkles"].inputs["Distance"].default_value == pytest.approx(0.0007)


def _drivers(head: bpy.types.Object) -> list[bpy.types.FCurve]:
    return list(head.data.materials[0].node_tree.animation_data.drivers)


def test_glb_has_roughness_in_green_and_the_normals(tmp_path: Path) -> None:
    """glTF 2.0, section 3.9: G of the metallic-roughness texture; normals in tangent space."""
    path = export_head(build(with_maps()), tmp_path, "head", ["glb"])["glb"]
    document, binary = read_glb(path)
    material = next(m for m in document["materials"] if "normalTexture" in m)

    def picture(index: int) -> np.ndarray:
        image = document["images"][document["textures"][index]["source"]]
        view = document["bufferViews"][image["bufferView"]]
        start = view.get("byteOffset", 0)
        data = np.frombuffer(binary[start : start + view["byteLength"]], np.uint8)
        return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]

    rough = material["pbrMetallicRoughness"]
    assert abs(int(picture(rough["metallicRoughnessTexture"]["index"])[5, 5, 1]) - 120) <= 2
    assert rough["metallicFactor"] == 0
    assert np.abs(picture(material["normalTexture"]["index"])[5, 5].astype(int) - FLAT).max() <= 2
    assert "specularTexture" not in material.get("extensions", {}).get("KHR_materials_specular", {})
    assert len(document["images"]) == 3
    # The exporter's file has none, the head in the scene still does.
    (head,) = [thing for thing in bpy.data.objects if "reconstruct_face" in thing]
    assert "Specular IOR Level" in sources(head)


@pytest.mark.parametrize(
    ("kind", "importer", "expected"),
    [
        ("fbx", "import_scene.fbx", {"Base Color", "Roughness", "Normal", "Specular IOR Level"}),
        ("obj", "wm.obj_import", {"Base Color", "Roughness", "Normal", "Specular IOR Level"}),
        ("usd", "wm.usd_import", {"Base Color", "Roughness", "Normal"}),
    ],
)
def test_other_formats_hand_the_maps_on(
    kind: str, importer: str, expected: set[str], tmp_path: Path
) -> None:
    path = export_head(build(with_maps()), tmp_path, "head", [kind])[kind]
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    group, name = importer.split(".")
    getattr(getattr(bpy.ops, group), name)(filepath=str(path))
    (head,) = [thing for thing in bpy.data.objects if thing.type == "MESH"]
    materials = {m.name: m for m in head.data.materials}
    head.data.materials[0] = next(m for n, m in materials.items() if n.endswith("skin"))
    found = sources(head)
    assert set(found) >= expected
    for image in found.values():
        assert tuple(image.size) in {(64, 64), (128, 128)}


def test_fit_again_brings_new_maps_and_keeps_painted_ones() -> None:
    built = build(with_maps(rough=120))
    before = sources(built.head)
    painted: Any = before["Normal"]
    painted.pixels[0] = 0.25  # an artist's stroke
    notes = update_head(built.head, with_maps(rough=60), bpy.context.scene)
    after = sources(built.head)
    assert first_value(after["Roughness"]) == pytest.approx(60 / 255, abs=0.01)
    assert after["Base Color"].colorspace_settings.name == "sRGB"
    (note,) = [text for text in notes if "painted" in text]
    assert "normal map" in note
    names = {image.name for image in bpy.data.images}
    assert "Ada Lovelace normal map" in names
    assert "Ada Lovelace normal map painted" in names


def test_files_of_earlier_versions_open_without_maps(tmp_path: Path) -> None:
    path = save_reconstruction(with_maps(), tmp_path / "new.npz")
    assert load_reconstruction(path).normal_map.size
    with np.load(path) as archive:
        new = ("normal_map", "roughness_map", "specular_map", "wrinkles_right", "wrinkles_left")
        kept = {name: archive[name] for name in archive.files if name not in new}
    packed = io.BytesIO()
    np.savez(packed, **kept)
    (tmp_path / "old.npz").write_bytes(packed.getvalue())
    old = load_reconstruction(tmp_path / "old.npz")
    assert not old.normal_map.size
    assert set(sources(build(old).head)) == {"Base Color"}
