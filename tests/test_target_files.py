"""Files of every target, read by other programs' readers: no errors, and a key moves what it names.

The head is one of the default face model; where its parts are and what its shapes do is taken from
the ``Reconstruction``, which none of the readers knows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from reconstruct_face.backend.errors import OptionError, OutputError
from reconstruct_face.backend.exchange import Reconstruction
from reconstruct_face.backend.exchange.names import ARKIT
from reconstruct_face.backend.exchange.targets import TARGETS, VISEME_NAMES
from reconstruct_face.backend.motion.visemes import VISEMES
from reconstruct_face.scene.armature.build import add_armature, remove_armature
from reconstruct_face.scene.armature.skin import BONE_NAMES
from reconstruct_face.scene.build import HeadScene, build_scene, prepare_file
from reconstruct_face.scene.parts import add_parts, remove_parts
from reconstruct_face.scene.targets.files import export_for
from reconstruct_face.scene.targets.kept import PROPERTY, kept_target
from reconstruct_face.scene.targets.stand_in import plain_name

from tests.default_head import head_of, smooth_noise
from tests.errors import raises
from tests.glb_files import read_glb
from tests.readers import node_reader, python_reader

pytestmark = pytest.mark.seconds
KEYS = ("jawOpen", "mouthSmileLeft", "eyeBlinkLeft")
NAME = "Zoë 1"


@dataclass
class Made:
    """The head and the files of every target, by target and format."""

    person: Reconstruction
    head_scene: HeadScene
    folder: Path
    files: dict[str, dict[str, Path]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    person = head_of(5, smooth_noise(2048, 1))
    prepare_file(person)
    head_scene = build_scene(person, name=NAME, set_active=True)
    folder = tmp_path_factory.mktemp("targets")
    before = everything()
    files = {name: export_for(head_scene, folder / name, "head", name) for name in TARGETS}
    assert everything() == before
    return Made(person, head_scene, folder, files)


def everything() -> list[tuple[str, str]]:
    """Kind and name of all that the file holds."""
    lists = [getattr(bpy.data, name) for name in dir(bpy.data)]
    lists = [one for one in lists if isinstance(one, type(bpy.data.objects))]
    return sorted((type(thing).__name__, thing.name) for one in lists for thing in one)


def expected(person: Reconstruction, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Place and way (3,) in metres of what ``key`` moves, weighted by how far."""
    change = person.expression_basis[person.expression_names.index(key)].astype(float) / 1000
    far = np.linalg.norm(change, axis=1)[:, None]
    rest = person.vertices_neutral / 1000
    return (rest * far).sum(0) / far.sum(), (change * far).sum(0) / far.sum()


def moves(
    found: dict[str, Any], person: Reconstruction, lift: float = 0.0, off: float = 1e-3
) -> None:
    """What a reader says that keys move is what they do; no mirrored side, other axis or unit."""
    for key in KEYS:
        place, way = expected(person, key)
        told = found["moved"][key]
        assert told["count"] > 100
        assert np.allclose(told["place"], place + (0, lift, 0), atol=8 * off)
        assert np.allclose(told["way"], way, atol=off)
    assert found["moved"]["jawOpen"]["way"][1] < -0.005  # down
    assert found["moved"]["mouthSmileLeft"]["place"][0] > 0.01  # at the head's left
    assert found["moved"]["mouthSmileLeft"]["way"][1] > 0.001  # up
    assert found["moved"]["eyeBlinkLeft"]["place"][0] > 0.02
    assert found["moved"]["eyeBlinkLeft"]["way"][1] < -0.001


def size(person: Reconstruction) -> np.ndarray:
    return np.ptp(person.vertices_neutral, axis=0) / 1000


@pytest.mark.parametrize("target", ["unreal", "unity", "vrchat"])
def test_ufbx_reads_the_fbx(made: Made, target: str) -> None:
    """Axes, units, levels, bones and weights, and what the shapes do, at every level."""
    found = python_reader("fbx", made.files[target]["fbx"], *KEYS)
    assert found["warnings"] == []
    assert found["axes"] == ["POSITIVE_X", "POSITIVE_Y", "POSITIVE_Z"]
    assert found["unit"] == (0.01 if target == "unreal" else 1.0)
    levels = TARGETS[target].levels
    name = plain_name(NAME)
    names = [f"{name}_LOD{n}" for n in range(levels)] if levels > 1 else [name]
    assert found["groups"] == ([{"name": name, "levels": names}] if levels > 1 else [])
    assert [mesh["name"] for mesh in found["meshes"]] == names
    bones = BONE_NAMES[TARGETS[target].skeleton]
    keys = [*made.person.expression_names, *VISEME_NAMES[TARGETS[target].visemes].values()]
    assert set(ARKIT) < set(keys)
    for level, mesh in enumerate(found["meshes"]):
        assert mesh["keys"] == keys
        assert not mesh["turned"]
        assert np.allclose(np.subtract(*mesh["box"][::-1]), size(made.person), atol=0.005)
        assert set(mesh["bones"]) == {bones[x] for x in bones if x != "chest"}
        assert 0.99 < mesh["weights"][0] <= mesh["weights"][1] < 1.001
        moves(mesh, made.person, off=1e-4 if level == 0 else 5e-3)
    shares = [mesh["triangles"] / found["meshes"][0]["triangles"] for mesh in found["meshes"]]
    assert np.allclose(shares, [1.0, 0.4, 0.12][:levels], atol=0.01)


def test_assimp_reads_what_is_beside_gltf(made: Made) -> None:
    """With its own check of the data; a file in centimetres is a hundred times as large.

    Where the head begins and ends shows axes and their signs: y up, the face along z.
    """
    rest = made.person.vertices_neutral / 1000
    for target, files in made.files.items():
        for key in set(files) & {"fbx", "obj"}:
            found = python_reader("assimp", files[key])
            factor = 100 if TARGETS[target].centimetres else 1
            low, high = np.array(found["box"]) / factor
            assert np.allclose(low, rest.min(0), atol=0.003), (target, key)
            assert np.allclose(high, rest.max(0), atol=0.003), (target, key)
            assert all(name.isascii() for name in found["meshes"])


def test_a_metahuman_has_eyes_and_teeth_of_its_own(made: Made) -> None:
    found = python_reader("fbx", made.files["metahuman"]["fbx"])
    name = plain_name(NAME)
    meshes = {mesh["name"]: mesh for mesh in found["meshes"]}
    assert list(meshes) == [name, f"{name}_eye_left", f"{name}_eye_right", f"{name}_teeth"]
    assert found["unit"] == 0.01
    assert all(mesh["keys"] == [] and mesh["bones"] == [] for mesh in meshes.values())
    left, right = (np.array(meshes[f"{name}_eye_{side}"]["box"]) for side in ("left", "right"))
    assert left[0, 0] > 0.005 and right[1, 0] < -0.005
    # No cornea over the iris, no tears, no lashes; all else is there.
    kinds = [slot.kind for slot in made.person.materials]
    gone = [kinds.index(kind) for kind in ("cornea", "tear", "lashes")]
    quads = (~np.isin(made.person.polygon_material, gone)).sum()
    assert sum(mesh["triangles"] for mesh in meshes.values()) == 2 * quads


@pytest.mark.parametrize("target", ["godot", "threejs"])
def test_three_js_reads_the_glb(made: Made, target: str) -> None:
    path = made.files[target]["glb"]
    report = node_reader("validate", path)["issues"]
    assert report["numErrors"] == 0, report["messages"]
    visemes = VISEME_NAMES[TARGETS[target].visemes]
    found = node_reader("three", path, *KEYS, *visemes.values())
    assert found["keys"] == [*made.person.expression_names, *visemes.values()]
    wide = np.subtract(*found["box"][::-1])
    assert np.allclose(wide, size(made.person), atol=1e-3)
    # A vertex at a seam is there twice in a .glb, so that seams weigh more.
    moves(found, made.person, off=6e-4)
    triangles = sum(len(polygon) - 2 for polygon in made.person.polygons)
    assert found["triangles"] == triangles
    for viseme, name in visemes.items():
        most = found["moved"][name]["most"]
        assert (most > 1e-4) == bool(VISEMES[viseme]), viseme
        assert most < 0.04
    if visemes:
        assert found["moved"][visemes["aa"]]["way"][1] < -0.004


def test_the_bars_of_size_hold(made: Made) -> None:
    """2.5 MB with pictures of 1K by meshopt; 3.5 MB plain, beside the pictures."""
    assert made.files["threejs"]["glb"].stat().st_size < 2_500_000
    document, binary = read_glb(made.files["godot"]["glb"])
    views = document["bufferViews"]
    pictures = sum(views[image["bufferView"]]["byteLength"] for image in document["images"])
    assert made.files["godot"]["glb"].stat().st_size - pictures < 3_500_000
    assert "extensionsRequired" not in document
    assert all(
        accessor["componentType"] in (5121, 5123, 5125, 5126) for accessor in document["accessors"]
    )


def jpeg_size(data: bytes) -> int:
    """The longer side of a JPEG (ITU-T T.81, B.2.2: a frame header is FF C0 to FF C2)."""
    at = 2
    while data[at + 1] not in (0xC0, 0xC1, 0xC2):
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    high, wide = (int.from_bytes(data[at + k : at + k + 2], "big") for k in (5, 7))
    return max(high, wide)


def test_pictures_are_as_large_as_the_target_says(made: Made) -> None:
    for target in ("godot", "threejs"):
        document, binary = read_glb(made.files[target]["glb"])
        for image in document["images"]:
            view = document["bufferViews"][image["bufferView"]]
            data = binary[view["byteOffset"] :][: view["byteLength"]]
            assert image["mimeType"] == "image/jpeg" and data[:2] == b"\xff\xd8"
            assert jpeg_size(data) <= TARGETS[target].texture
    sizes = {jpeg_size(data)}
    assert sizes == {1024}


def test_three_vrm_reads_the_avatar(made: Made) -> None:
    path = made.files["vrchat"]["vrm"]
    report = node_reader("validate", path)["issues"]
    assert report["numErrors"] == 0, report["messages"]
    found = node_reader(
        "vrm", path, *KEYS, "blink", "blinkRight", "lookLeft", "happy", "aa", "neutral"
    )
    assert set(found["custom"]) == set(ARKIT)
    assert len(found["custom"]) == 52
    wanted = "happy angry sad relaxed surprised aa ih ou ee oh blink blinkLeft blinkRight lookUp"
    wanted += " lookDown lookLeft lookRight neutral"
    assert set(found["presets"]) == set(wanted.split())
    required = {"hips", "spine", "head"} | {
        f"{side}{bone}"
        for side in ("left", "right")
        for bone in ("UpperLeg", "LowerLeg", "Foot", "UpperArm", "LowerArm", "Hand")
    }
    assert required | {"neck", "jaw", "leftEye", "rightEye"} == set(found["bones"])
    assert found["meta"]["avatarPermission"] == "onlyAuthor"
    assert found["meta"]["allowRedistribution"] is False
    # The head is where that of a standing person is, and moves there as it does elsewhere.
    lift = found["box"][0][1] - made.person.vertices_neutral[:, 1].min() / 1000
    assert 1.4 < lift < 1.7
    assert abs(found["head"][1] - lift) < 0.05
    moves(found, made.person, lift=lift, off=6e-4)
    # The head turns by its bone to its own left; not all of the neck goes along.
    turned = found["turned"]
    assert 0.7 * turned["of"] < turned["count"] < turned["of"]
    assert turned["way"][0] > 0.01 and abs(turned["way"][1]) < 0.15 * turned["way"][0]
    moved = found["moved"]
    assert moved["neutral"]["count"] == 0
    assert moved["blinkRight"]["place"][0] < -0.02
    assert abs(moved["blink"]["place"][0]) < 0.002
    assert moved["lookLeft"]["count"] > 100 and moved["lookLeft"]["way"][0] > 0
    assert moved["happy"]["way"][1] > 0 and moved["aa"]["way"][1] < 0


def test_a_licence_is_what_was_chosen(made: Made, tmp_path: Path) -> None:
    """By the words of VRMC_vrm's meta."""
    out = export_for(made.head_scene, tmp_path, "x", "vrchat", licence="open", author="Zoë")
    meta = node_reader("vrm", out["vrm"])["meta"]
    assert meta["authors"] == ["Zoë"]
    assert meta["avatarPermission"] == "everyone" and meta["commercialUsage"] == "corporation"
    assert meta["modification"] == "allowModificationRedistribution" and meta["allowRedistribution"]
    assert meta["allowExcessivelyViolentUsage"] is False and meta["creditNotation"] == "required"


def test_usds_own_validators_find_nothing(made: Made) -> None:
    found = python_reader("usd", made.files["usd"]["usd"], *KEYS)
    assert found["validators"] >= 20
    assert found["errors"] == []
    assert (found["metres"], found["up"]) == (1.0, "Y")
    assert set(ARKIT) <= set(found["keys"])
    moves(found, made.person, off=1e-4)


def test_the_choice_is_kept_and_repeated(made: Made, tmp_path: Path) -> None:
    head = made.head_scene.head
    first = export_for(made.head_scene, tmp_path / "a", "x", "godot", texture=512, visemes="vrchat")
    name, changes = kept_target(head)
    assert (name, changes) == ("godot", {"texture": 512, "visemes": "vrchat"})
    assert json.loads(head[PROPERTY])["target"] == "godot"
    second = export_for(made.head_scene, tmp_path / "b", "x", name, **changes)
    assert first["glb"].read_bytes() == second["glb"].read_bytes()
    document, _ = read_glb(second["glb"])
    assert "vrc.v_aa" in document["meshes"][0]["extras"]["targetNames"]
    head[PROPERTY] = "{damaged"
    assert kept_target(head) == ("", {})


def test_exporting_says_nothing(
    made: Made, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    for target in ("unity", "metahuman", "threejs"):
        export_for(made.head_scene, tmp_path, "x", target, texture=512)
    assert capfd.readouterr().out == ""


def test_levels_of_a_glb_are_files_of_their_own(made: Made, tmp_path: Path) -> None:
    export_for(made.head_scene, tmp_path, "x", "godot", levels=3, skeleton="unity", texture=512)
    names = ["x.glb", "x_LOD1.glb", "x_LOD2.glb"]
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    counts = []
    for name in names:
        assert node_reader("validate", tmp_path / name)["issues"]["numErrors"] == 0
        found = node_reader("three", tmp_path / name, *KEYS)
        counts.append(found["triangles"])
        assert set(found["bones"]) == {"Root", "Neck", "Head", "Jaw", "LeftEye", "RightEye"}
        moves(found, made.person, off=5e-3)
    assert np.allclose(np.array(counts) / counts[0], [1, 0.4, 0.12], atol=0.01)


def test_what_cannot_be_written_is_one_sentence(made: Made, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("here already")
    before = everything()
    with raises(OutputError, blocked):
        export_for(made.head_scene, blocked, "head", "unity")
    with raises(OptionError, "'doom'"):
        export_for(made.head_scene, tmp_path, "head", "doom")
    assert blocked.read_text() == "here already"
    assert everything() == before
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_names_are_what_engines_take() -> None:
    assert plain_name("Zoë 1") == "Zoe_1"
    assert plain_name("Ada.Lovelace (2)") == "Ada_Lovelace_2"
    assert plain_name("陳") == "Head"


def test_a_rig_of_its_own_and_parts_change_nothing(made: Made, tmp_path: Path) -> None:
    """The bones in the file are at rest, whatever the head's own ones are posed like."""
    head = made.head_scene.head
    plain = export_for(made.head_scene, tmp_path / "plain", "x", "unity", levels=1)["fbx"]
    armature = add_armature(head)
    add_parts(head)
    armature.pose.bones["head"].rotation_euler = (0.3, 0.2, 0.1)
    armature.location = (1.0, 0.0, 0.0)
    bpy.context.view_layer.update()
    try:
        before = everything()
        rigged = export_for(made.head_scene, tmp_path / "rigged", "x", "unity", levels=1)["fbx"]
        assert everything() == before
        ours, theirs = (python_reader("fbx", file, *KEYS) for file in (plain, rigged))
        for mesh in ours["meshes"] + theirs["meshes"]:
            low, high = np.array(mesh.pop("box"))
            assert np.allclose(high - low, size(made.person), atol=1e-3)
            assert (low[0] > 0.5) == (mesh is theirs["meshes"][0])
            moved = mesh.pop("moved")
            assert moved["jawOpen"]["way"][1] < -0.005
        assert ours == theirs
    finally:
        remove_parts(head)
        remove_armature(head)
