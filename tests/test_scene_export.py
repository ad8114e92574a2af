"""Every file format written, then read by somebody else: a new process, a parser, an importer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
import zstandard
from reconstruct_face.backend.errors import OutputError
from reconstruct_face.backend.exchange import Reconstruction
from reconstruct_face.backend.exchange.own_pictures import marked
from reconstruct_face.scene.build import HeadScene, build_scene, prepare_file
from reconstruct_face.scene.export import export_head, staged

from tests.errors import raises
from tests.glb_files import floats, read_glb
from tests.synthetic_reconstruction import ARKIT_NAMES, HEAD_HALF_SIZE_MM, make_reconstruction

NAME = "Zoë 1"


def build(reconstruction: Reconstruction) -> HeadScene:
    prepare_file(reconstruction)
    return build_scene(reconstruction, set_active=True)


@pytest.fixture
def made() -> Reconstruction:
    return make_reconstruction(image_size=(480, 640), principal=(250.0, 300.0))


READ_BLEND = """
import json, sys
import bpy
bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
scene = bpy.context.scene
head = next(o for o in bpy.data.objects if "reconstruct_face" in o)
mesh, camera = head.data, scene.camera
skin = mesh.materials[0].node_tree.nodes["Principled BSDF"]
image = skin.inputs["Base Color"].links[0].from_node.image
first = mesh.polygons[0]
json.dump({
    "keys": [(k.name, k.slider_min, k.slider_max, k.value) for k in mesh.shape_keys.key_blocks],
    "jaw": [list(p.co) for p in mesh.shape_keys.key_blocks["jawOpen"].points],
    "texture": (len(image.packed_file.data), list(image.size), image.pixels[:4]),
    "uv": [list(mesh.uv_layers[0].uv[i].vector) for i in first.loop_indices],
    "identity": list(head["identity"]),
    "about": json.loads(head["reconstruction"]),
    "collections": [c.name for c in scene.collection.children],
    "camera": [list(row) for row in camera.matrix_world],
    "lens": camera.data.lens,
    "photo": len(camera.data.background_images[0].image.packed_file.data),
    "size": (scene.render.resolution_x, scene.render.resolution_y),
    "lights": sum(o.type == "LIGHT" for o in bpy.data.objects),
    "transform": scene.view_settings.view_transform,
    "materials": [m.name for m in mesh.materials],
    "modifiers": [m.type for m in head.modifiers],
}, open(sys.argv[2], "w"))
"""


def test_the_blend_reopens_in_a_new_process(made: Reconstruction, tmp_path: Path) -> None:
    head_scene = build(made)
    camera = [list(row) for row in head_scene.camera.matrix_world]
    path = export_head(head_scene, tmp_path, NAME, ["blend"])["blend"]
    answer = tmp_path / "answer.json"
    subprocess.run([sys.executable, "-c", READ_BLEND, path, answer], check=True, timeout=120)
    found = json.loads(answer.read_text())
    names, low, high, values = zip(*found["keys"], strict=True)
    assert names == ("Basis", *ARKIT_NAMES)
    assert set(low[1:]) == {0.0}
    assert set(high[1:]) == {1.0}
    assert np.allclose(values[1:], made.expression)
    delta = made.expression_basis[ARKIT_NAMES.index("jawOpen")]
    jaw = (made.vertices_neutral + delta)[:, [0, 2, 1]] * (1, -1, 1) / 1000
    assert np.allclose(found["jaw"], jaw, atol=1e-5)
    assert found["texture"][:2] == [made.texture.size, [128, 128]]
    assert any(found["texture"][2][:3]), "the packed texture has pixels"
    assert np.allclose(found["uv"], made.uv[made.uv_polygons[0]])
    assert np.allclose(found["identity"], made.identity)
    assert found["about"]["photo"] == "Ada Lovelace.jpg"
    assert found["collections"] == ["Ada Lovelace"]
    assert np.allclose(found["camera"], camera)
    assert found["lens"] == pytest.approx(900 / 640 * 36)
    assert found["photo"] == made.photo.size
    assert found["size"] == [480, 640]
    assert found["lights"] >= 2
    assert found["transform"] == "Standard"
    assert found["modifiers"] == ["SUBSURF"]


@pytest.mark.parametrize("shown", [True, False])
def test_the_blend_is_subdivided_as_the_head_is(
    made: Reconstruction, tmp_path: Path, shown: bool
) -> None:
    """Blender works the subdivision out neither before nor after it saves."""
    head_scene = build(made)
    head_scene.head.modifiers[0].show_viewport = shown
    seen: list[int] = []

    def updated(scene: bpy.types.Scene, graph: bpy.types.Depsgraph) -> None:
        seen.append(len(head_scene.head.evaluated_get(graph).data.vertices))

    bpy.app.handlers.depsgraph_update_post.append(updated)
    count = len(bpy.app.handlers.save_pre), len(bpy.app.handlers.save_post)
    try:
        path = export_head(head_scene, tmp_path, NAME, ["blend"])["blend"]
    finally:
        bpy.app.handlers.depsgraph_update_post.remove(updated)
    assert set(seen) == {len(head_scene.head.data.vertices)}
    assert head_scene.head.modifiers[0].show_viewport is shown
    assert (len(bpy.app.handlers.save_pre), len(bpy.app.handlers.save_post)) == count
    with bpy.data.libraries.load(str(path)) as (_, wanted):  # pyright: ignore
        wanted.objects = [head_scene.head.name]
    (saved,) = wanted.objects
    assert saved.modifiers[0].show_viewport is shown


def test_blender_42_reads_the_header_of_the_blend(made: Reconstruction, tmp_path: Path) -> None:
    """From 5.0 on it is longer, and 4.2 to 4.4 refuse the file as damaged."""
    path = export_head(build(made), tmp_path, NAME, ["blend"])["blend"]
    with open(path, "rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as plain:
        header = plain.read(12)
    assert header[:9] == b"BLENDER-v", "eight bytes a pointer, the least significant first"
    assert 402 <= int(header[9:]) < 500


def test_the_glb_has_named_morph_targets_and_the_texture(
    made: Reconstruction, tmp_path: Path
) -> None:
    path = export_head(build(made), tmp_path, NAME, ["glb"])["glb"]
    document, binary = read_glb(path)
    (mesh,) = document["meshes"]
    assert mesh["extras"]["targetNames"] == list(ARKIT_NAMES)
    assert np.allclose(mesh["weights"], made.expression, atol=1e-6)
    assert "cameras" not in document
    assert "KHR_lights_punctual" not in document.get("extensionsUsed", [])
    (image,) = document["images"]
    view = document["bufferViews"][image["bufferView"]]
    start = view.get("byteOffset", 0)
    assert binary[start : start + view["byteLength"]] == made.texture.tobytes()
    for material in document["materials"]:
        assert "index" in material["pbrMetallicRoughness"]["baseColorTexture"]
    assert len(mesh["primitives"]) == 3  # skin, eyes, teeth: the materials that have polygons


def test_the_glb_is_in_metres_with_y_up(made: Reconstruction, tmp_path: Path) -> None:
    document, binary = read_glb(export_head(build(made), tmp_path, NAME, ["glb"])["glb"])
    primitive = document["meshes"][0]["primitives"][0]  # the egg
    neutral = floats(document, binary, primitive["attributes"]["POSITION"])
    half = np.array(HEAD_HALF_SIZE_MM) / 1000  # x, y up, z towards the viewer, as in the head
    assert np.allclose(neutral.max(0), half, rtol=0.01)
    assert np.allclose(neutral.min(0), -half, rtol=0.01)
    assert "matrix" not in document["nodes"][0]
    jaw = floats(document, binary, primitive["targets"][ARKIT_NAMES.index("jawOpen")]["POSITION"])
    egg = made.expression_basis[ARKIT_NAMES.index("jawOpen"), : 41 * 60] / 1000
    assert np.allclose(jaw.max(0), egg.max(0), atol=1e-5)
    assert np.allclose(jaw.min(0), egg.min(0), atol=1e-5)


def imported_head(importer: str, path: Path, **options: object) -> bpy.types.Object:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    group, name = importer.split(".")
    getattr(getattr(bpy.ops, group), name)(filepath=str(path), **options)
    (head,) = [thing for thing in bpy.data.objects if thing.type == "MESH"]
    return head


def world_vertices(head: bpy.types.Object, key: str | None = None) -> np.ndarray:
    points = head.data.shape_keys.key_blocks[key].points if key else head.data.vertices
    matrix = head.matrix_world
    return np.array([(matrix @ point.co)[:] for point in points])


def blender_metres(points: np.ndarray) -> np.ndarray:
    return points[:, [0, 2, 1]] * (1, -1, 1) / 1000


def textures(head: bpy.types.Object) -> set[tuple[int, int]]:
    return {
        tuple(node.image.size)
        for material in head.data.materials
        for node in material.node_tree.nodes
        if node.type == "TEX_IMAGE"
    }


def test_the_fbx_keeps_size_shape_keys_and_texture(made: Reconstruction, tmp_path: Path) -> None:
    path = export_head(build(made), tmp_path, NAME, ["fbx"])["fbx"]
    head = imported_head("import_scene.fbx", path)
    assert np.allclose(
        world_vertices(head, "Basis"), blender_metres(made.vertices_neutral), atol=1e-5
    )
    names = [key.name for key in head.data.shape_keys.key_blocks]
    assert names == ["Basis", *ARKIT_NAMES]
    jaw = made.vertices_neutral + made.expression_basis[ARKIT_NAMES.index("jawOpen")]
    assert np.allclose(world_vertices(head, "jawOpen"), blender_metres(jaw), atol=1e-5)
    assert textures(head) == {(128, 128)}
    assert {polygon.loop_total for polygon in head.data.polygons} == {4}


def test_the_obj_shows_the_expression_with_its_texture(
    made: Reconstruction, tmp_path: Path
) -> None:
    path = export_head(build(made), tmp_path, NAME, ["obj"])["obj"]
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        f"{NAME}.mtl", f"{NAME}.obj", f"{NAME}_texture.png",
    ]  # fmt: skip
    assert str(tmp_path) not in (tmp_path / f"{NAME}.mtl").read_text()
    assert (tmp_path / f"{NAME}_texture.png").read_bytes() == marked(made.texture.tobytes())
    lines = path.read_text().splitlines()
    vertices = np.array([line.split()[1:] for line in lines if line.startswith("v ")], float)
    assert np.allclose(vertices, made.vertices_posed / 1000, atol=1e-5)  # y up, as in the head
    head = imported_head("wm.obj_import", path)
    assert textures(head) == {(128, 128)}
    assert len(head.data.polygons) == len(made.polygons)


def test_the_usdz_keeps_size_shape_keys_and_texture(made: Reconstruction, tmp_path: Path) -> None:
    path = export_head(build(made), tmp_path, NAME, ["usd"])["usd"]
    assert path.suffix == ".usdz"
    with zipfile.ZipFile(path) as package:
        (texture,) = [name for name in package.namelist() if name.endswith(".png")]
        assert package.read(texture) == made.texture.tobytes()
    head = imported_head("wm.usd_import", path)
    size = np.ptp(world_vertices(head), axis=0)
    assert size[2] == pytest.approx(2 * HEAD_HALF_SIZE_MM[1] / 1000, rel=0.05)  # Z up again
    names = {key.name for key in head.data.shape_keys.key_blocks}
    assert set(ARKIT_NAMES) <= names


def test_exporting_leaves_the_scene_as_it_was(made: Reconstruction, tmp_path: Path) -> None:
    head_scene = build(made)
    image = bpy.data.images["Ada Lovelace texture"]
    before = (len(bpy.data.collections), image.filepath_raw, len(bpy.data.images))
    export_head(head_scene, tmp_path, NAME, ["glb", "fbx", "obj", "usd"])
    assert (len(bpy.data.collections), image.filepath_raw, len(bpy.data.images)) == before
    assert head_scene.head.modifiers[0].show_viewport
    assert image.packed_file is not None


def test_exporters_say_nothing(
    made: Reconstruction, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    head_scene = build(made)
    capfd.readouterr()
    export_head(head_scene, tmp_path, NAME, ["blend", "glb", "fbx", "obj", "usd"])
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("key", ["blend", "glb", "fbx", "obj", "usd"])
def test_a_file_where_the_folder_should_be_is_one_sentence(
    key: str, made: Reconstruction, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("here already")
    with raises(OutputError, blocked):
        export_head(build(made), blocked, NAME, [key])
    assert blocked.read_text() == "here already"


def test_an_unknown_format_is_refused(made: Reconstruction, tmp_path: Path) -> None:
    with raises(OutputError, "'stl'", "glb, fbx, obj, usd, vrm, blend"):
        export_head(build(made), tmp_path, NAME, ["stl"])
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_the_older_file(tmp_path: Path) -> None:
    older = tmp_path / "head.glb"
    older.write_text("older")
    with raises(ValueError, "half way"), staged(tmp_path) as beside:
        (beside / "head.glb").write_text("half")
        raise ValueError("half way")
    assert older.read_text() == "older"
    assert os.listdir(tmp_path) == ["head.glb"]


def test_usd_where_blender_has_none_is_one_sentence(
    made: Reconstruction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head_scene = build(made)
    app = SimpleNamespace(build_options=SimpleNamespace(usd=False), version_string="4.3.2")
    monkeypatch.setattr("reconstruct_face.scene.export.bpy", SimpleNamespace(app=app))
    with raises(OutputError, "4.3.2", "USD"):
        export_head(head_scene, tmp_path, NAME, ["usd"])
    assert not list(tmp_path.iterdir())
