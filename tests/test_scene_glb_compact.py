"""The .glb with numbers of 8 and 16 bits, held against the same head's with 32."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from reconstruct_face.backend.exchange import Reconstruction
from reconstruct_face.scene.animation.export import export_animation
from reconstruct_face.scene.build import HeadScene, build_scene, prepare_file
from reconstruct_face.scene.export import export_head
from reconstruct_face.scene.formats import quantised

from tests.glb_files import decoded, read_glb
from tests.synthetic_reconstruction import ARKIT_NAMES, make_reconstruction

EXTENSION = "KHR_mesh_quantization"
#: Metres, and shares of a unit normal and of the texture: half of the step that each has.
POSITION, NORMAL, TURN, UV = 0.5 / 32767, 0.5 / 32767, 0.5 / 127, 0.5 / 65535
#: What 32 bits are off themselves.
_ROUNDING = 1e-7

Glb = tuple[dict[str, Any], bytes]


def made() -> Reconstruction:
    """A head whose every shape moves one part of it, the other not at all."""
    found = make_reconstruction(rows=24, columns=32)
    basis = found.expression_basis
    basis[np.linalg.norm(basis, axis=2) < 1] = 0
    posed = np.tensordot(found.expression, basis, 1)
    found.vertices_posed = (found.vertices_neutral + posed).astype(np.float32)
    return found


def built() -> HeadScene:
    head = made()
    prepare_file(head)
    return build_scene(head, name="Zoë", set_active=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Still and moving, with 32 bits ("full") and fewer ("compact")."""
    head_scene, folder = built(), tmp_path_factory.mktemp("glb")
    found = {}
    for name, compact in (("full", False), ("compact", True)):
        found[name] = export_head(head_scene, folder, name, ["glb"], compact=compact)["glb"]
    key = head_scene.head.data.shape_keys.key_blocks["jawOpen"]
    for frame, value in ((1, 0.25), (4, 0.75)):
        key.value = value
        key.keyframe_insert("value", frame=frame)
    for name, compact in (("moving full", False), ("moving compact", True)):
        written = export_animation(head_scene, folder, name, ["glb"], (1, 4), compact=compact)
        found[name] = written["glb"]
    return found


@pytest.fixture(params=["", "moving "])
def pair(request: pytest.FixtureRequest, files: dict[str, Path]) -> tuple[Glb, Glb]:
    return read_glb(files[request.param + "full"]), read_glb(files[request.param + "compact"])


def primitives(of: Glb) -> list[dict[str, Any]]:
    return of[0]["meshes"][0]["primitives"]


def off(full: Glb, compact: Glb, ours: int, theirs: int) -> float:
    return float(np.abs(decoded(*full, ours) - decoded(*compact, theirs)).max())


def test_a_surface_is_off_by_half_a_step_at_most(pair: tuple[Glb, Glb]) -> None:
    full, compact = pair
    for ours, theirs in zip(primitives(full), primitives(compact), strict=True):
        assert ours["attributes"].keys() == theirs["attributes"].keys()
        for key, step in (("POSITION", POSITION), ("NORMAL", NORMAL), ("TEXCOORD_0", UV)):
            index = theirs["attributes"][key]
            error = off(full, compact, ours["attributes"][key], index)
            assert 0 < error <= step + _ROUNDING, key
            assert compact[0]["accessors"][index]["componentType"] in (5122, 5123)
        assert off(full, compact, ours["indices"], theirs["indices"]) == 0
        assert ours.get("material") == theirs.get("material")


def test_shapes_are_off_by_half_a_step_at_most(pair: tuple[Glb, Glb]) -> None:
    full, compact = pair
    sparse = 0
    for ours, theirs in zip(primitives(full), primitives(compact), strict=True):
        assert len(ours["targets"]) == len(theirs["targets"]) == len(ARKIT_NAMES)
        for one, other in zip(ours["targets"], theirs["targets"], strict=True):
            assert one.keys() == other.keys()
            for key, step in (("POSITION", POSITION), ("NORMAL", TURN)):
                if key not in one:
                    continue
                assert off(full, compact, one[key], other[key]) <= step + _ROUNDING
                still = ~decoded(*full, one[key]).any(axis=1)
                assert not decoded(*compact, other[key])[still].any()
                sparse += "sparse" in compact[0]["accessors"][other[key]]
    assert sparse > len(ARKIT_NAMES)


def test_nothing_else_is_changed(pair: tuple[Glb, Glb]) -> None:
    (full, _), (compact, _) = pair
    for part in ("nodes", "scenes", "materials", "textures", "asset"):
        assert full[part] == compact[part]
    assert full["meshes"][0]["extras"] == compact["meshes"][0]["extras"]
    assert full["meshes"][0]["weights"] == compact["meshes"][0]["weights"]
    assert compact["extensionsUsed"] == [*full["extensionsUsed"], EXTENSION]
    assert compact["extensionsRequired"] == [EXTENSION]
    assert EXTENSION not in json.dumps(full)
    assert "normalized" not in json.dumps(full["accessors"])
    images = [_picture(*glb) for glb in pair]
    assert images[0] == images[1]
    samplers = [glb[0].get("animations", [{"samplers": []}])[0]["samplers"] for glb in pair]
    for ours, theirs in zip(*samplers, strict=True):
        for end in ("input", "output"):
            assert off(*pair, ours[end], theirs[end]) == 0


def _picture(document: dict[str, Any], binary: bytes) -> bytes:
    view = document["bufferViews"][document["images"][0]["bufferView"]]
    return binary[view["byteOffset"] :][: view["byteLength"]]


def test_bounds_are_those_of_the_steps(pair: tuple[Glb, Glb]) -> None:
    document, binary = pair[1]
    for primitive in primitives(pair[1]):
        for one in (primitive["attributes"], *primitive["targets"]):
            accessor = document["accessors"][one["POSITION"]]
            steps = decoded(document, binary, one["POSITION"]) * 32767
            np.testing.assert_allclose(steps, np.round(steps), atol=1e-6)
            assert accessor["min"] == np.round(steps.min(axis=0)).tolist()
            assert accessor["max"] == np.round(steps.max(axis=0)).tolist()
            assert {type(x) for x in accessor["min"]} == {int}


def test_vertices_begin_at_multiples_of_four_bytes(files: dict[str, Path]) -> None:
    document, _ = read_glb(files["compact"])
    strides = [view["byteStride"] for view in document["bufferViews"] if "byteStride" in view]
    assert 8 in strides
    assert all(stride % 4 == 0 for stride in strides)
    assert all(view["byteOffset"] % 4 == 0 for view in document["bufferViews"])


def test_blenders_importer_sees_the_same_head(files: dict[str, Path]) -> None:
    full, compact = imported(files["full"]), imported(files["compact"])
    assert list(full) == list(compact) == ["Basis", *ARKIT_NAMES]
    for name in full:
        # What a shape is made of here are two rounded numbers.
        np.testing.assert_allclose(compact[name], full[name], atol=2 * POSITION + _ROUNDING)
    values = [
        {key.name: key.value for key in thing.data.shape_keys.key_blocks}
        for thing in bpy.data.objects
    ]
    assert values[0] == values[1]
    assert all(tuple(thing.scale) == (1, 1, 1) for thing in bpy.data.objects)


def imported(path: Path) -> dict[str, np.ndarray]:
    """(V, 3) by shape key, of the head that Blender's importer makes of ``path``."""
    if path.stem == "full":
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.import_scene.gltf(filepath=str(path))
    (head,) = bpy.context.selected_objects
    found = {}
    for key in head.data.shape_keys.key_blocks:
        found[key.name] = np.empty(3 * len(key.data), np.float32)
        key.data.foreach_get("co", found[key.name])
    return found


def test_it_is_smaller(files: dict[str, Path]) -> None:
    sizes = {}
    for name in ("full", "compact", "moving full", "moving compact"):
        document, binary = read_glb(files[name])
        sizes[name] = len(binary) - len(_picture(document, binary))
    assert sizes["compact"] < 0.6 * sizes["full"]
    assert sizes["moving compact"] < 0.65 * sizes["moving full"]


def test_what_is_beyond_a_metre_keeps_its_bits(tmp_path: Path) -> None:
    """A head whose location was applied far from the origin, and a shape that goes far."""
    head_scene = built()
    keys = head_scene.head.data.shape_keys.key_blocks
    for key in keys:
        for point in key.data:
            point.co.x += 2.0
    for point in keys["jawOpen"].data:
        point.co.z -= 1.5
    full, compact = (
        read_glb(export_head(head_scene, tmp_path, name, ["glb"], compact=name == "b")["glb"])
        for name in ("a", "b")
    )
    for ours, theirs in zip(primitives(full), primitives(compact), strict=True):
        assert (
            off(full, compact, ours["attributes"]["POSITION"], theirs["attributes"]["POSITION"])
            == 0
        )
        index = ARKIT_NAMES.index("jawOpen")
        far = [one["targets"][index]["POSITION"] for one in (ours, theirs)]
        assert off(full, compact, *far) == 0
        near = [one["targets"][index - 1]["POSITION"] for one in (ours, theirs)]
        assert off(full, compact, *near) <= POSITION + _ROUNDING
        assert compact[0]["accessors"][near[1]]["componentType"] == 5122


def test_what_is_out_of_range_is_left() -> None:
    turned = np.array([[0.1, 0, 0], [0, -1.2, 0]], np.float32)
    assert quantised.change("NORMAL", turned[:1]).rounded
    assert not quantised.change("NORMAL", turned).rounded
    assert quantised.rest("TEXCOORD_1", np.array([[0.0, 1.0]], np.float32)).rounded
    for outside in ([[0.5, 1.01]], [[-0.01, 0.5]], [[np.nan, 0.5]]):
        assert not quantised.rest("TEXCOORD_0", np.array(outside, np.float32)).rounded
    for other in ("COLOR_0", "WEIGHTS_0", "TANGENT"):
        assert not quantised.rest(other, np.ones((1, 4), np.float32)).rounded
