"""The processes: Blender's worker over the wire, the backend's process, the API and operator."""

from __future__ import annotations

import os
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
from reconstruct_face.scene import api
from reconstruct_face.scene.backend_process import BackendProcess

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
        with pytest.raises(ExchangeError, match="not a reconstruction"):
            worker.call("build", {**params, "npz": __file__})
        again = worker.call("build", {**params, "preview": False})  # alive after an error
    assert answer["files"] == {key: str(out / f"Ada é.{key}") for key in ("blend", "glb")}
    assert sorted(file.name for file in out.iterdir()) == [
        "Ada é.blend", "Ada é.glb", "Ada é_photo_view.png", "Ada é_three_quarter.png",
    ]  # fmt: skip
    assert Path(answer["photo_view"]).read_bytes().startswith(b"\x89PNG")
    assert Path(answer["three_quarter"]).read_bytes().startswith(b"\x89PNG")
    assert again["photo_view"] is None
    assert set(answer["timings"]) >= {"blender build", "blender export", "blender render"}
    assert [fraction for fraction, _ in steps] == sorted(fraction for fraction, _ in steps)


@pytest.mark.slow
def test_the_worker_does_not_grow_over_many_builds(tmp_path: Path) -> None:
    npz = save_reconstruction(make_reconstruction(), tmp_path / "in.npz", compress=False)
    params = {"npz": str(npz), "folder": str(tmp_path / "out"), "name": "a", "formats": ["blend"]}
    with WorkerProcess([sys.executable, str(SCENE)]) as worker:
        for _ in range(5):
            worker.call("build", {**params, "preview": False})
        before = _resident_mb(worker)
        for _ in range(20):
            worker.call("build", {**params, "preview": False})
        # One build holds 2 MB of shape keys and pictures: 20 that stay would be 60 MB and more.
        assert _resident_mb(worker) - before < 25


def _resident_mb(worker: WorkerProcess) -> float:
    pages = int(Path(f"/proc/{worker.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_the_backend_process_gives_reconstructions(backend: BackendProcess, tmp_path: Path) -> None:
    photo = tmp_path / "two people.jpg"
    photo.write_bytes(b"x")
    heads = backend.reconstruct(photo, face="all", texture="photo")
    assert [head.face_index for head in heads] == [1, 2]
    assert heads[0].texture_mode == "photo"
    assert not list(Path(tempfile.gettempdir()).glob("reconstruct_face-*/face1.npz"))


def test_its_errors_arrive_as_what_they_are(backend: BackendProcess, tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="There is no file"):
        backend.reconstruct(tmp_path / "missing.jpg")
    photo = tmp_path / "none.jpg"
    photo.write_bytes(b"x")
    with pytest.raises(NoFaceError, match="No face was found in none"):
        backend.reconstruct(photo)
    crash = tmp_path / "crash.jpg"
    crash.write_bytes(b"x")
    with pytest.raises(WorkerError, match="about to crash"):
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
def add_on(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The add-on registered, its backend being the fake one."""
    fake = BackendProcess(command=FAKE)
    monkeypatch.setattr(api, "_shared", fake)
    reconstruct_face.register()
    try:
        yield
    finally:
        reconstruct_face.unregister()
        assert api._shared is None, "unregistering ends the backend"
        fake.close()


@pytest.mark.usefixtures("add_on")
def test_the_operators_result_is_the_apis(tmp_path: Path) -> None:
    photo = tmp_path / "two.jpg"
    photo.write_bytes(b"x")
    assert bpy.ops.reconstruct_face.reconstruct(filepath=str(photo), face=0) == {"FINISHED"}
    names = {thing.name for thing in bpy.data.objects if thing.type == "MESH"}
    assert names == {"two", "two face 2"}
    assert bpy.context.active_object.name == "two face 2"
    assert bpy.context.scene.camera is not None


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


@pytest.mark.usefixtures("add_on")
def test_neutral_takes_the_expression_off(tmp_path: Path) -> None:
    (tmp_path / "fine.jpg").write_bytes(b"x")
    assert not bpy.ops.reconstruct_face.neutral.poll()
    bpy.ops.reconstruct_face.reconstruct(filepath=str(tmp_path / "fine.jpg"))
    head = bpy.context.active_object
    keys = head.data.shape_keys.key_blocks[1:]
    assert max(key.value for key in keys) > 0.1
    assert bpy.ops.reconstruct_face.neutral() == {"FINISHED"}
    assert {key.value for key in keys} == {0.0}
