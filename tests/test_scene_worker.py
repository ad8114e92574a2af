"""The processes: Blender's worker over the wire, the backend's process, the API and operator."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest
import reconstruct_face
from reconstruct_face.backend.errors import ExchangeError, NoFaceError, PhotoError, WorkerError
from reconstruct_face.backend.exchange import save_reconstruction
from reconstruct_face.backend.exchange.wire import WorkerProcess
from reconstruct_face.scene.backend_process import BackendProcess

from tests.add_on import registered
from tests.errors import raises
from tests.processes import resident_mb
from tests.synthetic_reconstruction import make_reconstruction

ROOT = Path(__file__).resolve().parents[1]
SCENE = ROOT / "scene" / "__main__.py"
FAKE = [sys.executable, str(ROOT / "tests" / "fake_backend.py")]


@pytest.fixture(autouse=True)
def _empty_file() -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


@pytest.fixture
def backend() -> Iterator[BackendProcess]:
    with BackendProcess(command=FAKE) as process:
        yield process


@pytest.mark.slow
@pytest.mark.parametrize("command", [[str(SCENE)], ["-m", "reconstruct_face.scene"]])
def test_the_worker_builds_files_and_pictures(command: list[str], tmp_path: Path) -> None:
    npz = save_reconstruction(make_reconstruction(rows=12, columns=16), tmp_path / "in é.npz")
    out = tmp_path / "out é"
    steps = []
    with WorkerProcess([sys.executable, *command]) as worker:
        assert worker.call("ping")["ready"]
        params = {"npz": str(npz), "folder": str(out), "name": "Ada é", "formats": ["blend", "glb"]}
        answer = worker.call(
            "build",
            {**params, "preview": True, "window": [200, 100, 440, 340], "size": 64},
            progress=lambda fraction, step: steps.append((fraction, step)),
        )
        with raises(ExchangeError, __file__):
            worker.call("build", {**params, "npz": __file__})
        full = (out / "Ada é.glb").stat().st_size
        # Alive after an error.
        again = worker.call("build", {**params, "preview": False, "compact": True})
    assert (out / "Ada é.glb").stat().st_size < full
    assert answer["files"] == {key: str(out / f"Ada é.{key}") for key in ("blend", "glb")}
    assert sorted(file.name for file in out.iterdir()) == [
        "Ada é.blend", "Ada é.glb", "Ada é_photo_render.png", "Ada é_three_quarter.png",
    ]  # fmt: skip
    assert Path(answer["photo_render"]).read_bytes().startswith(b"\x89PNG")
    assert Path(answer["three_quarter"]).read_bytes().startswith(b"\x89PNG")
    assert again["photo_render"] is None
    assert set(answer["timings"]) >= {"blender build", "blender export", "blender render"}
    assert steps
    assert [fraction for fraction, _ in steps] == sorted(fraction for fraction, _ in steps)


@pytest.mark.slow
def test_the_worker_does_not_grow_over_many_builds(tmp_path: Path) -> None:
    npz = save_reconstruction(make_reconstruction(), tmp_path / "in.npz", compress=False)
    params = {"npz": str(npz), "folder": str(tmp_path / "out"), "name": "a", "formats": ["blend"]}
    with WorkerProcess([sys.executable, str(SCENE)]) as worker:
        for _ in range(5):
            worker.call("build", {**params, "preview": False})
        before = resident_mb(worker.pid)
        for _ in range(20):
            worker.call("build", {**params, "preview": False})
        # One build holds 2 MB of shape keys and pictures: 20 that stay would be 60 MB and more.
        assert resident_mb(worker.pid) - before < 25


def test_the_backend_process_gives_reconstructions(backend: BackendProcess, tmp_path: Path) -> None:
    photo = tmp_path / "two people.jpg"
    photo.write_bytes(b"x")
    heads = backend.reconstruct(photo, face="all", texture="photo")
    assert [head.face_index for head in heads] == [1, 2]
    assert heads[0].texture_mode == "photo"
    assert not list(Path(tempfile.gettempdir()).glob("reconstruct_face-*/face1.npz"))


def test_its_errors_arrive_as_what_they_are(backend: BackendProcess, tmp_path: Path) -> None:
    with raises(PhotoError, tmp_path / "missing.jpg"):
        backend.reconstruct(tmp_path / "missing.jpg")
    photo = tmp_path / "none.jpg"
    photo.write_bytes(b"x")
    with raises(NoFaceError, "none"):
        backend.reconstruct(photo)
    crash = tmp_path / "crash.jpg"
    crash.write_bytes(b"x")
    with raises(WorkerError, "exit status 3", "about to crash"):
        backend.reconstruct(crash)
    fine = tmp_path / "fine.jpg"
    fine.write_bytes(b"x")
    assert len(backend.reconstruct(fine)) == 1, "it starts again after a crash"


def test_reconstruct_adds_heads_to_the_scene(backend: BackendProcess, tmp_path: Path) -> None:
    photo = tmp_path / "two.jpg"
    photo.write_bytes(b"x")
    head = reconstruct_face.reconstruct(photo, backend=backend)
    assert head.name == "two"
    heads = reconstruct_face.reconstruct(photo, face="all", backend=backend)
    assert [head.name for head in heads] == ["two.001", "two face 2"]
    assert len(bpy.context.scene.collection.children) == 3


def test_a_failure_leaves_the_scene_unchanged(backend: BackendProcess, tmp_path: Path) -> None:
    photo = tmp_path / "none.jpg"
    photo.write_bytes(b"x")
    with pytest.raises(NoFaceError):
        reconstruct_face.reconstruct(photo, backend=backend)
    assert not bpy.data.objects
    assert not bpy.data.collections


@pytest.fixture
def add_on() -> Iterator[None]:
    """The add-on registered, its backend being the fake one."""
    with registered():
        yield


@pytest.mark.usefixtures("add_on")
def test_the_operators_result_is_the_apis(tmp_path: Path) -> None:
    photo = tmp_path / "two.jpg"
    photo.write_bytes(b"x")
    assert bpy.ops.reconstruct_face.reconstruct(filepath=str(photo), face=0) == {"FINISHED"}
    heads = [thing for thing in bpy.data.objects if thing.type == "MESH"]
    assert {head.name for head in heads} == {"two", "two face 2"}
    assert bpy.context.active_object.name == "two face 2"
    assert bpy.context.scene.camera is not None
    # Blender sorts objects by name, the call by size: here that is the same.
    for ours, its in zip(heads, reconstruct_face.reconstruct(photo, face="all"), strict=True):
        mine, other = everything_of(ours), everything_of(its)
        first, second = (found.pop("matrix").translation.x for found in (mine, other))
        aside = [found["properties"].pop("placed_aside") for found in (mine, other)]
        assert aside == pytest.approx([first, second])
        assert mine == other
        assert second > first, "these stand beside those"


def everything_of(head: bpy.types.Object) -> dict[str, object]:
    """What a head is made of, but for its name."""
    keys = {
        key.name: (key.value, key.slider_min, key.slider_max, [tuple(p.co) for p in key.data])
        for key in head.data.shape_keys.key_blocks
    }
    properties = {
        name: value.to_list() if hasattr(value, "to_list") else value
        for name, value in head.items()
        if not isinstance(value, bpy.types.ID)  # its camera
    }
    return {
        "keys": keys,
        "polygons": [tuple(polygon.vertices) for polygon in head.data.polygons],
        "materials": len(head.data.materials),
        "modifiers": [modifier.type for modifier in head.modifiers],
        "properties": properties,
        "matrix": head.matrix_world.copy(),
    }


@pytest.mark.usefixtures("add_on")
@pytest.mark.parametrize(
    ("name", "sentence"), [("none.jpg", "No face was found in none."), ("", "Choose a photo")]
)
def test_the_operator_reports_one_sentence_and_cancels(
    name: str, sentence: str, tmp_path: Path
) -> None:
    if name:
        (tmp_path / name).write_bytes(b"x")
    # From Python, a report of an error is raised as a RuntimeError.
    with pytest.raises(RuntimeError) as caught:
        bpy.ops.reconstruct_face.reconstruct(filepath=str(tmp_path / name) if name else "")
    assert str(caught.value).startswith(f"Error: {sentence}")
    assert "Traceback" not in str(caught.value)
    assert not bpy.data.objects
