"""Three real Ray nodes on this machine: what is placed where, what is lost, how it ends."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from reconstruct_face.backend.animate import appearance
from reconstruct_face.backend.animate.job import AnimateOptions, animate
from reconstruct_face.backend.cluster import photos as cluster
from reconstruct_face.backend.cluster.films import film_shares
from reconstruct_face.backend.cluster.options import ClusterOptions
from reconstruct_face.backend.cluster.pool import Pool
from reconstruct_face.backend.errors import ClusterError
from reconstruct_face.backend.exchange import load_reconstruction
from reconstruct_face.backend.exchange.batch import BatchOptions
from reconstruct_face.backend.exchange.motion import load_motion
from reconstruct_face.backend.exchange.options import Options
from reconstruct_face.backend.exchange.output import prepare_output, staging
from reconstruct_face.backend.exchange.photo_tasks import collect

from tests import animate_clip as clips
from tests.errors import raises
from tests.processes import seconds_until

ROOT = Path(__file__).resolve().parents[1]
STORE_BYTES = 100_000_000
STAND_IN = "tests.cluster_stand_in"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def variables() -> Iterator[None]:
    """Of the nodes and of whoever connects: where the jobs are found."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("RECONSTRUCT_FACE_DEVICE", "cpu")
        yield


@pytest.fixture
def nodes(variables: None) -> Iterator[Any]:
    """A cluster of three nodes of one CPU each; the last one has a GPU, as far as Ray is told."""
    from ray.cluster_utils import Cluster

    common = {"num_cpus": 1, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=common)
    try:
        made.add_node(**common)
        made.add_node(**common, num_gpus=1)
        yield made
    finally:
        made.shutdown()


@pytest.fixture
def photos(tmp_path: Path, astronaut: Path) -> Path:
    """Twelve small photos of one face, each framed differently."""
    folder = tmp_path / "photos"
    folder.mkdir()
    picture = Image.open(astronaut).convert("RGB")
    for i in range(12):
        part = picture.crop((60 + 2 * i, 10, 400 + i, 400)).resize((320 + i, 360 + i))
        part.save(folder / f"p{i:02d}.jpg", quality=92)
    return folder


def command(nodes: Any, photos: Path, out: Path, *more: str) -> list[str]:
    return [
        sys.executable, "-m", "reconstruct_face.backend", "reconstruct", str(photos),
        "-o", str(out), "--quality", "fast", "--texture", "none",
        "--cluster", nodes.address, "--cluster-cpus", "1", *more,
    ]  # fmt: skip


def processes(*words: str) -> set[int]:
    """Ids of those whose command line holds one of ``words``."""
    found = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if any(word in line for word in words):
                found.add(int(folder.name))
    return found


def listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_a_node_that_is_killed_costs_nothing(nodes: Any, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = command(nodes, photos, out, "--format", "none", "--no-preview")
    run = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert run.stdout is not None
    first = [run.stdout.readline() for _ in range(2)]
    nodes.remove_node(nodes.list_all_nodes()[1], allow_graceful=False)
    rest, said = run.communicate(timeout=300)
    assert run.returncode == 0, said
    assert "was lost" in said, "the node that was killed had nothing to do"
    names = [f"p{i:02d}" for i in range(12)]
    told = Counter(line.split(":")[0] for line in (*first, *rest.splitlines()))
    assert told == {f"{name}.jpg": 1 for name in names}, "nothing lost, nothing twice"
    files = {f"{name}{end}" for name in names for end in (".json", ".npz")}
    assert listing(out) == files | {"summary.csv"}
    with open(out / "summary.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["name"], row["status"]) for row in rows] == [(name, "ok") for name in names]
    # The same heads as on one machine, and that machine sees that all is done.
    alone = [one for one in arguments if not one.startswith("--cluster")]
    alone = [one for one in alone if one not in (nodes.address, "1")]
    again = subprocess.run([*alone, "--json"], capture_output=True, text=True, timeout=300)
    assert {photo["status"] for photo in json.loads(again.stdout)["photos"]} == {"skipped"}
    alone[alone.index(str(out))] = str(tmp_path / "alone")
    alone[alone.index(str(photos))] = str(photos / "p07.jpg")
    subprocess.run(alone, check=True, capture_output=True, timeout=300)
    one, other = (load_reconstruction(f / "p07.npz") for f in (out, tmp_path / "alone"))
    np.testing.assert_allclose(one.vertices_posed, other.vertices_posed, atol=0.01)


def test_interrupted_nothing_is_left(
    nodes: Any, photos: Path, fake_blender, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    before = processes("ray::Host")
    env = fake_blender("")
    run = subprocess.Popen(
        command(nodes, photos, out), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=env,
    )  # fmt: skip
    assert run.stdout is not None
    assert run.stdout.readline().startswith("p")
    workers = processes("ray::Host", "fake_scene.py") - before
    assert len(workers) >= 2
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 130, said
    assert "Interrupted" in said
    assert not any(name.startswith(".") for name in listing(out))
    whole = {name.split(".")[0] for name in listing(out) if name.endswith(".json")}
    assert whole and len(whole) < 12
    ends = (".blend", ".glb", ".json", ".npz", "_preview.png")
    assert listing(out) == {f"{name}{end}" for name in whole for end in ends}
    seconds_until(lambda: not (processes("ray::Host", "fake_scene.py") - before), 20)


def test_results_come_back_through_the_object_store(
    nodes: Any, photos: Path, tmp_path: Path
) -> None:
    request = BatchOptions(Options(texture="none", quality="fast"), formats=(), preview=False)
    out = prepare_output(tmp_path / "out")
    tasks = collect([photos], out)[:5]
    with staging(out, "cluster") as work:
        setup = cluster.setup_of(tasks, tasks, out, work, request)
        setup |= {"token": "of another folder", "samples": []}
        with Pool(ClusterOptions(nodes.address), f"{STAND_IN}:QuickPhotos", setup) as pool:
            found = list(cluster.on_workers(tasks, out, work, lambda *_: None, pool))
        assert [path.name for path in work.iterdir()] == ["probe"]
    assert {one.task.name: one.status for one in found} == {t.name: "ok" for t in tasks}
    assert listing(out) == {f"{task.name}{end}" for task in tasks for end in (".json", ".npz")}
    made = load_reconstruction(out / "p03.npz")
    assert made.photo_path == tasks[3].photo.name


def test_what_ends_its_worker_takes_no_others_along(nodes: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    said: list[str] = []
    options = ClusterOptions(nodes.address, workers=2)
    with Pool(options, f"{STAND_IN}:Telling", {"log": str(log)}, say=said.append) as pool:
        ended: dict[int, dict[str, Any]] = {}
        for number, event in pool.run(
            12,
            lambda n, _: {"number": n, "seconds": 0.1, "do": {4: "die", 11: "raise"}.get(n)},
        ):
            if "progress" not in event:
                assert number not in ended
                ended[number] = event
    assert set(ended) == set(range(12))
    assert "lost" in ended.pop(4)
    assert "11" in ended.pop(11)["failed"]
    assert all(event["result"]["number"] == number for number, event in ended.items())
    assert len({event["result"]["pid"] for event in ended.values()}) >= 2
    tried = Counter(map(int, log.read_text().split()))
    assert tried[4] == 2 and tried[11] == 1 and max(tried.values()) == 2
    assert len(said) == 2


def test_a_gpu_is_shared_where_asked_and_missed_where_there_is_none(
    nodes: Any, tmp_path: Path
) -> None:
    setup = {"log": str(tmp_path / "log")}

    def results(options: ClusterOptions) -> list[dict[str, Any]]:
        with Pool(options, f"{STAND_IN}:Telling", setup) as pool:
            events = pool.run(6, lambda number, _: {"number": number, "seconds": 2.0})
            return [event["result"] for _, event in events if "result" in event]

    shared = results(ClusterOptions(nodes.address, cpus=0.5, gpus=0.5))
    assert {one["gpu"] for one in shared} == {"0"}
    assert len({one["pid"] for one in shared}) == 2
    assert {one["device"] for one in shared} == {os.environ["RECONSTRUCT_FACE_DEVICE"]}
    with raises(ClusterError, "2 GPUs", "--cluster-gpus"):
        results(ClusterOptions(nodes.address, gpus=2))


def test_a_film_is_the_same_as_on_one_machine(
    nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = clips.film(tmp_path / "film.mp4", 24, 2)
    options = AnimateOptions(reconstruction=Options(texture_size=512, quality="fast"))
    monkeypatch.setattr(appearance, "SAMPLES", 90)
    alone = animate(film.path, tmp_path / "alone.npz", options=options)
    with film_shares(ClusterOptions(nodes.address), options.reconstruction) as shares:
        shared = animate(film.path, tmp_path / "shared.npz", options=options, shares=shares)
    one, other = load_motion(alone.motion), load_motion(shared.motion)
    for name in ("times", "weights", "rotation", "translation", "valid"):
        # Not to the last bit: how many threads share a product is another matter there.
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name), rtol=0, atol=1e-9, err_msg=name
        )
    heads = [load_reconstruction(done.reconstruction) for done in (alone, shared)]
    np.testing.assert_array_equal(heads[0].texture, heads[1].texture)
    np.testing.assert_array_equal(heads[0].identity, heads[1].identity)
