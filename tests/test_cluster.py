"""Photos by the cluster's code without Ray: a worker's job in this process, Blender faked."""

from __future__ import annotations

import builtins
import csv
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image
from reconstruct_face.backend import pipeline
from reconstruct_face.backend.cli import reconstruct as cli
from reconstruct_face.backend.cli.run import Outcome, run
from reconstruct_face.backend.cluster import photos as cluster
from reconstruct_face.backend.cluster.host import Host
from reconstruct_face.backend.cluster.options import ClusterOptions
from reconstruct_face.backend.cluster.pool import connected
from reconstruct_face.backend.errors import ClusterError, NoFaceError, OutputError, PhotoError
from reconstruct_face.backend.exchange import EXCHANGE_VERSION, load_reconstruction
from reconstruct_face.backend.exchange.batch import BatchOptions
from reconstruct_face.backend.exchange.options import Options
from reconstruct_face.backend.exchange.output import prepare_output, staging
from reconstruct_face.backend.exchange.photo_tasks import (
    PhotoTask,
    collect,
    digest_of,
    names_taken,
    read_record,
)
from reconstruct_face.backend.photo import Photo, read_photo

from tests.errors import has, raises
from tests.in_process import InProcess
from tests.synthetic_reconstruction import make_reconstruction


class NoBlender:
    def kill(self) -> None: ...


class OneWorker:
    """As ``Pool``: one worker in this process that sees the folders, or does not."""

    def __init__(self, setup: dict[str, Any], sees: bool, job: type = cluster.PhotoJob) -> None:
        given = json.loads(json.dumps(setup))  # plain types, as what crosses has to be
        if not sees:
            given |= {"token": "of another folder", "samples": []}
        self.job = job(given)
        self.crossed: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def run(
        self, count: int, prepare: Callable[[int, Any], Any]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        greeting = self.job.greeting()
        for number in reversed(range(count)):
            item = prepare(number, greeting)
            for event in self.job.do(item):
                yield number, event
            self.crossed.append((item, event))


@pytest.fixture
def photos(tmp_path: Path) -> Callable[..., Path]:
    """A folder of small pictures, each of its own colour."""

    def make(*names: str) -> Path:
        folder = tmp_path / "photos"
        folder.mkdir(exist_ok=True)
        for name in names:
            colour = (len(list(folder.iterdir())) * 9, 40, 90)
            Image.new("RGB", (64, 64), colour).save(folder / name)
        return folder

    return make


@pytest.fixture
def heads(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Replaces the pipeline: ``heads[stem]`` is a number of faces, or the error to raise."""
    wanted: dict[str, Any] = {"calls": []}

    def reconstruct(photo, options, progress):
        path = (photo if isinstance(photo, Photo) else read_photo(photo)).path
        wanted["calls"].append(Path(path).name)
        progress(0.5, "Fitting")
        answer = wanted.get(Path(path).stem, 1)
        if isinstance(answer, BaseException):
            raise answer
        faces = range(1, answer + 1)
        return [make_reconstruction(photo_path=str(path), face_index=i) for i in faces]

    monkeypatch.setattr(pipeline, "reconstruct", reconstruct)
    return wanted


@pytest.fixture(params=["shared folder", "object store"])
def sees(request: pytest.FixtureRequest) -> bool:
    """Whether the worker sees photos and output folder."""
    return request.param == "shared folder"


def on_one_worker(
    folder: Path, out: Path, request: BatchOptions, sees: bool
) -> tuple[list[Outcome], OneWorker]:
    out = prepare_output(out)
    tasks = collect([folder], out)
    with staging(out, "cluster") as work:
        worker = OneWorker(cluster.setup_of(tasks, tasks, out, work, request), sees)
        found = list(cluster.on_workers(tasks, out, work, lambda *_: None, worker))
        worker.job.close()
        assert worker.job._folder.exists() is False
    return sorted(found, key=lambda one: one.task.name), worker


def listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


NUMBERS = BatchOptions(Options(face="all"), formats=(), preview=False)


def test_the_files_are_those_of_one_machine(photos, heads, sees: bool, tmp_path: Path) -> None:
    folder = photos("anna.png", "group.png", "group_face2.png", "none.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "empty.jpg").write_bytes(b"")
    heads |= {"group": 3, "none": NoFaceError("No face was found in none.png.")}
    here = prepare_output(tmp_path / "here")
    local = list(
        run(collect([folder], here), here, NUMBERS, lambda *_: None, NoBlender())  # type: ignore[arg-type]
    )
    local.sort(key=lambda one: one.task.name)
    found, worker = on_one_worker(folder, tmp_path / "there", NUMBERS, sees)
    assert listing(tmp_path / "there") == listing(here)
    assert "group_face2_2.npz" in listing(here)
    assert [(o.task, o.status, o.faces, o.warnings) for o in found] == [
        (o.task, o.status, o.faces, o.warnings) for o in local
    ]
    assert [o.landmark_errors for o in found] == [o.landmark_errors for o in local]
    assert [type(o.error) for o in found] == [type(o.error) for o in local]
    for path in here.glob("*.json"):
        told, other = (
            json.loads((where / path.name).read_text()) | {"timings": {}}
            for where in (here, tmp_path / "there")
        )
        assert told == other
    assert load_reconstruction(tmp_path / "there" / "group_face3.npz").face_index == 3
    # What crossed: contents of photos and results where nothing is shared, else neither.
    assert all(("content" in item) != sees for item, _ in worker.crossed if "error" not in item)
    assert all(("content" in event["result"]) != sees for _, event in worker.crossed)


def test_what_blender_makes_comes_along(
    photos, heads, sees: bool, fake_blender, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RECONSTRUCT_FACE_BLENDER", fake_blender("")["RECONSTRUCT_FACE_BLENDER"])
    asked = BatchOptions(compact=True)
    found, _ = on_one_worker(photos("a.png", "b.png"), tmp_path / "out", asked, sees)
    assert [one.status for one in found] == ["ok", "ok"]
    ends = (".blend", ".glb", ".json", ".npz", "_preview.png")
    assert listing(tmp_path / "out") == {f"{name}{end}" for name in "ab" for end in ends}
    assert (tmp_path / "out" / "b.glb").read_bytes() == b"compact glb of b"


def test_names_of_others_in_the_output_folder_are_not_taken(
    photos, heads, sees: bool, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "group_face2.glb").write_text("of someone else")
    heads["group"] = 2
    found, _ = on_one_worker(photos("group.png"), tmp_path / "out", NUMBERS, sees)
    assert list(found[0].faces) == ["group", "group_face2_2"]
    assert names_taken(tmp_path / "out", "_face") == {
        "group_face2": "", "group_face2_2": found[0].task.digest,
    }  # fmt: skip
    heads["calls"].clear()
    again, _ = on_one_worker(
        tmp_path / "photos", tmp_path / "out", BatchOptions(NUMBERS.options, (), False, True), sees
    )
    assert list(again[0].faces) == ["group", "group_face2_2"], "its own is written over"


def test_a_result_that_another_run_wrote_meanwhile_stays(
    photos, heads, sees: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder, out, other = photos("a.png"), prepare_output(tmp_path / "out"), tmp_path / "others"
    other.mkdir()
    Image.new("RGB", (64, 64), "black").save(other / "a.png")
    plain = pipeline.reconstruct

    def beaten(*arguments: Any) -> list[Any]:
        monkeypatch.setattr(pipeline, "reconstruct", plain)
        list(run(collect([other], out), out, NUMBERS, lambda *_: None, NoBlender()))  # type: ignore[arg-type]
        return plain(*arguments)

    monkeypatch.setattr(pipeline, "reconstruct", beaten)
    (found,), _ = on_one_worker(folder, out, NUMBERS, sees)
    assert found.status == "failed"
    assert isinstance(found.error, OutputError)
    has(str(found.error), "a", out)
    assert read_record(out, "a")["photo_sha256"] == digest_of(other / "a.png")
    (again,), _ = on_one_worker(folder, out, NUMBERS, sees)
    assert (again.status, list(again.faces)) == ("ok", ["a_2"])


def test_what_is_finished_asks_for_no_cluster(photos, heads, tmp_path: Path) -> None:
    folder = photos("a.png", "b.png")
    on_one_worker(folder, tmp_path / "out", NUMBERS, True)
    out = tmp_path / "out"
    nowhere = ClusterOptions("127.0.0.1:1")
    found = cluster.run_photos(collect([folder], out), out, NUMBERS, lambda *_: None, nowhere)
    assert [(one.task.name, one.status) for one in found] == [("a", "skipped"), ("b", "skipped")]
    before = listing(out)
    photos("c.png")
    again = cluster.run_photos(collect([folder], out), out, NUMBERS, lambda *_: None, nowhere)
    with raises(ClusterError, "127.0.0.1:1"):
        list(again)
    assert listing(out) == before, "nothing is left of the try"


def test_a_photo_that_was_lost_twice_is_failed(photos, heads, tmp_path: Path) -> None:
    class Loses(OneWorker):
        def run(self, count, prepare):
            yield 0, {"progress": 0.3, "step": "Fitting"}
            yield 0, {"lost": "The node died"}
            yield 1, {"failed": "KeyError: 'x'"}

    out = prepare_output(tmp_path / "out")
    tasks = collect([photos("a.png", "b.png")], out)
    told: list[tuple[str, float, str]] = []
    with staging(out, "cluster") as work:
        worker = Loses(cluster.setup_of(tasks, tasks, out, work, NUMBERS), True)
        found = list(
            cluster.on_workers(
                tasks, out, work, lambda t, f, s: told.append((t.name, f, s)), worker
            )
        )
    assert told == [("a", 0.3, "Fitting")]
    assert [(one.status, one.error.code) for one in found] == [
        ("failed", "cluster"), ("failed", "error"),
    ]  # fmt: skip
    assert cli.exit_status(found[:1]) == 11


def test_a_photo_that_cannot_be_read_here_is_told_without_a_worker(tmp_path: Path) -> None:
    task = PhotoTask(tmp_path / "gone.jpg", "gone", "")
    item = cluster.item_of(task, {"folders": []})
    assert item["error"]["code"] == PhotoError.code and "content" not in item


def test_without_ray_one_sentence_says_how_to_get_it(
    photos, heads, monkeypatch: pytest.MonkeyPatch, capsys, tmp_path: Path
) -> None:
    imported = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "ray":
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with (
        raises(ClusterError, "--cluster", "pip install", "reconstruct-face[cluster]"),
        connected("auto"),
    ):
        pass
    arguments = [str(photos("a.png")), "-o", str(tmp_path / "out"), "--cluster", "auto"]
    assert cli.main([*arguments, "--format", "none", "--no-preview"]) == 11
    assert "Traceback" not in capsys.readouterr().err


def test_a_node_with_another_release_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    context = SimpleNamespace(get_node_id=lambda: "node-1")
    ray = SimpleNamespace(get_runtime_context=lambda: context)
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setenv("RECONSTRUCT_FACE_DATA", "of the node")
    host = Host()
    given = {"RECONSTRUCT_FACE_DATA": "of the driver"}
    job = f"{__name__}:Greets"
    told = host.start(job, {}, given, EXCHANGE_VERSION + 1)
    has(told["error"], EXCHANGE_VERSION, EXCHANGE_VERSION + 1)
    told = host.start(job, {"x": 1}, given, EXCHANGE_VERSION)
    assert told == {"host": socket.gethostname(), "node": "node-1", "greets": {"x": 1}}
    assert os.environ["RECONSTRUCT_FACE_DATA"] == "of the node"
    assert "refused" in host.start(job, {"refused": 1}, given, EXCHANGE_VERSION)["error"]


class Greets:
    def __init__(self, setup: dict[str, Any]) -> None:
        self.setup = setup

    def greeting(self) -> dict[str, Any]:
        if "refused" in self.setup:
            raise PhotoError("The setup is refused.")
        return {"greets": self.setup}


def test_a_folder_gets_the_summary(
    photos, heads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "Estimator", InProcess)
    heads["b"] = NoFaceError("No face was found in b.png.")
    folder = photos("b.png", "a.png")
    common = ["-o", str(tmp_path / "out"), "--format", "none", "--no-preview", "--quiet"]
    assert cli.main([str(folder), *common]) == NoFaceError.exit_status
    with open(tmp_path / "out" / "summary.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(Path(row["photo"]).name, row["name"], row["status"]) for row in rows] == [
        ("a.png", "a", "ok"), ("b.png", "b", "failed"),
    ]  # fmt: skip
    assert rows[1]["error"] == "No face was found in b.png."
    head = load_reconstruction(tmp_path / "out" / "a.npz")
    assert float(rows[0]["landmark_error_px"]) == pytest.approx(head.landmark_error, abs=0.006)
