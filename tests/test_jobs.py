"""Jobs on the shared backend process, the blocking call, reports, and the command's shell."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
import reconstruct_face
from reconstruct_face.backend.errors import Cancelled, FaceError, NoFaceError, WorkerError
from reconstruct_face.scene import api, command, jobs, report
from reconstruct_face.scene.backend_process import BackendProcess

from tests.errors import raises
from tests.processes import running, seconds_until
from tests.synthetic_reconstruction import make_reconstruction

FAKE = [sys.executable, str(Path(__file__).with_name("fake_backend.py"))]


@pytest.fixture(autouse=True)
def _fake() -> Iterator[None]:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    jobs.use_backend(lambda: BackendProcess(command=FAKE))
    yield
    jobs.use_backend(BackendProcess)


def photo(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(b"x")
    return path


def test_a_job_is_polled_and_gives_its_result(tmp_path: Path) -> None:
    assert jobs.backend_state() == "stopped"
    job = jobs.start_reconstruction(photo(tmp_path, "two slow.jpg"), face="all", texture="photo")
    seen = []
    while not job.poll():
        assert job.state == "running"
        seen.append((job.fraction, job.step, jobs.backend_state()))
        time.sleep(0.02)
    assert job.state == "done" and job.fraction == 1.0
    assert [head.face_index for head in job.result()] == [1, 2]
    assert job.result()[0].texture_mode == "photo"
    assert jobs.backend_state() == "ready"
    assert jobs.backend_versions() == {"python": "fake"}
    steps = list(dict.fromkeys(step for _, step, _ in seen))
    assert steps == [
        "Starting the backend", "Reading the photo", "Finding faces", "Finding landmarks",
        "Fitting the head", "Making the texture",
    ]  # fmt: skip
    assert [fraction for fraction, _, _ in seen] == sorted(fraction for fraction, _, _ in seen)
    assert {state for _, _, state in seen} == {"starting", "busy"}


def test_polling_takes_no_time(tmp_path: Path) -> None:
    """What Blender's main thread does while a job runs: start it, look at it, cancel it."""
    longest = 0.0

    def timed(function, *arguments):
        nonlocal longest
        start = time.perf_counter()
        result = function(*arguments)
        longest = max(longest, time.perf_counter() - start)
        return result

    job = timed(jobs.start_reconstruction, photo(tmp_path, "slow.jpg"))
    for _ in range(80):
        timed(job.poll)
        timed(jobs.backend_state)
        time.sleep(0.01)
    timed(job.cancel)
    seconds_until(job.poll)
    assert longest < 0.05


def test_two_at_once_are_done_in_turn_and_both_are_right(tmp_path: Path) -> None:
    first = jobs.start_reconstruction(photo(tmp_path, "first slow.jpg"))
    second = jobs.start_reconstruction(photo(tmp_path, "second.jpg"))
    time.sleep(0.1)
    assert second.step == "Waiting" and not second.poll()
    assert Path(second.result()[0].photo_path).name == "second.jpg"
    assert first.poll()
    assert Path(first.result()[0].photo_path).name == "first slow.jpg"


def test_a_job_that_waits_is_cancelled_without_a_trace(tmp_path: Path) -> None:
    first = jobs.start_reconstruction(photo(tmp_path, "slow.jpg"))
    second = jobs.start_reconstruction(photo(tmp_path, "second.jpg"))
    second.cancel()
    assert second.state == "cancelled" and second.poll()
    with pytest.raises(Cancelled):
        second.result()
    assert len(first.result()) == 1


@pytest.mark.parametrize(("name", "count"), [("none.jpg", 0), ("one.jpg", 1), ("two.jpg", 2)])
def test_detection(name: str, count: int, tmp_path: Path) -> None:
    found = jobs.start_detection(photo(tmp_path, name), tmp_path).result()
    assert found.boxes.shape == (count, 4) and found.boxes.dtype == np.float32
    assert found.size == (640, 480)
    assert found.thumbnail.is_file() and len(found.faces) == count
    assert all(path.is_file() for path in found.faces)


def test_an_idle_process_gives_its_memory_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONSTRUCT_FACE_IDLE_MINUTES", str(1 / 60))
    started = []

    def make() -> BackendProcess:
        started.append(BackendProcess(command=FAKE))
        return started[-1]

    service = jobs.Service(make)

    def ask() -> int | None:
        def work(backend: BackendProcess, *_: object) -> int | None:
            backend.warm_up()
            return backend.pid

        return service.submit(work).result()

    try:
        pid = ask()
        assert pid is not None and ask() == pid
        assert service.state() == "ready"
        assert 0.5 < seconds_until(lambda: service.state() == "stopped") < 4
        assert not running(pid)
        assert ask() not in (None, pid)
    finally:
        service.close()
    assert all(backend.pid is None for backend in started)


def test_close_ends_everything_and_the_next_job_starts_anew(tmp_path: Path) -> None:
    running_job = jobs.start_reconstruction(photo(tmp_path, "stuck.jpg"))
    waiting = jobs.start_reconstruction(photo(tmp_path, "second.jpg"))
    seconds_until(lambda: running_job.step == "Making the texture")
    service = jobs._service
    assert service is not None and service._backend is not None
    pid = service._backend.pid
    assert pid is not None
    start = time.monotonic()
    api.close_backend()
    assert time.monotonic() - start < 1
    assert (running_job.state, waiting.state) == ("cancelled", "cancelled")
    assert seconds_until(lambda: not running(pid)) < 1
    assert len(jobs.start_reconstruction(photo(tmp_path, "third.jpg")).result()) == 1


# -- the blocking call


def test_the_call_adds_what_the_job_found(tmp_path: Path) -> None:
    path, steps = photo(tmp_path, "two.jpg"), []
    head = reconstruct_face.reconstruct(path, progress=lambda *step: steps.append(step))
    assert head.name == "two"
    assert "Fitting the head" in [step for _, step in steps] and steps[0][0] == 0.0
    pair = reconstruct_face.reconstruct(path, face="all", name="Ada", set_active=True)
    assert [head.name for head in pair] == ["Ada", "Ada.001"]
    assert bpy.context.active_object == pair[-1]
    again = api.add_heads(jobs.start_reconstruction(path).result())
    assert len(again) == 1
    values = [[key.value for key in one.data.shape_keys.key_blocks] for one in (head, *again)]
    assert values[0] == values[1]


def test_heads_are_added_all_or_none(tmp_path: Path) -> None:
    bpy.ops.mesh.primitive_cube_add()
    before = everything()
    good = make_reconstruction(rows=12, columns=16)
    bad = dataclasses.replace(good, expression_basis=good.expression_basis[:, :-1])
    with pytest.raises(ValueError):
        api.add_heads([good, bad])
    assert everything() == before


def everything() -> dict[str, set[str]]:
    kinds = ("collections", "objects", "meshes", "cameras", "lights", "materials", "images")
    return {kind: {thing.name for thing in getattr(bpy.data, kind)} for kind in kinds}


class Stop(Exception):
    pass


def test_what_progress_raises_cancels(tmp_path: Path) -> None:
    def stop(fraction: float, step: str) -> None:
        if step == "Finding landmarks":
            raise Stop

    with pytest.raises(Stop):
        reconstruct_face.reconstruct(photo(tmp_path, "slow.jpg"), progress=stop)
    assert not bpy.data.objects
    assert reconstruct_face.reconstruct(photo(tmp_path, "a.jpg")).name == "a"


CTRL_C = """
import sys, bpy
from reconstruct_face.scene import api, jobs
from reconstruct_face.scene.backend_process import BackendProcess
jobs.use_backend(lambda: BackendProcess(command=sys.argv[2:]))
before = len(bpy.data.objects)
try:
    api.reconstruct(sys.argv[1], progress=lambda fraction, step: print(step, flush=True))
except KeyboardInterrupt:
    print("interrupted", len(bpy.data.objects) - before, flush=True)
    print(len(api.reconstruct(sys.argv[1].replace("stuck", "fine")).data.vertices) > 0)
"""


def test_ctrl_c_ends_the_call(tmp_path: Path) -> None:
    photo(tmp_path, "fine.jpg")
    arguments = [str(photo(tmp_path, "stuck.jpg")), *FAKE]
    with subprocess.Popen(
        [sys.executable, "-c", CTRL_C, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        while "Making the texture" not in process.stdout.readline():
            pass
        process.send_signal(2)
        rest = process.stdout.read()
    assert process.returncode == 0
    assert "interrupted 0" in rest and rest.endswith("True\n")


# -- reports


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where reports go, as the system's temporary folder is another one."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path / "reconstruct_face_reports"


def test_a_report_tells_what_the_sentence_leaves_out(tmp_path: Path, reports: Path) -> None:
    with pytest.raises(WorkerError) as caught:
        reconstruct_face.reconstruct(photo(tmp_path, "crash é.jpg"))
    options = {"photo": tmp_path / "crash é.jpg", "quality": "best"}
    path = report.write_report(caught.value, doing="Reconstruct Face", options=options)
    assert path is not None and path.parent == reports
    text = path.read_text(encoding="utf-8")
    for part in (
        bpy.app.version_string, sys.version.split()[0], "python fake", "crash é.jpg",
        '"quality": "best"', str(caught.value), "about to crash", "Traceback", "0.1.0",
    ):  # fmt: skip
        assert part in text


def test_the_last_reports_are_kept(reports: Path) -> None:
    written = []
    for number in range(report.KEPT + 3):
        written.append(report.write_report(FaceError(f"{number}."), doing="x", options={}))
        time.sleep(0.002)
    assert sorted(reports.iterdir()) == written[3:]


@pytest.mark.parametrize("obstacle", ["a file in the way", "an error that cannot be told"])
def test_a_report_never_raises(obstacle: str, reports: Path) -> None:
    class Untold(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    error: Exception = FaceError("No.")
    if obstacle == "a file in the way":
        reports.write_text("")
    else:
        error = Untold()
    assert report.write_report(error, doing="x", options={}) is None


# -- blender --command


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["two.jpg", "-o", "out/a.blend", "-o", "out/b.glb", "--face", "all"], 0, "Writing"),
        (["none.jpg", "-o", "out/a.blend"], 4, "reconstruct_face: No face was found in none."),
        (["gone.jpg", "-o", "out/a.blend"], 3, "There is no file"),
        (["crash.jpg", "-o", "out/a.blend"], 8, "ended unexpectedly"),
        (["two.jpg", "-o", "two.jpg/a.blend"], 5, "is a file, not a folder"),
        (["two.jpg", "-o", "out/a.png"], 2, "give one of .glb, .fbx"),
        (["two.jpg", "-o", "out/a.glb", "--face", "0"], 2, "face is 0; give"),
        (["two.jpg", "-o", "out/a.glb", "--texture-size", "9"], 2, "give 128 to 8192"),
        (["two.jpg", "-o", "a.glb", "--no-landmarks", "--estimate", "landmarks"], 2, "needs"),
        (["two.jpg"], 2, "required: -o/--out"),
        (["--help"], 0, ""),
    ],
)
def test_the_command(
    arguments: list[str],
    status: int,
    said: str,
    tmp_path: Path,
    reports: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name in ("two.jpg", "none.jpg", "crash.jpg"):
        photo(tmp_path, name)
    monkeypatch.chdir(tmp_path)
    assert command.run(arguments) == status
    out, err = capfd.readouterr()
    assert said in err
    assert "Traceback" not in err
    files = sorted(path.name for path in tmp_path.glob("out/*"))
    if status == 0 and said:
        assert files == ["a.blend", "b.glb", "b_face2.glb"]
        assert out.splitlines()[-3:] == [str(tmp_path / "out" / name) for name in files]
        library: Any = bpy.data.libraries.load(str(tmp_path / "out" / "a.blend"))
        with library as (inside, _):
            assert {"two", "two face 2"} <= set(inside.objects)
    else:
        assert files == []
    assert reports.exists() == (status == 8)
    assert jobs.backend_state() == "stopped"


def test_the_command_is_interrupted_and_blender_keeps_its_own_handler(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import signal

    before = signal.getsignal(signal.SIGINT)
    path = photo(tmp_path, "stuck.jpg")
    threading.Timer(3.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    assert command.run([str(path), "-o", str(tmp_path / "out.blend")]) == 130
    assert "Interrupted" in capfd.readouterr().err
    assert not (tmp_path / "out.blend").exists()
    assert signal.getsignal(signal.SIGINT) == before


def test_the_command_is_registered_and_taken_back() -> None:
    for _ in range(2):
        command.add_command()
        command.remove_command()
    command.remove_command()  # not an error when there is none
    assert command._handle is None


def test_what_a_killed_blender_left_is_swept_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    names = ("run-12345678", "run-abcdefgh", "reports")
    names = tuple(f"reconstruct_face-{name}" for name in names)
    for name in names:
        (temporary / name).mkdir(parents=True)
        (temporary / name / "face1.npz").write_bytes(b"x")
    for name in (names[0], names[2]):
        os.utime(temporary / name, (0, 0))
    jobs.start_reconstruction(photo(tmp_path, "a.jpg")).result()
    assert {path.name for path in temporary.iterdir()} == set(names[1:])


def test_no_face_is_told_once(tmp_path: Path) -> None:
    job = jobs.start_reconstruction(photo(tmp_path, "none.jpg"))
    for _ in range(2):
        with raises(NoFaceError, "none"):
            job.result()
    assert job.state == "failed" and isinstance(job.error, NoFaceError)
