"""Faults on purpose: the sentence, the scene as it was before, the next run that works."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import pytest
from reconstruct_face.backend.errors import (
    Cancelled,
    FaceError,
    OutputError,
    PhotoError,
    WorkerError,
)
from reconstruct_face.scene import api, jobs
from reconstruct_face.scene.backend_process import BackendProcess
from reconstruct_face.scene.installation.blender import release_backend
from reconstruct_face.scene.installation.locate import PYTHON_VARIABLE
from reconstruct_face.scene.mesh import remove_head

from tests.errors import raises
from tests.fake_backend import STEPS
from tests.processes import resident_mb, running, seconds_until

FAKE = [sys.executable, str(Path(__file__).with_name("fake_backend.py"))]
ALL_STEPS = (jobs.STARTING, *STEPS)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.mesh.primitive_cube_add()
    use(FAKE)
    yield
    jobs.use_backend(BackendProcess)


def use(command: list[str], silence: float = 45.0) -> None:
    jobs.use_backend(lambda: BackendProcess(command=command, silence=silence))


def photo(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(b"x")
    return path


def everything() -> dict[str, list[str]]:
    found = {kind: getattr(bpy.data, kind) for kind in dir(bpy.data)}
    lists = {k: v for k, v in found.items() if isinstance(v, bpy.types.bpy_prop_collection)}
    assert "objects" in lists
    return {kind: [thing.name for thing in things] for kind, things in lists.items()}


@contextmanager
def failing(kind: type[FaceError], *facts: object) -> Iterator[None]:
    """The block fails with one sentence that has ``facts``, and leaves the file as it was."""
    before = everything()
    with raises(kind, *facts):
        yield
    assert everything() == before


def works(folder: Path, path: Path | None = None, **options: object) -> None:
    """The next run does."""
    head = api.reconstruct(path or photo(folder, "fine.jpg"), **options)
    assert isinstance(head, bpy.types.Object)
    assert len(head.data.shape_keys.key_blocks) > 50
    assert jobs.backend_state() == "ready"


def backend_pid() -> int:
    assert jobs._service is not None and jobs._service._backend is not None
    pid = jobs._service._backend.pid
    assert pid is not None
    return pid


def at(step: str, act: Callable[[], object]) -> Callable[[float, str], None]:
    """A ``progress`` that acts when ``step`` is reached."""

    def progress(fraction: float, reached: str) -> None:
        if reached == step:
            act()

    return progress


@pytest.mark.parametrize("step", ALL_STEPS)
def test_the_backend_is_killed(step: str, tmp_path: Path) -> None:
    def kill() -> None:
        seconds_until(lambda: jobs._service._backend.pid is not None)
        os.kill(backend_pid(), signal.SIGKILL)

    with failing(WorkerError, "SIGKILL"):
        api.reconstruct(photo(tmp_path, "slow.jpg"), progress=at(step, kill))
    assert jobs.backend_state() == "broken"
    works(tmp_path)


@pytest.mark.parametrize("step", ["Reading the photo", "Making the texture"])
def test_the_backend_hangs(step: str, tmp_path: Path) -> None:
    use(FAKE, silence=1.5)
    pids = []

    def stop() -> None:
        pids.append(backend_pid())
        os.kill(pids[0], signal.SIGSTOP)

    with failing(WorkerError, "2 s"):
        api.reconstruct(photo(tmp_path, "slow.jpg"), progress=at(step, stop))
    assert seconds_until(lambda: not running(pids[0])) < 1
    works(tmp_path)


@pytest.mark.parametrize(
    ("step", "name"),
    [*((step, "slow") for step in ALL_STEPS), *((ALL_STEPS[-1], x) for x in ("stuck", "locked"))],
)
def test_cancel(step: str, name: str, tmp_path: Path) -> None:
    path = photo(tmp_path, f"{name}.jpg")
    job = jobs.start_reconstruction(path)
    before = everything()
    seconds_until(lambda: job.step == step)
    job.cancel()
    assert seconds_until(job.poll) < 0.5
    with pytest.raises(Cancelled):
        job.result()
    assert job.state == "cancelled" and everything() == before
    works(tmp_path)


def test_a_hung_backend_is_cancelled_and_mended(tmp_path: Path) -> None:
    for end in (lambda job: job.cancel(), lambda job: jobs.restart_backend()):
        job = jobs.start_reconstruction(photo(tmp_path, "stuck.jpg"))
        seconds_until(lambda job=job: job.step == "Making the texture")
        pid = backend_pid()
        os.kill(pid, signal.SIGSTOP)
        end(job)
        assert seconds_until(job.poll) < 0.5
        assert job.state == "cancelled"
        assert seconds_until(lambda pid=pid: not running(pid)) < 1
        works(tmp_path)


@pytest.mark.parametrize("name", ["slow.jpg", "stuck.jpg", ""])
def test_what_replaces_its_files_finds_it_gone(name: str, tmp_path: Path) -> None:
    """Before a repair or a removal: Windows would refuse while a process has files open."""
    if name:
        job = jobs.start_reconstruction(photo(tmp_path, name))
        seconds_until(lambda: job.step == "Making the texture")
    else:  # idle
        works(tmp_path)
    pid = backend_pid()
    release_backend()
    assert not running(pid), "also without waiting for it"
    time.sleep(0.5)
    assert jobs.backend_state() == "stopped", "nor was another one started meanwhile"
    works(tmp_path)


def test_there_is_no_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.use_backend(BackendProcess)
    monkeypatch.setenv(PYTHON_VARIABLE, str(tmp_path / "gone" / "python"))
    with failing(WorkerError, tmp_path / "gone" / "python", PYTHON_VARIABLE):
        api.reconstruct(photo(tmp_path, "a.jpg"))
    assert jobs.backend_state() == "broken"
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{FAKE[0]}" "{FAKE[1]}"\n')
    python.chmod(0o755)
    monkeypatch.setenv(PYTHON_VARIABLE, str(python))
    works(tmp_path)


def test_the_environment_lacks_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.use_backend(BackendProcess)
    bare = tmp_path / "bare python"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')
    bare.chmod(0o755)
    monkeypatch.setenv(PYTHON_VARIABLE, str(bare))
    with failing(WorkerError, bare, "numpy"):
        api.reconstruct(photo(tmp_path, "a.jpg"))
    use(FAKE)
    works(tmp_path)


def test_the_backend_is_of_another_version(tmp_path: Path) -> None:
    use([sys.executable, "-c", "print('{\"hello\": 99}', flush=True); input()"])
    with failing(WorkerError, 99, 1):
        api.reconstruct(photo(tmp_path, "a.jpg"))
    use(FAKE)
    works(tmp_path)


def test_the_photo_is_deleted_between_pick_and_run(tmp_path: Path) -> None:
    path = photo(tmp_path, "holiday.jpg")
    assert len(jobs.start_detection(path, tmp_path).result().boxes) == 1
    path.unlink()
    with failing(PhotoError, path):
        api.reconstruct(path)
    works(tmp_path)


def test_the_disk_is_full(tmp_path: Path) -> None:
    """A limit on the size of files, as far as every user may set one."""
    script = f'ulimit -f 8; exec "{FAKE[0]}" "{FAKE[1]}"'
    use(["sh", "-c", script])
    with failing(OutputError, "face1.npz", os.strerror(errno.EFBIG)):
        api.reconstruct(photo(tmp_path, "a.jpg"))
    assert not list(Path(tmp_path).glob("reconstruct_face-*"))
    use(FAKE)
    works(tmp_path)


def test_a_real_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = tmp_path / "small disk"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk; the limit on file sizes was tested")
    try:
        monkeypatch.setattr("tempfile.tempdir", str(small))
        with failing(OutputError, "face1.npz", "full"):
            api.reconstruct(photo(tmp_path, "a.jpg"))
        assert not list(small.iterdir())
    finally:
        subprocess.run(["umount", str(small)], check=True)
    monkeypatch.undo()
    works(tmp_path)


def test_the_temporary_disk_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only full: another place is asked for."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with failing(OutputError, tmp_path / "gone", os.strerror(errno.ENOENT)):
        api.reconstruct(photo(tmp_path, "a.jpg"))
    monkeypatch.undo()
    works(tmp_path)


@pytest.mark.parametrize(
    ("name", "kind", "fact"),
    [("bug", FaceError, "RuntimeError"), ("crash", WorkerError, "exit status 3")],
)
def test_the_backend_breaks(name: str, kind: type[FaceError], fact: str, tmp_path: Path) -> None:
    with failing(kind, fact):
        api.reconstruct(photo(tmp_path, f"{name}.jpg"))
    works(tmp_path)


BLENDER = """
import os, sys, time, bpy
from reconstruct_face.scene import jobs
from reconstruct_face.scene.backend_process import BackendProcess

jobs.use_backend(lambda: BackendProcess(command=sys.argv[3:]))
job = jobs.start_reconstruction(sys.argv[1])
while job.step != sys.argv[2]:
    time.sleep(0.01)
while jobs._service._backend is None or jobs._service._backend.pid is None:
    time.sleep(0.01)
print(jobs._service._backend.pid, flush=True)
input()
"""


@pytest.mark.parametrize("step", [jobs.STARTING, "Making the texture"])
@pytest.mark.parametrize("how", ["closed", "killed"])
def test_blender_ends_in_the_middle(step: str, how: str, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-c", BLENDER, str(photo(tmp_path, "locked.jpg")), step, *FAKE]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(temporary)},
    ) as blender:
        assert blender.stdin is not None and blender.stdout is not None
        pid = int(blender.stdout.readline())
        if how == "killed":
            blender.kill()
        else:
            blender.stdin.write("\n")
            blender.stdin.close()
        assert seconds_until(lambda: blender.poll() is not None) < 3
        assert seconds_until(lambda: not running(pid)) < 2
    if how == "closed":
        assert blender.returncode == 0
        assert not list(temporary.glob("reconstruct_face-*")), "unfinished files are left"


def test_twenty_in_a_row_need_no_more_memory(tmp_path: Path) -> None:
    path = photo(tmp_path, "a.jpg")

    def once() -> None:
        head = api.reconstruct(path)
        collection = head.users_collection[0]
        remove_head(head)
        around = list(collection.objects)
        data = [thing.data for thing in around if thing.data]  # an empty has none
        bpy.data.batch_remove([*around, *data, collection])
        bpy.data.orphans_purge()  # the photo behind the camera

    for _ in range(5):
        once()
    before = everything(), resident_mb(None), resident_mb(backend_pid()), threading.active_count()
    for _ in range(20):
        once()
    assert everything() == before[0]
    # A head that stays, here or there, is 0.5 MB.
    assert resident_mb(None) - before[1] < 5
    assert resident_mb(backend_pid()) - before[2] < 5
    assert threading.active_count() == before[3]


# -- the same with the real backend


@pytest.mark.slow
def test_the_real_backend_is_cancelled_at_each_step(astronaut: Path) -> None:
    jobs.use_backend(BackendProcess)
    before = everything()
    for step in ALL_STEPS:
        job = jobs.start_reconstruction(astronaut, quality="fast", texture_size=512)
        seconds_until(lambda job=job, step=step: job.step == step or job.poll(), 60)
        time.sleep(0.1)  # in the middle, where the backend does not listen
        job.cancel()
        assert seconds_until(job.poll) < 0.5
    assert everything() == before
    works(Path(), astronaut, quality="fast", texture_size=512)


@pytest.mark.slow
def test_the_real_backend_is_killed_and_hangs(astronaut: Path) -> None:
    jobs.use_backend(lambda: BackendProcess(silence=15.0))
    for number, fact in ((signal.SIGKILL, "SIGKILL"), (signal.SIGSTOP, "15 s")):
        step = at("Fitting the head", lambda number=number: os.kill(backend_pid(), number))
        with failing(WorkerError, fact):
            api.reconstruct(astronaut, quality="fast", texture_size=512, progress=step)
        works(Path(), astronaut, quality="fast", texture_size=512)


@pytest.mark.slow
def test_the_real_backend_does_not_grow(astronaut: Path) -> None:
    jobs.use_backend(BackendProcess)
    sizes = []
    for _ in range(20):
        jobs.start_reconstruction(astronaut, quality="fast", texture_size=256).result()
        sizes.append(resident_mb(backend_pid()))
    # One photo's arrays are 50 MB; allocators need a few rounds to settle.
    assert max(sizes[10:]) - max(sizes[4:8]) < 40, sizes
