"""Several photos looked at at a time: their order, how many, and how such a run ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from reconstruct_face.backend import at_once
from reconstruct_face.backend.cli import reconstruct as cli
from reconstruct_face.backend.cli import run as run_module
from reconstruct_face.backend.errors import WorkerError
from reconstruct_face.backend.estimator import Estimator, Estimators
from reconstruct_face.backend.exchange.batch import BatchOptions
from reconstruct_face.backend.exchange.options import Options
from reconstruct_face.backend.exchange.output import prepare_output
from reconstruct_face.backend.exchange.photo_tasks import collect

from tests.synthetic_reconstruction import make_reconstruction
from tests.test_ends import ROOT, WORKER, seconds_until

NUMBERS = BatchOptions(formats=(), preview=False)


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    made = []
    for name in "abcdef":
        made.append(tmp_path / f"{name}.jpg")
        made[-1].write_text(name)
    return made


class NoBlender:
    def kill(self) -> None:
        """Nothing to end."""


class Counted:
    """Estimates that note how many of them are under way."""

    def __init__(self) -> None:
        self.now, self.most, self.begun = 0, 0, []
        self._lock = threading.Lock()

    def __call__(self, photo, options, progress):
        with self._lock:
            self.begun.append(photo.stem)
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.3 if photo.stem == "a" else 0.05)  # later ones are done before it
        with self._lock:
            self.now -= 1
        return [make_reconstruction(photo_path=str(photo))]


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_as_many_as_asked_for_in_their_order(
    at_once: int, photos: list[Path], tmp_path: Path
) -> None:
    folder, estimate = prepare_output(tmp_path / "out"), Counted()
    outcomes = run_module.run(
        collect(photos, folder), folder, NUMBERS, lambda *_: None, NoBlender(),
        estimate=estimate, at_once=at_once,
    )  # fmt: skip
    assert [(one.task.name, one.status) for one in outcomes] == [(name, "ok") for name in "abcdef"]
    assert estimate.most == at_once
    assert sorted(estimate.begun) == list("abcdef")


def test_who_stops_early_waits_for_nobody(photos: list[Path], tmp_path: Path) -> None:
    stopped = threading.Event()

    def estimate(photo, options, progress):
        if photo.stem == "b":
            raise KeyboardInterrupt
        if not stopped.wait(20):
            raise AssertionError("nobody stopped it")
        raise WorkerError("ended")

    folder = prepare_output(tmp_path / "out")
    found = run_module.run(
        collect(photos[1:], folder), folder, NUMBERS, lambda *_: None, NoBlender(),
        estimate=estimate, at_once=2, stop=stopped.set,
    )  # fmt: skip
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(found)
    assert time.monotonic() - start < 10
    assert not list(folder.iterdir())


def test_a_worker_each_and_no_more(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    """And a crash of one costs its photo, not its neighbour's."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    made: list[Estimator] = []

    def make() -> Estimator:
        made.append(Estimator([sys.executable, "-c", WORKER]))
        return made[-1]

    monkeypatch.setattr(cli, "Estimator", make)
    photos[2] = photos[2].rename(tmp_path / "bad.jpg")
    quick = ["--format", "none", "--no-preview", "--json", "--jobs", "2"]
    status = cli.main([*map(str, photos), "-o", str(tmp_path / "out"), *quick])
    told = json.loads(capsys.readouterr().out)["photos"]
    assert len(made) == 2
    assert status == WorkerError.exit_status
    assert [one["status"] for one in told] == ["ok", "ok", "failed", "ok", "ok", "ok"]


def test_one_photo_after_the_other_has_the_same_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Noted(Estimator):
        def reconstruct(self, photo, options, progress):
            asked.append(self)
            return []

    workers = Estimators(3, Noted)
    for _ in range(4):
        workers.reconstruct("a.jpg", Options(), lambda *_: None)
    assert len(set(asked)) == 1


@pytest.mark.seconds
def test_a_run_of_several_that_is_interrupted(tmp_path: Path, astronaut: Path) -> None:
    """At once, and without anything left."""
    place = tmp_path / "place"
    place.mkdir()
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in "abcd":  # a byte after the picture's end makes it another photo
        (folder / f"{name}.jpg").write_bytes(astronaut.read_bytes() + name.encode())
    out = tmp_path / "out"
    command = [sys.executable, "-P", str(ROOT / "backend" / "__main__.py"), "reconstruct"]
    process = subprocess.Popen(
        [*command, str(folder), "-o", str(out), "--no-preview", "--jobs", "2"],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(place)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    seconds_until(lambda: (out / "a.npz").exists(), 120)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert time.monotonic() - start < 8
    assert not list(place.iterdir())
    left = {path.stem for path in out.rglob("*") if path.is_file()}
    assert "a" in left and left <= set("abcd")


@pytest.mark.parametrize("wrong", ["0", "-1", "two", "1.5"])
def test_a_number_of_photos_that_is_none(wrong: str, capsys) -> None:
    with pytest.raises(SystemExit):
        cli.main(["a.jpg", "--jobs", wrong])
    assert f"{wrong} is no whole number from 1 on" in capsys.readouterr().err


def test_a_cluster_has_its_own_number(capsys) -> None:
    with pytest.raises(SystemExit):
        cli.main(["a.jpg", "--jobs", "2", "--cluster", "auto"])
    assert "leave --jobs out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("photos", "processors", "free_mb", "expected"),
    [
        (1, 16, 64_000, 1),
        (100, 2, 64_000, 2),
        (100, 16, 64_000, at_once.MOST_AT_ONCE),
        (100, 16, 3_000, 2),
        (100, 16, 500, 1),
        (100, 16, None, at_once.MOST_AT_ONCE),
        (0, 2, None, 1),
    ],
)
def test_how_many_there_is_room_for(
    photos: int,
    processors: int,
    free_mb: float | None,
    expected: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(processors)), raising=False)
    monkeypatch.setattr(at_once, "_free_mb", lambda: free_mb)
    assert at_once.photos_at_once(photos) == expected


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="Linux tells of free memory")
def test_free_memory_is_what_the_system_says() -> None:
    free = at_once._free_mb()
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6
    assert free is not None and 0 < free < total
