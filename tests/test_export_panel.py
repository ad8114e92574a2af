"""Export and verification in the sidebar: what is written, and what is said about a head."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest
import reconstruct_face
from reconstruct_face.backend.exchange.formats import FORMATS
from reconstruct_face.backend.fit.confidence import GOOD_FROM
from reconstruct_face.operators import strings
from reconstruct_face.operators.export import FORMAT_ITEMS
from reconstruct_face.panels import verify
from reconstruct_face.scene import expression
from reconstruct_face.scene.build import build_scene
from reconstruct_face.scene.export import WRITERS
from reconstruct_face.scene.mesh import about

from tests.errors import raises
from tests.synthetic_reconstruction import make_reconstruction

MADE = make_reconstruction(rows=12, columns=16)


@pytest.fixture(autouse=True)
def _add_on() -> Iterator[None]:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    reconstruct_face.register()
    yield
    reconstruct_face.unregister()


@pytest.fixture
def head() -> bpy.types.Object:
    made = build_scene(MADE, name="Ada", set_active=True).head
    expression.reset(made)
    return made


def read_glb(path: Path) -> dict:
    data = path.read_bytes()
    (length,) = struct.unpack_from("<I", data, 12)
    return json.loads(data[20 : 20 + length])


def settings() -> bpy.types.PropertyGroup:
    return bpy.context.scene.reconstruct_face_export


def test_every_format_can_be_chosen() -> None:
    assert {key for key, *_ in FORMAT_ITEMS} == set(FORMATS) == set(WRITERS)


def test_the_head_is_written_as_it_is_now(head: bpy.types.Object, tmp_path: Path) -> None:
    build_scene(MADE, name="Grace")
    expression.set_values(head, {"jawOpen": 0.75})
    head.location = (1.0, 2.0, 3.0)
    bpy.context.view_layer.update()
    settings().folder, settings().formats = str(tmp_path / "out"), {"glb", "obj"}
    assert bpy.ops.reconstruct_face.export() == {"FINISHED"}
    assert {x.name for x in (tmp_path / "out").iterdir()} == {
        "Ada.glb", "Ada.obj", "Ada.mtl", "Ada_texture.png"
    }  # fmt: skip
    glb = read_glb(tmp_path / "out" / "Ada.glb")
    (node,) = [x for x in glb["nodes"] if "mesh" in x]
    assert node["name"] == "Ada" and node["translation"] == pytest.approx([1.0, 3.0, -2.0])
    mesh = glb["meshes"][node["mesh"]]
    weights = dict(zip(mesh["extras"]["targetNames"], mesh["weights"], strict=True))
    assert {name for name, x in weights.items() if x} == {"jawOpen"}
    assert weights["jawOpen"] == pytest.approx(0.75)
    first = next(
        [float(x) for x in line.split()[1:4]]
        for line in (tmp_path / "out" / "Ada.obj").read_text().splitlines()
        if line.startswith("v ")
    )
    keys = head.data.shape_keys.key_blocks
    co = keys[0].points[0].co + 0.75 * (keys["jawOpen"].points[0].co - keys[0].points[0].co)
    assert first == pytest.approx([co.x + 1, co.z + 3, -co.y - 2], abs=1e-5)


def test_a_path_of_the_caller_counts_more_than_the_settings(
    head: bpy.types.Object, tmp_path: Path
) -> None:
    settings().folder, settings().name = str(tmp_path / "unused"), "unused"
    path = tmp_path / "v1.2 final.glb"
    bpy.ops.reconstruct_face.export(filepath=str(path), formats={"glb"})
    assert [x.name for x in tmp_path.iterdir()] == ["v1.2 final.glb"]
    bpy.ops.reconstruct_face.export(filepath=str(tmp_path / "v1.2"), formats={"glb"})
    assert (tmp_path / "v1.2.glb").is_file()


def test_a_compact_glb_is_a_setting_and_a_word_of_the_caller(
    head: bpy.types.Object, tmp_path: Path
) -> None:
    def rounded(**said: bool) -> bool:
        path = tmp_path / "a.glb"
        bpy.ops.reconstruct_face.export(filepath=str(path), formats={"glb"}, **said)
        return "KHR_mesh_quantization" in read_glb(path)["extensionsUsed"]

    assert not rounded()
    assert rounded(compact=True)
    settings().compact = True
    assert rounded()
    assert not rounded(compact=False)


def test_an_animated_heads_files_say_that_they_stand_still(
    head: bpy.types.Object, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    expression.set_values(head, {"jawOpen": 1.0})
    expression.insert_keyframes(head, 1)
    expression.reset(head)
    expression.insert_keyframes(head, 11)
    bpy.context.scene.frame_set(1)
    bpy.ops.reconstruct_face.export(filepath=str(tmp_path / "a"), formats={"glb", "blend"})
    assert "animated: glb holds its expression at frame 1 only" in "".join(capfd.readouterr())
    glb = read_glb(tmp_path / "a.glb")
    (mesh,) = glb["meshes"]
    assert mesh["weights"][mesh["extras"]["targetNames"].index("jawOpen")] == 1.0
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    kept = bpy.data.objects["Ada"].data.shape_keys
    bpy.context.scene.frame_set(11)
    assert kept.key_blocks["jawOpen"].value == 0.0
    bpy.context.scene.frame_set(1)
    assert kept.key_blocks["jawOpen"].value == 1.0


def test_bad_input_is_one_sentence(head: bpy.types.Object, tmp_path: Path) -> None:
    with raises(RuntimeError, strings.NO_FOLDER):
        bpy.ops.reconstruct_face.export()
    settings().folder = str(tmp_path)
    settings().name = "a/b"
    with raises(RuntimeError, "'a/b'"):
        bpy.ops.reconstruct_face.export()
    settings().name, settings().formats = "", set()
    with raises(RuntimeError, strings.NO_FORMAT):
        bpy.ops.reconstruct_face.export()
    settings().formats = {"obj"}
    head.name = "Ada: 1/2"
    (tmp_path / "file").touch()
    settings().folder = str(tmp_path / "file")
    with raises(RuntimeError, tmp_path / "file"):
        bpy.ops.reconstruct_face.export()
    settings().folder = str(tmp_path)
    bpy.ops.reconstruct_face.export()
    assert (tmp_path / "Ada_ 1_2.obj").is_file()
    bpy.ops.object.mode_set(mode="EDIT")
    assert not bpy.ops.reconstruct_face.export.poll()


def say(head: bpy.types.Object, **what: object) -> None:
    """Have the head say ``what`` of its making."""
    head["reconstruction"] = json.dumps(about(head) | what)


def test_the_light_is_green_to_red(head: bpy.types.Object) -> None:
    assert verify.grade_of(verify.confidence_of(head)) == "unknown"
    limit = GOOD_FROM
    for score, grade in (
        (1, "good"), (limit, "good"), (limit - 0.01, "fair"), (limit**2 - 0.01, "poor"),
    ):  # fmt: skip
        say(head, provenance={"confidence": score})
        assert verify.grade_of(verify.confidence_of(head)) == grade


def test_what_is_known_is_told_and_what_is_not_left_out(head: bpy.types.Object) -> None:
    provenance = {"estimate": "network", "options": {"quality": "best"}}
    say(head, provenance=provenance, warnings=["Dark."], timings={"fit": 1.5, "texture": 2.25})
    say(head, landmark_error_px=None)  # as of heads made by an older version
    facts = dict(verify.facts_of(head))
    assert facts == {
        "Shape from": "the whole face", "Quality": "best", "Took": "3.8 s",
        "Face model": "synthetic 1",
    }  # fmt: skip
    assert verify.warnings_of(head) == ["Dark."]
    say(head, landmark_error_px=2.0)
    assert dict(verify.facts_of(head))["Landmarks"].startswith("2.0 px off (")


@pytest.mark.parametrize("text", ["", "[1, 2]", "{", '{"provenance": 3, "warnings": {}}'])
def test_damaged_properties_are_survived(head: bpy.types.Object, text: str) -> None:
    head["reconstruction"] = text
    assert verify.confidence_of(head) is None
    assert verify.warnings_of(head) == []
    assert verify.facts_of(head) == []
