"""The folder batch inside Blender: names, skipping, failures, summary, contact sheet."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from reconstruct_face.backend import pipeline
from reconstruct_face.backend.cli import reconstruct as reconstruct_command
from reconstruct_face.backend.errors import OptionError, OutputError
from reconstruct_face.backend.exchange import Reconstruction, load_reconstruction
from reconstruct_face.backend.exchange.options import Options
from reconstruct_face.scene import batch
from reconstruct_face.scene.backend_process import BackendProcess
from reconstruct_face.scene.batch import BatchOptions, PhotoResult, run_batch

from tests.errors import raises
from tests.in_process import InProcess
from tests.synthetic_reconstruction import make_reconstruction

ROOT = Path(__file__).resolve().parents[1]
ENDINGS = (".blend", ".glb", ".json", ".npz", "_preview.png")
QUICK = BatchOptions(preview=False)

pytestmark = pytest.mark.slow


@pytest.fixture
def backend() -> Iterator[BackendProcess]:
    script = ROOT / "tests" / "fake_backend.py"
    with BackendProcess(command=[sys.executable, str(script)]) as process:
        yield process


def folder_of(path: Path, *names: str) -> Path:
    """A folder of "photos", each of its own bytes."""
    path.mkdir(exist_ok=True)
    for name in names:
        (path / name).write_bytes(name.encode())
    return path


def statuses(results: list[PhotoResult]) -> dict[str, str]:
    return {result.task.photo.name: result.status for result in results}


def listing(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_every_photo_gets_its_files_and_a_bad_one_stops_nothing(
    tmp_path: Path, backend: BackendProcess
) -> None:
    photos = folder_of(tmp_path / "in é", "a bug.jpg", "b none.png", "c crash.jpg", "d é.jpg")
    (photos / "notes.txt").write_text("no photo")
    out = tmp_path / "out é"
    lines: list[str] = []
    results = run_batch([photos], out, backend=backend, report=lines.append)
    assert statuses(results) == {
        "a bug.jpg": "failed", "b none.png": "failed", "c crash.jpg": "failed", "d é.jpg": "ok",
    }  # fmt: skip
    assert listing(out) == {f"d é{end}" for end in ENDINGS} | {"summary.csv", "contact_sheet.jpg"}
    assert len(lines) == 4
    with open(out / "summary.csv", encoding="utf-8-sig", newline="") as file:
        rows = {Path(row["photo"]).name: row for row in csv.DictReader(file)}
    assert rows["b none.png"]["error"] == "No face was found in b none."
    assert "about to crash" in rows["c crash.jpg"]["error"]
    assert rows["d é.jpg"]["status"] == "ok"
    assert 0 < float(rows["d é.jpg"]["seconds"]) < 600
    assert Image.open(out / "contact_sheet.jpg").size == (8, 1)
    assert load_reconstruction(out / "d é.npz").photo_path.endswith("d é.jpg")


def test_of_a_person_there_is_one_head_from_all_photos(
    tmp_path: Path, backend: BackendProcess
) -> None:
    ada = folder_of(tmp_path / "ada", "1.jpg", "2 best.jpg", "3 none.jpg")
    loose = folder_of(tmp_path / "loose", "front.jpg", "side.jpg")
    out = tmp_path / "out"
    options = replace(QUICK, person=True, formats=())
    photos = [loose / "front.jpg", ada, loose / "side.jpg"]
    results = run_batch(photos, out, options, backend=backend, report=lambda line: None)
    assert [(result.status, result.names) for result in results] == [
        ("ok", ["front"]), ("ok", ["ada"]),
    ]  # fmt: skip
    made = load_reconstruction(out / "ada.npz")
    assert (made.photo_name, *(view.photo_name for view in made.views)) == ("2 best.jpg", "1.jpg")
    assert "3 none.jpg" in results[1].warnings[0]
    again = run_batch(photos, out, options, backend=backend, report=lambda line: None)
    assert [result.status for result in again] == ["skipped", "skipped"]


def test_a_second_run_does_only_what_is_not_finished(
    tmp_path: Path, backend: BackendProcess
) -> None:
    photos = folder_of(tmp_path / "in", "a.jpg", "b.jpg", "c.jpg")
    out = tmp_path / "out"
    run_batch([photos], out, QUICK, backend=backend, report=lambda line: None)
    (out / "b.glb").unlink()  # as if it had been ended half way
    (photos / "c.jpg").write_bytes(b"another picture")
    (photos / "d.jpg").write_bytes(b"new")
    kept = (out / "a.blend").stat().st_mtime_ns
    results = run_batch([photos], out, QUICK, backend=backend, report=lambda line: None)
    assert statuses(results) == {"a.jpg": "skipped", "b.jpg": "ok", "c.jpg": "ok", "d.jpg": "ok"}
    assert (out / "a.blend").stat().st_mtime_ns == kept
    assert (out / "b.glb").exists()
    # The changed photo is another photo: it does not overwrite the first one's head.
    assert "c_2.blend" in listing(out)


def test_other_options_make_it_anew(tmp_path: Path, backend: BackendProcess) -> None:
    photos = folder_of(tmp_path / "in", "a.jpg")
    run_batch([photos], tmp_path / "out", QUICK, backend=backend, report=lambda line: None)
    other = BatchOptions(Options(texture="photo"), formats=("obj",), preview=False)
    (result,) = run_batch([photos], tmp_path / "out", other, backend=backend)
    assert result.status == "ok"
    assert "a_texture.png" in listing(tmp_path / "out")


def test_photos_of_one_stem_do_not_overwrite_each_other(
    tmp_path: Path, backend: BackendProcess
) -> None:
    photos = folder_of(tmp_path / "in", "anna.jpg", "anna.png")
    out = tmp_path / "out"
    for status in ("ok", "skipped"):
        results = run_batch([photos], out, QUICK, backend=backend, report=lambda line: None)
        assert [(r.task.name, r.status) for r in results] == [("anna", status), ("anna_2", status)]
    photo = json.loads((out / "anna_2.json").read_text())["photo"]
    assert photo.endswith("anna.png")


def test_several_are_looked_at_at_a_time_and_told_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both processes have begun before either has ended; a crash ends one photo's alone."""
    seen = threading.Barrier(2, timeout=60)
    script = ROOT / "tests" / "fake_backend.py"

    class Fake(BackendProcess):
        def __init__(self, python: object = None) -> None:
            super().__init__(command=[sys.executable, str(script)])

        def reconstruct_to(self, photo, *args, **named):
            if photo.stem in "ab":
                seen.wait()
            if photo.stem == "a":
                time.sleep(0.5)  # b is there first
            return super().reconstruct_to(photo, *args, **named)

    monkeypatch.setattr(batch, "BackendProcess", Fake)
    photos = folder_of(tmp_path / "in", "a.jpg", "b.jpg", "c crash.jpg", "d.jpg")
    lines: list[str] = []
    results = run_batch([photos], tmp_path / "out", QUICK, jobs=2, report=lines.append)
    assert [result.task.name for result in results] == ["a", "b", "c crash", "d"]
    assert [result.status for result in results] == ["ok", "ok", "failed", "ok"]
    assert [line[:5] for line in lines] == [f"[{n}/4]" for n in range(1, 5)]
    assert {"a.blend", "b.blend", "d.blend"} <= listing(tmp_path / "out")


def test_no_photo_at_a_time_is_refused(tmp_path: Path) -> None:
    with raises(OptionError, "jobs"):
        run_batch([tmp_path], tmp_path / "out", jobs=0)


def test_all_faces_of_a_photo(tmp_path: Path, backend: BackendProcess) -> None:
    photos = folder_of(tmp_path / "in", "two.jpg")
    out = tmp_path / "out"
    options = BatchOptions(Options(face="all"), preview=False)
    for status in ("ok", "skipped"):
        (result,) = run_batch([photos], out, options, backend=backend, report=lambda line: None)
        assert (result.status, result.names) == (status, ["two", "two_face2"])
    assert {"two.blend", "two_face2.blend", "two_face2.json"} <= listing(out)


def test_an_output_folder_that_is_a_file(tmp_path: Path, backend: BackendProcess) -> None:
    photos = folder_of(tmp_path / "in", "a.jpg")
    (tmp_path / "out").write_text("in the way")
    with raises(OutputError, tmp_path / "out"):
        run_batch([photos], tmp_path / "out", backend=backend)


@pytest.fixture
def command(
    fake_blender: Callable[[str], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[str]]:
    """Runs the ``reconstruct`` command, which has a fake Blender, and says what it told of each."""
    asked: list[Path] = []

    def reconstruct(photo: Path, options: Options, progress: object) -> list[Reconstruction]:
        asked.append(photo)
        faces = {"largest": (1,), "all": (1, 2)}.get(str(options.face), (options.face,))
        return [make_reconstruction(photo_path=str(photo), face_index=int(i)) for i in faces]

    monkeypatch.setattr(pipeline, "reconstruct", reconstruct)
    monkeypatch.setattr(reconstruct_command, "Estimator", InProcess)
    for name, value in fake_blender("").items():
        monkeypatch.setenv(name, value)

    def run(*arguments: object) -> list[str]:
        asked.clear()
        assert reconstruct_command.main([*map(str, arguments), "--quiet"]) == 0
        return [path.name for path in asked]

    return run


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("", BatchOptions()),
        ("--format glb --no-preview", BatchOptions(formats=("glb",), preview=False)),
        (
            "--format glb --no-preview --compact",
            BatchOptions(formats=("glb",), preview=False, compact=True),
        ),
        (
            "--face 2 --texture photo --texture-size 512 --format none --no-preview",
            BatchOptions(Options(face=2, texture="photo", texture_size=512), (), False),
        ),
        (
            "--face all --model bfm --network ours --expressions arkit --quality best "
            "--format none --no-preview",
            BatchOptions(
                Options(
                    face="all", model="bfm", network="ours", expressions="arkit", quality="best"
                ),
                (),
                False,
            ),
        ),
        (
            "--no-landmarks --format none --no-preview",
            BatchOptions(Options(landmarks=False), (), False),
        ),
        (
            "--estimate landmarks --format none --no-preview",
            BatchOptions(Options(estimate="landmarks"), (), False),
        ),
    ],
)
def test_the_command_and_the_batch_skip_what_the_other_has_finished(
    words: str,
    options: BatchOptions,
    command: Callable[..., list[str]],
    tmp_path: Path,
    backend: BackendProcess,
) -> None:
    photos, out = folder_of(tmp_path / "in", "two.jpg"), tmp_path / "by command"
    told = (photos, *words.split())
    assert command(*told, "-o", out) == ["two.jpg"]

    def batch(folder: Path, options: BatchOptions) -> str:
        (result,) = run_batch([photos], folder, options, backend=backend, report=lambda _: None)
        return result.status

    assert batch(out, options) == "skipped"
    other = replace(options, options=replace(options.options, network="", texture="none"))
    assert batch(out, other) == "ok"

    out = tmp_path / "by batch"
    assert batch(out, options) == "ok"
    assert command(*told, "-o", out) == []
    assert command(*told, "-o", out, "--texture", "none") == ["two.jpg"]


def test_force_does_finished_photos_again(tmp_path: Path, backend: BackendProcess) -> None:
    photos = folder_of(tmp_path / "in", "a.jpg")
    options = BatchOptions(formats=(), preview=False)
    for again in (options, replace(options, force=True)):
        (result,) = run_batch([photos], tmp_path / "out", again, backend=backend)
        assert result.status == "ok"


def run_example(*arguments: object, python: object = sys.executable) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(ROOT / "examples" / "03_folder.py"), *map(str, arguments),
         "--python", str(python)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def fake_python(tmp_path: Path) -> Path:
    """An "interpreter" that runs the fake backend, whatever it is told to run."""
    path = tmp_path / "python"
    script = ROOT / "tests" / "fake_backend.py"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}"\n')
    path.chmod(0o755)
    return path


def test_the_example_runs_as_a_script(tmp_path: Path) -> None:
    photos = folder_of(tmp_path / "in", "a.jpg", "none.jpg")
    out, python = tmp_path / "out", fake_python(tmp_path)
    options = ("-o", out, "--no-preview", "--format", "glb")
    # As in Blender, where everything before "--" is Blender's own.
    done = run_example("--background", "--", photos, *options, python=python)
    assert done.returncode == 1, done.stderr
    assert "1 of 2 photos are done" in done.stdout
    assert {"a.glb", "a.npz", "a.json", "summary.csv"} == listing(out)
    done = run_example(photos / "a.jpg", *options, python=python)
    assert done.returncode == 0
    assert "a.jpg: skipped" in done.stdout
    (tmp_path / "file").write_text("")
    done = run_example(photos, "-o", tmp_path / "file", python=python)
    assert done.returncode == 5
    assert len(done.stderr.splitlines()) == 1
