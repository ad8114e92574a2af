"""Animated heads in files: each reopened by somebody else and compared frame by frame."""

from __future__ import annotations

import csv
import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import bpy
import numpy as np
import pytest
from reconstruct_face.backend.errors import OutputError
from reconstruct_face.backend.exchange.motion import Motion, load_motion
from reconstruct_face.backend.motion import read_motion_file
from reconstruct_face.backend.motion.livelink import from_angles
from reconstruct_face.scene.animation.apply import apply_motion
from reconstruct_face.scene.animation.export import WRITERS, export_animation
from reconstruct_face.scene.build import HeadScene, build_scene, prepare_file

from tests.errors import raises
from tests.synthetic_reconstruction import make_reconstruction

START, COUNT = 5, 8
FPS = 30 / 1.001


class Exported(NamedTuple):
    """What was written, from what."""

    head_scene: HeadScene
    motion: Motion
    files: dict[str, Path]
    worlds: np.ndarray  #: (COUNT, V, 3) vertices in the world, metres
    folder: Path


def evaluated(head: bpy.types.Object, frame: int) -> np.ndarray:
    """(V, 3) vertices in the world."""
    bpy.context.scene.frame_set(frame)
    thing = head.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = thing.to_mesh()
    out = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", out)
    thing.to_mesh_clear()
    world = np.array(head.matrix_world)
    return out.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A head that smiles, speaks and turns, at 29.97 frames a second, in every format."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    made = make_reconstruction(rows=8, columns=10)
    prepare_file(made)
    head_scene = build_scene(made, name="Ada", set_active=True)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 30, 1.001
    t = np.arange(COUNT) / FPS
    motion = Motion(
        t,
        ("jawOpen", "mouthSmileLeft"),
        np.stack([np.sin(9 * t) ** 2, t], 1),
        from_angles(0.5 * np.sin(9 * t), 0.2 * np.sin(20 * t), 0.1 * np.sin(3 * t)),
        np.stack([100 * t, 50 * np.sin(t), 600 + t], 1),
        header={"image_size": list(made.image_size)},
    )
    apply_motion(head_scene.head, motion, start_frame=START)
    scene.frame_start, scene.frame_end = 1, 250
    scene.frame_set(42)
    folder = tmp_path_factory.mktemp("exports")
    files = export_animation(head_scene, folder, "ada", WRITERS, (START, START + COUNT - 1))
    assert (scene.frame_start, scene.frame_end, scene.frame_current) == (1, 250, 42)
    for modifier in head_scene.head.modifiers:
        modifier.show_viewport = False
    worlds = np.array([evaluated(head_scene.head, START + i) for i in range(COUNT)])
    assert np.abs(np.diff(worlds, axis=0)).max() > 0.005, "it moves"
    return Exported(head_scene, motion, files, worlds, folder)


#: Any Blender without the add-on.
READ = """
import sys
import bpy
import numpy as np
kind, path, out, first, count, step = sys.argv[1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.render.fps, scene.render.fps_base = 30, 1.001
if kind == "glb":
    bpy.ops.import_scene.gltf(filepath=path)
elif kind == "fbx":
    bpy.ops.import_scene.fbx(filepath=path, anim_offset=0.0)
elif kind == "usd":
    bpy.ops.wm.usd_import(filepath=path, set_frame_range=True)
else:
    bpy.ops.wm.alembic_import(filepath=path, as_background_job=False)
head = max((x for x in bpy.data.objects if x.type == "MESH"), key=lambda x: len(x.data.vertices))
frames = []
for i in range(int(count)):
    at = (int(first) + i) * float(step)
    scene.frame_set(int(at), subframe=at - int(at))
    thing = head.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = thing.to_mesh()
    co = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", co)
    world = np.array(thing.matrix_world)
    frames.append(co.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3])
keys = head.data.shape_keys
np.savez(out, frames=frames, keys=[] if keys is None else [k.name for k in keys.key_blocks],
         images=len([i for i in bpy.data.images if i.size[0]]))
"""


@pytest.mark.parametrize("kind", ["glb", "fbx", "usd", "abc"])
def test_every_frame_is_where_it_was(exported: Exported, kind: str, tmp_path: Path) -> None:
    # Seconds in the file are the scene's (see below for glTF's, which count from the first frame),
    # but Blender's importers multiply: glTF's by 30 * 1.001, FBX's by 30.
    first, step = {"glb": (0, 1.001**2), "fbx": (START, 1.001)}.get(kind, (START, 1.0))
    out = tmp_path / "found.npz"
    given = [kind, exported.files[kind], out, first, COUNT, step]
    subprocess.run([sys.executable, "-c", READ, *map(str, given)], check=True, timeout=120)
    found = np.load(out)
    before = exported.worlds[0]
    distance = np.linalg.norm(found["frames"][0][:, None] - before[None], axis=2)
    same = distance.argmin(axis=1)  # exporters split and reorder vertices
    assert set(same) == set(range(len(before)))
    error_mm = 1000 * np.abs(found["frames"] - exported.worlds[:, same]).max(axis=(1, 2))
    assert error_mm.max() < 0.02, error_mm.round(4).tolist()
    if kind != "abc":
        assert {"jawOpen", "mouthSmileLeft"} <= set(found["keys"]) and found["images"]


def test_the_gltfs_own_numbers(exported: Exported) -> None:
    """Read by hand, as a viewer does: no importer between."""
    data = exported.files["glb"].read_bytes()
    size = struct.unpack_from("<I", data, 12)[0]
    document: dict[str, Any] = json.loads(data[20 : 20 + size])
    blob = data[20 + size + 8 :]

    def numbers(index: int) -> np.ndarray:
        accessor = document["accessors"][index]
        view = document["bufferViews"][accessor["bufferView"]]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        assert accessor["componentType"] == 5126
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[accessor["type"]]
        return np.frombuffer(blob, "<f4", accessor["count"] * width, start)

    (animation,) = document["animations"]
    by_path = {c["target"]["path"]: c for c in animation["channels"]}
    assert {"weights", "rotation"} <= set(by_path)
    sampler = animation["samplers"][by_path["weights"]["sampler"]]
    np.testing.assert_allclose(numbers(sampler["input"]), np.arange(COUNT) / FPS, atol=1e-5)
    node = document["nodes"][by_path["weights"]["target"]["node"]]
    names = document["meshes"][node["mesh"]]["extras"]["targetNames"]
    weights = numbers(sampler["output"]).reshape(COUNT, len(names))
    for column, name in enumerate(exported.motion.names):
        found = weights[:, names.index(name)]
        np.testing.assert_allclose(found, exported.motion.weights[:, column], atol=1e-5)


def test_the_motion_files_hold_the_motion(exported: Exported) -> None:
    made = exported.motion
    with exported.files["csv"].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == COUNT
    for row, time, weights, place in zip(
        rows, made.times, made.weights, made.translation, strict=True
    ):
        assert float(row["time"]) == pytest.approx(time, abs=1e-6) and row["valid"] == "1"
        assert float(row["jawOpen"]) == pytest.approx(weights[0], abs=1e-6)
        assert float(row["translation_z"]) == pytest.approx(place[2], abs=1e-2)
    for kind in ("csv", "npz", "livelink"):
        path = exported.files[kind]
        read = load_motion(path) if kind == "npz" else read_motion_file(path, frame_rate=FPS)
        assert read.rotation is not None and made.rotation is not None
        np.testing.assert_allclose(read.times, made.times, atol=1e-4)
        np.testing.assert_allclose(read.rotation, made.rotation, atol=1e-5)
        for column, name in enumerate(made.names):
            found = read.weights[:, read.names.index(name)]
            np.testing.assert_allclose(found, made.weights[:, column], atol=1e-6)
    assert exported.files["livelink"].name == "ada_livelink.csv"


def test_one_sentence_and_nothing_left_behind(exported: Exported, tmp_path: Path) -> None:
    head_scene = exported.head_scene
    with raises(OutputError, "'mp4'", *WRITERS):
        export_animation(head_scene, tmp_path, "x", ["mp4"])
    with raises(OutputError, 9, 3):
        export_animation(head_scene, tmp_path, "x", ["glb"], (9, 3))
    occupied = tmp_path / "file"
    occupied.write_text("")
    with raises(OutputError, occupied):
        export_animation(head_scene, occupied, "x", ["csv"])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert [x.name for x in bpy.data.collections if x.name.startswith("export")] == []
