"""The .glb itself: what its morph targets hold, and in how few bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from reconstruct_face.backend.exchange import Reconstruction
from reconstruct_face.backend.geometry.triangles import angle_weighted_normals
from reconstruct_face.scene.animation.export import export_animation
from reconstruct_face.scene.build import build_scene, prepare_file
from reconstruct_face.scene.export import export_head
from reconstruct_face.scene.formats.glb import Glb

from tests.glb_files import floats, read_glb
from tests.synthetic_reconstruction import ARKIT_NAMES, make_reconstruction


@pytest.fixture(scope="module")
def made() -> Reconstruction:
    """A head whose every shape moves one part of one half, as a real one's do."""
    found = make_reconstruction(rows=24, columns=32)
    basis = found.expression_basis
    basis[np.linalg.norm(basis, axis=2) < 1] = 0
    basis[:, found.vertices_neutral[:, 1] < -50] = 0
    posed = np.tensordot(found.expression, basis, 1)
    found.vertices_posed = (found.vertices_neutral + posed).astype(np.float32)
    return found


@pytest.fixture(scope="module")
def files(made: Reconstruction, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    prepare_file(made)
    head_scene = build_scene(made, name="Zoë", set_active=True)
    folder = tmp_path_factory.mktemp("glb")
    still = export_head(head_scene, folder, "still", ["glb"])["glb"]
    key = head_scene.head.data.shape_keys.key_blocks["jawOpen"]
    for frame, value in ((1, 0.25), (4, 0.75)):
        key.value = value
        key.keyframe_insert("value", frame=frame)
    moving = export_animation(head_scene, folder, "moving", ["glb", "fbx"], (1, 4))
    bpy.ops.export_scene.gltf(
        filepath=str(folder / "raw.glb"), export_animations=False, export_extras=False
    )
    return {
        "still": still, "moving": moving["glb"], "fbx": moving["fbx"], "raw": folder / "raw.glb"
    }  # fmt: skip


@pytest.fixture(params=["still", "moving"])
def parsed(request: pytest.FixtureRequest, files: dict[str, Path]) -> tuple[dict[str, Any], bytes]:
    return read_glb(files[request.param])


def skin(document: dict[str, Any]) -> dict[str, Any]:
    return document["meshes"][0]["primitives"][0]


def test_normals_are_those_of_the_moved_surface(
    parsed: tuple[dict[str, Any], bytes], made: Reconstruction
) -> None:
    document, blob = parsed
    primitive = skin(document)
    places = floats(document, blob, primitive["attributes"]["POSITION"])
    distance = np.linalg.norm(1000 * places[:, None] - made.vertices_neutral[None], axis=2)
    same = distance.argmin(axis=1)  # vertices are split at the texture's seams
    rest = angle_weighted_normals(made.vertices_neutral.astype(np.float64), made.polygons)
    for name in ("jawOpen", "mouthSmileLeft", "browInnerUp"):
        index = ARKIT_NAMES.index(name)
        target = primitive["targets"][index]
        basis = made.expression_basis[index]
        moved = floats(document, blob, target["POSITION"])
        np.testing.assert_allclose(1000 * moved, basis[same], atol=2e-3)
        after = angle_weighted_normals((made.vertices_neutral + basis).astype(float), made.polygons)
        turned = floats(document, blob, target["NORMAL"])
        assert np.abs(turned).max() > 0.01
        np.testing.assert_allclose(turned, (after - rest)[same], atol=3e-3)
        still = np.linalg.norm(after - rest, axis=1)[same] < 5e-4
        assert not turned[still].any(), "what does not turn is nothing, not noise"


def test_what_does_not_move_takes_no_bytes(
    parsed: tuple[dict[str, Any], bytes], made: Reconstruction
) -> None:
    document, blob = parsed
    seen = 0
    for primitive in document["meshes"][0]["primitives"]:
        assert len(primitive["targets"]) == len(ARKIT_NAMES)
        assert len({tuple(target) for target in primitive["targets"]}) == 1, "the same attributes"
        for target in primitive["targets"]:
            for index in target.values():
                accessor = document["accessors"][index]
                moving = int(floats(document, blob, index).any(axis=1).sum())
                if "sparse" in accessor:
                    assert accessor["sparse"]["count"] == moving
                else:
                    assert ("bufferView" in accessor) == (moving > 0)
                seen += moving < accessor["count"]
    assert seen > 2 * len(ARKIT_NAMES)


def test_nothing_is_stored_twice_or_for_nobody(parsed: tuple[dict[str, Any], bytes]) -> None:
    document, blob = parsed
    views = sorted(document["bufferViews"], key=lambda view: view["byteOffset"])
    end = 0
    for view in views:
        assert 0 <= view["byteOffset"] - end < 4
        end = view["byteOffset"] + view["byteLength"]
    assert document["buffers"][0]["byteLength"] == end <= len(blob) < end + 4
    used = {view for accessor in document["accessors"] for view in _views(accessor)}
    used |= {image["bufferView"] for image in document["images"]}
    assert used == set(range(len(views)))


def _views(accessor: dict[str, Any]) -> list[int]:
    found = [accessor["bufferView"]] if "bufferView" in accessor else []
    if sparse := accessor.get("sparse"):
        found += [sparse["indices"]["bufferView"], sparse["values"]["bufferView"]]
    return found


def test_it_is_smaller_than_blenders(files: dict[str, Path], made: Reconstruction) -> None:
    """Blender stores the normals of all vertices for every shape."""
    texture = made.texture.size
    ours, blenders = (files[key].stat().st_size - texture for key in ("still", "raw"))
    assert ours < 0.6 * blenders


def test_scene_and_clip_have_the_heads_name(files: dict[str, Path]) -> None:
    document, _ = read_glb(files["moving"])
    assert document["scenes"][0]["name"] == document["animations"][0]["name"] == "Zoë"
    from io_scene_fbx import parse_fbx

    root, _ = parse_fbx.parse(str(files["fbx"]))
    stacks = [
        x.props[1]
        for part in root.elems
        if part is not None and part.id == b"Objects"
        for x in part.elems
        if x is not None and x.id in (b"AnimationStack", b"AnimationLayer")
    ]
    assert {name.split(b"\0")[0].decode() for name in stacks} == {"Zoë"}


def test_our_reader_and_the_tests_agree(files: dict[str, Path]) -> None:
    glb = Glb.read(files["still"])
    document, blob = read_glb(files["still"])
    for target in skin(document)["targets"][:3]:
        index = target["POSITION"]
        np.testing.assert_array_equal(glb.numbers(index), floats(document, blob, index))


def test_shapes_are_those_of_blenders_exporter(tmp_path: Path, made: Reconstruction) -> None:
    """It finds them itself where it is asked to; also where a key was muted, and after Basis moved
    without the vertices."""
    prepare_file(made)
    head_scene = build_scene(made, name="Twice", set_active=True)
    mesh = head_scene.head.data
    keys = mesh.shape_keys.key_blocks
    keys["jawOpen"].value, keys["mouthPucker"].mute = 0.4, True
    mesh.attributes.new("_mine", "FLOAT", "POINT")
    basis = np.empty(3 * len(mesh.vertices), np.float32)
    keys[0].data.foreach_get("co", basis)
    keys[0].data.foreach_set("co", basis + np.float32(0.001))
    ours = Glb.read(export_head(head_scene, tmp_path, "ours", ["glb"])["glb"])
    mesh.vertices.foreach_set("co", basis + np.float32(0.001))
    bpy.ops.export_scene.gltf(
        filepath=str(tmp_path / "raw.glb"), export_animations=False, export_extras=False
    )
    blenders = Glb.read(tmp_path / "raw.glb")
    assert {"_mine"} == {a.name for a in mesh.attributes if a.name.startswith("_")}
    mine, raw = ours.document["meshes"][0], blenders.document["meshes"][0]
    names = mine["extras"]["targetNames"]
    assert names == raw["extras"]["targetNames"] and "mouthPucker" not in names
    assert mine["weights"] == raw["weights"] and mine["weights"][names.index("jawOpen")] > 0.39
    for one, other in zip(mine["primitives"], raw["primitives"], strict=True):
        assert one["attributes"].keys() == {"POSITION", "NORMAL", "TEXCOORD_0"}
        place = ours.numbers(one["attributes"]["POSITION"])
        assert np.allclose(place, blenders.numbers(other["attributes"]["POSITION"]), atol=1e-7)
        for told, wanted in zip(one["targets"], other["targets"], strict=True):
            for key, most in (("POSITION", 1.1e-6), ("NORMAL", 2e-3)):
                there = blenders.numbers(wanted[key])
                found = ours.numbers(told[key]) if key in told else 0 * there
                assert np.abs(found - there).max() < most
