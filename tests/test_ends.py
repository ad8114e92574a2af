"""What is left behind when a process ends in a hurry, and pictures that take the worker along."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reconstruct_face.backend.animate import job
from reconstruct_face.backend.cli import reconstruct as cli
from reconstruct_face.backend.errors import (
    Cancelled,
    NoFaceError,
    OutputError,
    PhotoError,
    WorkerError,
)
from reconstruct_face.backend.estimator import Estimator
from reconstruct_face.backend.exchange import temporary
from reconstruct_face.backend.exchange.temporary import temporary_folder
from reconstruct_face.backend.pipeline import Options

from tests.errors import has, raises
from tests.processes import seconds_until

ROOT = Path(__file__).parents[1]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's temporary folder."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture(autouse=True)
def hung_up() -> Iterator[None]:
    """SIGHUP ends what the tests start, also where they run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


HOLDER = """
from reconstruct_face.backend.exchange.temporary import temporary_folder
with temporary_folder() as folder:
    open(folder + "/file", "w").close()
    print(folder, flush=True)
    input()
"""


def test_a_temporary_folder_goes_however_its_process_ends(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with temporary_folder() as folder:
        assert Path(folder).parent == place
    assert not list(place.iterdir())
    monkeypatch.setattr(temporary, "_FRESH", 0.0)
    command = [sys.executable, "-c", HOLDER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().decode().strip())
        with temporary_folder():
            assert (left / "file").exists(), "it is in use"
        process.kill()
    assert left.exists()
    with temporary_folder() as own:
        assert [str(path) for path in place.iterdir()] == [own]


def test_folders_of_others_stay(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary, "_FRESH", 0.0)
    (place / "blender_abcdef").mkdir()
    (place / "mine").mkdir()
    (place / "reconstruct_face-run-link").symlink_to(place / "mine")
    with temporary_folder():
        pass
    assert len(list(place.iterdir())) == 3


def test_there_is_no_temporary_folder(place: Path) -> None:
    place.rmdir()
    with raises(OutputError, place), temporary_folder():
        pass


#: A worker that crashes on one photo.
WORKER = """
import os, signal, sys
from pathlib import Path
from reconstruct_face.backend.exchange import save_reconstruction
from reconstruct_face.backend.exchange.wire import serve
from tests.synthetic_reconstruction import make_reconstruction

def reconstruct(*, photo, out_dir, name, progress, **options):
    if "bad" in photo:
        os.kill(os.getpid(), signal.SIGSEGV)
    progress(0.5, "Fitting")
    head = make_reconstruction(photo_path=photo)
    return {"files": [str(save_reconstruction(head, Path(out_dir) / f"{name}.npz"))]}

serve({"reconstruct": reconstruct})
"""


def test_a_photo_that_crashes_a_library_costs_that_photo(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = [sys.executable, "-c", WORKER]
    monkeypatch.setattr(cli, "Estimator", lambda: Estimator(command))
    photos = []
    for name in ("a", "bad", "c"):
        photos.append(tmp_path / f"{name}.jpg")
        photos[-1].write_text(name)
    out = tmp_path / "out"
    quick = ["--format", "none", "--no-preview", "--json"]
    status = cli.main([*map(str, photos), "-o", str(out), *quick])
    told = json.loads(capsys.readouterr().out)["photos"]
    assert status == WorkerError.exit_status
    assert [photo["status"] for photo in told] == ["ok", "failed", "ok"]
    assert told[1]["error"]["code"] == "worker" and "SIGSEGV" in told[1]["error"]["message"]
    assert sorted(path.name for path in out.iterdir()) == ["a.json", "a.npz", "c.json", "c.npz"]
    assert not list(place.iterdir())


@pytest.mark.seconds
@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130), (signal.SIGKILL, -9)],
)
def test_a_command_that_is_ended(number: int, status: int, place: Path, tmp_path: Path) -> None:
    """At once, with a sentence, and nothing is left but what the next run removes."""
    out = tmp_path / "out"
    command = [sys.executable, str(ROOT / "backend" / "__main__.py"), "reconstruct", "--sample"]
    process = subprocess.Popen(
        [*command, "-o", str(out)],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(place)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    # Both processes are there: Blender's has made its own folder in the one that it was given.
    seconds_until(lambda: bool(list(place.glob("reconstruct_face-run-*/blender_*"))), 120)
    start = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == status, said
    if number != signal.SIGKILL:
        assert time.monotonic() - start < 8
        assert len(said.strip().splitlines()) == 1 and "nterrupted" in said
    else:
        time.sleep(6.0)  # Blender, if it only loads, takes a moment to notice
        subprocess.run([sys.executable, "-c", HOLDER], input=b"\n", check=True, capture_output=True)
    assert not list(place.iterdir()) and not list(out.rglob("*"))


#: A command that is ended in every way; its process is killed where it is not.
COMMAND = """
import os, signal, sys, time
from reconstruct_face.backend import terminal
from reconstruct_face.backend.errors import ModelError

def main(argv):
    if argv[0].isdecimal():
        os.kill(os.getpid(), int(argv[0]))
        time.sleep(5)
    if argv[0] == "exit":
        sys.exit(2)
    raise {"model": ModelError, "memory": MemoryError, "key": KeyError}[argv[0]]("A sentence.")

sys.exit(terminal.run(main, sys.argv[1:]))
"""


def ended(how: str, **started: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", COMMAND, how]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **started)


@pytest.mark.parametrize(
    ("how", "status", "fact"),
    [
        (str(int(signal.SIGTERM)), 143, "Interrupted"),
        (str(int(signal.SIGHUP)), 129, "Interrupted"),
        ("exit", 2, None),
        ("model", 6, "sentence"),
        ("memory", 1, "memory"),
        ("key", 1, "KeyError"),
    ],
)
def test_every_end_of_a_command_is_told(how: str, status: int, fact: str | None) -> None:
    done = ended(how)
    assert done.returncode == status, done.stderr
    assert done.stderr == "" if fact is None else not has(done.stderr, fact)


def test_hanging_up_does_not_end_what_ignores_it() -> None:
    """As 'nohup' has it."""
    hangup = int(signal.SIGHUP)
    done = ended(str(hangup), preexec_fn=lambda: signal.signal(hangup, signal.SIG_IGN))
    assert done.returncode == 1 and "KeyError" in done.stderr  # it has gone on


@pytest.mark.parametrize("error", [NoFaceError("None."), Cancelled("Cancelled.")])
def test_a_failed_film_leaves_no_parts(
    error: Exception, astronaut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise error

    frames = tmp_path / "frames"
    frames.mkdir()
    (frames / "1.jpg").write_bytes(astronaut.read_bytes())
    monkeypatch.setattr(job, "prepare", fails)
    with raises(type(error)):
        job.animate(frames, tmp_path / "frames_motion.npz", options=job.AnimateOptions())
    left = [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert left == ([".frames_motion.parts"] if isinstance(error, Cancelled) else [])


def test_the_worker_is_the_real_one(tmp_path: Path) -> None:
    """A photo that cannot be read, in the process that the command starts."""
    estimator = Estimator()
    try:
        with raises(PhotoError, "no.jpg"):
            estimator.reconstruct(tmp_path / "no.jpg", Options(), lambda *_: None)
        assert estimator.pid
    finally:
        estimator.close()
