"""The command line with every step before Blender real or replaced, Blender faked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from reconstruct_face.backend import pipeline
from reconstruct_face.backend.cli import reconstruct as cli
from reconstruct_face.backend.cli import run as run_module
from reconstruct_face.backend.errors import (
    FaceError,
    ModelError,
    NoFaceError,
    OutputError,
    PhotoError,
    WorkerError,
    shown,
)
from reconstruct_face.backend.exchange import load_reconstruction
from reconstruct_face.backend.exchange.batch import BatchOptions
from reconstruct_face.backend.exchange.output import prepare_output
from reconstruct_face.backend.exchange.photo_tasks import collect, digest_of, read_record

from tests.errors import raises
from tests.in_process import InProcess
from tests.synthetic_reconstruction import make_reconstruction


@pytest.fixture
def photos(tmp_path: Path) -> Callable[..., list[Path]]:
    """Makes files of different content, so that each counts as a photo of its own."""

    def make(*names: str) -> list[Path]:
        paths = []
        for name in names:
            path = tmp_path / "photos" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"the photo {name}".encode())
            paths.append(path)
        return paths

    return make


@pytest.fixture
def heads(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Replaces the pipeline: ``heads[stem]`` is a number of faces, or the error to raise."""
    wanted: dict[str, Any] = {"calls": []}

    def reconstruct(photo, options, progress):
        wanted["calls"].append(Path(photo).name)
        progress(0.5, "Fitting")
        answer = wanted.get(Path(photo).stem, 1)
        if isinstance(answer, BaseException):
            raise answer
        faces = range(1, answer + 1) if isinstance(options.face, str) else [options.face]
        return [make_reconstruction(photo_path=str(photo), face_index=i) for i in faces]

    monkeypatch.setattr(pipeline, "reconstruct", reconstruct)
    monkeypatch.setattr(cli, "Estimator", InProcess)
    return wanted


@pytest.fixture
def command(
    fake_blender: Callable[[str], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Callable[..., tuple[int, dict[str, Any], str]]:
    """Runs the command line into tmp_path/out: status, the ``--json`` document, stderr."""

    def call(*arguments: str | Path, blender: str = "") -> tuple[int, dict[str, Any], str]:
        monkeypatch.setenv(
            "RECONSTRUCT_FACE_BLENDER", fake_blender(blender)["RECONSTRUCT_FACE_BLENDER"]
        )
        argv = [*map(str, arguments), "-o", str(tmp_path / "out"), "--json"]
        status = cli.main(argv)
        said = capsys.readouterr()
        return status, json.loads(said.out), said.err

    return call


def listing(folder: Path) -> set[str]:
    """Every file below ``folder``, hidden ones too."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def files_of(name: str, formats: str = "blend glb") -> set[str]:
    return {f"{name}.{kind}" for kind in (*formats.split(), "npz", "json")} | {
        f"{name}_preview.png"
    }


def test_all_files_of_one_photo(photos, heads, command, tmp_path: Path) -> None:
    (photo,) = photos("Zoë und so.jpg")
    status, told, _ = command(photo)
    assert status == told["exit_status"] == 0
    assert listing(tmp_path / "out") == files_of("Zoë und so")
    assert set(told["photos"][0]["faces"]["Zoë und so"]) == files_of("Zoë und so")
    head = load_reconstruction(tmp_path / "out" / "Zoë und so.npz")
    written = json.loads((tmp_path / "out" / "Zoë und so.json").read_text(encoding="utf-8"))
    np.testing.assert_allclose(written["coefficients"]["identity"], head.identity, atol=1e-5)
    assert {"fit", "save", "build", "preview"} <= written["timings"].keys()
    with Image.open(tmp_path / "out" / "Zoë und so_preview.png") as preview:
        assert preview.width > 2000


def test_formats_and_no_preview(photos, heads, command, tmp_path: Path) -> None:
    (photo,) = photos("a.jpg")
    command(photo, "--format", "obj, USD,obj", "--no-preview")
    assert listing(tmp_path / "out") == {"a.obj", "a.usd", "a.npz", "a.json"}


def test_numbers_only_needs_no_blender(photos, heads, command, tmp_path: Path) -> None:
    (photo,) = photos("a.jpg")
    status, _, _ = command(photo, "--format", "none", "--no-preview", blender="die")
    assert status == 0
    assert listing(tmp_path / "out") == {"a.npz", "a.json"}


def test_further_faces_get_names_of_their_own(photos, heads, command, tmp_path: Path) -> None:
    group, _ = photos("group.jpg", "group_face2.jpg")
    heads["group"] = 3
    status, told, _ = command(group.parent, "--face", "all")
    assert status == 0
    # group_face2 is taken by the photo of that name.
    wanted = {"group", "group_face2_2", "group_face3", "group_face2"}
    assert listing(tmp_path / "out") == {"summary.csv"}.union(*map(files_of, wanted))
    assert load_reconstruction(tmp_path / "out" / "group_face2_2.npz").face_index == 2
    assert load_reconstruction(tmp_path / "out" / "group_face2.npz").face_index == 1
    heads["calls"].clear()
    _, told, _ = command(group.parent, "--face", "all")
    assert [photo["status"] for photo in told["photos"]] == ["skipped", "skipped"]
    assert heads["calls"] == []


def test_one_face_by_number(photos, heads, command, tmp_path: Path) -> None:
    (photo,) = photos("group.jpg")
    command(photo, "--face", "2")
    assert listing(tmp_path / "out") == files_of("group_face2")
    _, told, _ = command(photo, "--face", "2")
    assert told["photos"][0]["status"] == "skipped"


def test_the_same_stem_twice_overwrites_nothing(photos, heads, command, tmp_path: Path) -> None:
    one, two, three = photos("x/anna.jpg", "y/anna.jpg", "y/Anna.png")
    command(one, two, three)
    assert listing(tmp_path / "out") == files_of("anna") | files_of("anna_2") | files_of("Anna_3")
    assert read_record(tmp_path / "out", "anna_2")["photo_sha256"] == digest_of(two)
    # In another order, later: everybody keeps their name, nothing is done again.
    heads["calls"].clear()
    _, told, _ = command(two)
    assert list(told["photos"][0]["faces"]) == ["anna_2"]
    assert heads["calls"] == []
    assert read_record(tmp_path / "out", "anna")["photo_sha256"] == digest_of(one)


def test_files_of_others_are_left_alone(photos, heads, command, tmp_path: Path) -> None:
    (photo,) = photos("anna.jpg")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "anna.blend").write_text("a week of somebody's work")
    command(photo)
    assert (tmp_path / "out" / "anna.blend").read_text() == "a week of somebody's work"
    assert files_of("anna_2") <= listing(tmp_path / "out")


def test_finished_photos_are_skipped_until_something_changes(
    photos, heads, command, tmp_path: Path
) -> None:
    (photo,) = photos("a.jpg")

    def calls(*options: str) -> int:
        heads["calls"].clear()
        status, _, _ = command(photo, *options)
        assert status == 0
        return len(heads["calls"])

    assert calls() == 1
    assert calls() == 0
    assert calls("--force") == 1
    assert calls("--texture", "photo") == 1
    assert calls("--texture", "photo", "--format", "glb") == 1
    assert calls("--texture", "photo", "--format", "glb") == 0
    assert calls("--texture", "photo", "--format", "glb", "--compact") == 1
    assert calls("--texture", "photo", "--format", "glb", "--compact") == 0
    assert (tmp_path / "out" / "a.glb").read_bytes() == b"compact glb of a"
    assert calls("--texture", "photo", "--format", "glb") == 1
    assert (tmp_path / "out" / "a.glb").read_bytes() == b"glb of a"
    (tmp_path / "out" / "a.glb").unlink()
    assert calls("--texture", "photo", "--format", "glb") == 1
    photo.write_bytes(b"another picture under the same name")
    assert calls("--texture", "photo", "--format", "glb") == 1
    assert "a_2.glb" in listing(tmp_path / "out"), "the first photo's result was overwritten"


def test_one_bad_photo_never_stops_the_rest(photos, heads, command, tmp_path: Path) -> None:
    folder = photos("a.jpg", "bad.jpg", "c.jpg", "notes.txt")[0].parent
    heads["bad"] = NoFaceError("No face was found in bad.jpg; choose another photo.")
    status, told, said = command(folder)
    assert status == NoFaceError.exit_status
    assert [photo["status"] for photo in told["photos"]] == ["ok", "failed", "ok"]
    assert told["photos"][1]["error"] == {
        "code": "no_face",
        "message": "No face was found in bad.jpg; choose another photo.",
        "exit_status": 4,
    }
    assert listing(tmp_path / "out") == files_of("a") | files_of("c") | {"summary.csv"}
    assert said.strip() == "reconstruct: bad.jpg: No face was found in bad.jpg; " + (
        "choose another photo."
    )


@pytest.mark.parametrize(
    ("errors", "status"),
    [
        ([PhotoError("x"), PhotoError("y")], 3),
        ([PhotoError("x"), NoFaceError("y")], 1),
        ([ModelError("x")], 6),
        ([ZeroDivisionError("x")], 1),
        ([MemoryError()], 1),
    ],
)
def test_the_status_tells_what_went_wrong(photos, heads, command, errors, status: int) -> None:
    names = [f"bad{i}.jpg" for i in range(len(errors))]
    for name, error in zip(names, errors, strict=True):
        heads[Path(name).stem] = error
    found, told, said = command(*photos(*names, "good.jpg"))
    assert found == told["exit_status"] == status
    assert len(said.strip().splitlines()) == len(errors), "one sentence each"
    assert "Traceback" not in said


def test_blender_that_dies_costs_one_photo(photos, heads, command, tmp_path: Path) -> None:
    status, told, said = command(*photos("a.jpg", "bad.jpg", "c.jpg"), blender="die-on-bad")
    assert status == WorkerError.exit_status
    assert [photo["status"] for photo in told["photos"]] == ["ok", "failed", "ok"]
    assert "ended unexpectedly" in said
    assert listing(tmp_path / "out") == files_of("a") | files_of("c")


def test_blender_that_does_not_start(
    photos, heads, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys
) -> None:
    monkeypatch.setenv("RECONSTRUCT_FACE_BLENDER", "/nowhere/blender")
    status = cli.main([str(photos("a.jpg")[0]), "-o", str(tmp_path / "out")])
    assert status == WorkerError.exit_status
    assert "Cannot start /nowhere/blender" in capsys.readouterr().err
    assert listing(tmp_path / "out") == set()


def test_empty_files_from_blender_are_noticed(photos, heads, command, tmp_path: Path) -> None:
    status, _, said = command(*photos("a.jpg"), blender="empty")
    assert status == OutputError.exit_status
    assert "did not write a.blend" in said
    assert listing(tmp_path / "out") == set()


class _SlowBlender:
    """Does not finish a photo before the backend has begun the next."""

    def __init__(self, begun: dict[str, threading.Event]) -> None:
        self.begun = begun
        self.order: list[str] = []

    def warm_up(self) -> None: ...

    def build(self, npz, folder, name, formats, *_, compact):
        self.order.append(name)
        following = chr(ord(name) + 1)
        if following in self.begun:
            assert self.begun[following].wait(20), f"{following} waited for {name}"
        return {"files": {}, "photo_render": None, "three_quarter": None, "timings": {}}


def test_two_photos_are_in_the_works_at_a_time(
    photos, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    paths = photos("a.jpg", "b.jpg", "c.jpg")
    begun = {path.stem: threading.Event() for path in paths}
    running = []

    def reconstruct(photo, options, progress):
        begun[photo.stem].set()
        running.append(photo.stem)
        return [make_reconstruction(photo_path=str(photo))]

    monkeypatch.setattr(pipeline, "reconstruct", reconstruct)
    blender = _SlowBlender(begun)
    folder = prepare_output(tmp_path / "out")
    request = BatchOptions(formats=("blend",), preview=False)
    outcomes = run_module.run(
        collect(paths, folder), folder, request, lambda job, fraction, step: None, blender
    )
    assert [(o.task.name, o.status) for o in outcomes] == [("a", "ok"), ("b", "ok"), ("c", "ok")]
    assert running == blender.order == ["a", "b", "c"]


def test_the_consumer_that_stops_early_ends_blender(photos, heads, tmp_path: Path) -> None:
    class Killable(_SlowBlender):
        killed = threading.Event()

        def build(self, *args, **kwargs):
            if not self.killed.wait(20):
                raise AssertionError("nobody ended Blender")
            raise WorkerError("ended")

        def kill(self) -> None:
            self.killed.set()

    folder = prepare_output(tmp_path / "out")
    jobs = collect([tmp_path / "missing.jpg", *photos("a.jpg", "b.jpg", "c.jpg")], folder)
    heads["missing"] = PhotoError("x")
    heads["b"] = KeyboardInterrupt()
    request = BatchOptions(preview=False)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(run_module.run(jobs, folder, request, lambda *_: None, Killable({})))
    assert time.monotonic() - start < 10
    assert listing(folder) == set()


def test_folders_hold_pictures_of_any_kind_once(photos, tmp_path: Path) -> None:
    made = photos("b.JPG", "a.heic", "c.txt", "d.WebP", ".hidden.png.part")
    jobs = collect([made[0].parent, made[0], made[0].parent], tmp_path / "out")
    assert [job.photo.name for job in jobs] == ["a.heic", "b.JPG", "d.WebP"]


def test_a_file_named_outright_is_tried_whatever_its_ending(photos, tmp_path: Path) -> None:
    (odd,) = photos("picture.dat")
    assert [job.photo for job in collect([odd], tmp_path)] == [odd]


@pytest.mark.parametrize(
    "make",
    [
        lambda p: p.write_text("x"),
        lambda p: (p.parent / "f").write_text("x") and (p.parent / "f" / "sub"),
        lambda p: Path("/proc/reconstruct"),
        lambda p: Path("/dev/null"),
        lambda p: p.parent / ("n" * 300),
        lambda p: p.parent / "a\0b",
    ],
    ids=["file", "below-a-file", "proc", "device", "long-name", "null"],
)
def test_output_folders_that_cannot_be(tmp_path: Path, make: Callable[[Path], object]) -> None:
    out = tmp_path / "out"
    made = make(out)
    out = made if isinstance(made, Path) else out
    with raises(OutputError, shown(str(out))):
        prepare_output(out)


def test_a_nearly_full_disk_is_told_before_any_work(tmp_path: Path) -> None:
    with raises(OutputError, tmp_path, f"{10**12} MB"):
        prepare_output(tmp_path, needed=10**18)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a.jpg", "--face", "0"],
        ["a.jpg", "--face", "biggest"],
        ["a.jpg", "--texture", "shiny"],
        ["a.jpg", "--texture-size", "7"],
        ["a.jpg", "--format", "blend,stl"],
        ["a.jpg", "--format", ""],
        ["a.jpg", "--no-such-option"],
    ],
)
def test_usage_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "reconstruct: error:" in capsys.readouterr().err


def test_every_status_is_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    said = capsys.readouterr().out
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    for kind in FaceError.__subclasses__():
        assert f"{kind.exit_status:>3}  " in said, kind
        assert f"| {kind.exit_status} |" in readme, kind
