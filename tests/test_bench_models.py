"""The benchmarks of imported models, of the network and of the verification: what they add up."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from reconstruct_face.backend import bench
from reconstruct_face.backend.bench import models, network, run
from reconstruct_face.backend.bench import verify as bench_verify
from reconstruct_face.backend.errors import ModelError, VerificationError, WorkerError
from reconstruct_face.backend.exchange import load_reconstruction, save_reconstruction
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.verify.thresholds import measure, thresholds
from reconstruct_face.backend.verify.verify import Verification

from tests import bfm_files as files
from tests.errors import has, raises


@pytest.fixture
def here(imported: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECONSTRUCT_FACE_DATA", str(imported))
    return imported


# -- imported models


@pytest.mark.parametrize("expressions", ["native", "arkit"])
def test_the_head_that_is_built_is_the_models(here: Path, expressions: str) -> None:
    made = models.random_head("small", expressions)
    model = load_model("small", expressions)
    assert made.model["name"] == "small"
    neutral = model.mean + np.tensordot(made.identity, model.identity_basis.astype(float), 1)
    np.testing.assert_allclose(made.vertices_neutral, neutral, atol=2e-3)
    moved = np.tensordot(made.expression, model.expression_basis.astype(float), 1)
    np.testing.assert_allclose(made.vertices_posed, neutral + moved, atol=2e-3)
    low, high = model.expression_range.T
    assert (
        (made.expression >= 0).all() and (made.expression <= high).all() and made.expression.any()
    )
    x, y, z = made.landmarks3d.astype(float).T
    pixels = np.stack([800 * x / (900 - z) + 256, -800 * y / (900 - z) + 256], 1)
    np.testing.assert_allclose(made.landmarks2d, pixels, atol=0.01)
    again = models.random_head("small", expressions)
    np.testing.assert_array_equal(again.identity, made.identity)


def test_what_blender_builds_is_measured(here: Path, tmp_path: Path) -> None:
    path = save_reconstruction(models.random_head("small", "arkit"), tmp_path / "head.npz")
    assert len(load_reconstruction(path).expression_names) == 52
    seconds, keys, before, peak = models._python(
        ["-m", "reconstruct_face.scene.measure", str(path)]
    )
    assert keys == 52 and 0 < seconds < 60
    # 52 shape keys of 3,100 vertices, 12 bytes each, are 2 MB of a process of a hundred and more.
    assert 50 < before < peak < 3000


def test_a_process_that_fails_is_told_by_its_last_line() -> None:
    noise = "print('a library prints'); print('[1.5, 2]')"
    assert models._python(["-c", noise]) == [1.5, 2]
    with raises(WorkerError, "ZeroDivisionError"):
        models._python(["-c", "1 / 0"])
    with raises(WorkerError):
        models._python(["-c", "raise SystemExit(3)"])


def test_medians_of_each_kind_of_expressions(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def fake(arguments: list[str]) -> list[float]:
        asked.append(arguments[-1])
        if "-m" in arguments:
            assert load_reconstruction(Path(arguments[-1])).model["name"] == "small"
            number = sum(path.endswith(".npz") for path in asked) % 3
            return [0.5 + number, 7.0, 100.0, 130.0 + 10 * number]
        number = asked.count(arguments[-1])
        return [0.001 * number, 0.02 * number, 0.003 * number]

    monkeypatch.setattr(models, "_python", fake)
    report = models.measure("small")
    assert report["name"] == "small" and report["counts"]["vertices"] == files.SMALL
    for expressions in ("native", "arkit"):
        one = report[expressions]
        assert asked.count(expressions) == models.REPEATS
        middle = (models.REPEATS + 1) / 2
        assert one["load_s"] == pytest.approx(0.001 * middle)
        assert one["first_vertices_s"] == pytest.approx(0.02 * middle)
        assert one["vertices_ms"] == pytest.approx(3 * middle)
        assert (one["build_s"], one["shape_keys"], one["build_mb"]) == (1.5, 7.0, 40.0)
        assert one["process_mb"] == 140.0
    assert "import_s" not in report
    shown = models.text(report | {"import_s": 12.34})
    for part in ("3,100", "12.3 s", "12.0 ms", "80 ms", "1.50 s", "40 MB", "140 MB"):
        assert part in shown
    assert models.main(["small", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["arkit"]["shape_keys"] == 7.0


def test_the_timed_import_is_thrown_away(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def fake(paths: list[Path]) -> None:
        seen.append(os.environ["RECONSTRUCT_FACE_DATA"])
        assert Path(seen[-1]).is_dir() and paths == [tmp_path / "a.mat"]
        time.sleep(0.05)

    monkeypatch.setattr("reconstruct_face.backend.model.importing.importer.import_model", fake)
    assert 0.05 <= models._timed_import([tmp_path / "a.mat"]) < 10
    assert os.environ["RECONSTRUCT_FACE_DATA"] == str(here) != seen[0]
    assert not Path(seen[0]).exists()
    monkeypatch.delenv("RECONSTRUCT_FACE_DATA")
    models._timed_import([tmp_path / "a.mat"])
    assert "RECONSTRUCT_FACE_DATA" not in os.environ


def test_a_model_that_is_not_there(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with raises(ModelError, "'nobody'", "'small'"):
        models.measure("nobody")
    assert models.main(["nobody"]) == ModelError.exit_status
    has(capsys.readouterr().err, "'nobody'", "'small'")


# -- the network


class Slow:
    """A network that takes two milliseconds a crop, and as much for its mirrored twin."""

    asked: list[tuple[int, bool]] = []
    weights = SimpleNamespace(input_size=24, architecture="resnet7")

    def __init__(self, *given: object) -> None:
        self.given = given

    def regress(self, crops: np.ndarray, mirrored: bool = True) -> None:
        assert crops.dtype == np.uint8 and crops.shape[1:] == (24, 24, 3)
        self.asked.append((len(crops), mirrored))
        time.sleep(0.002 * len(crops) * (1 + mirrored))


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> type[Slow]:
    monkeypatch.setattr(Slow, "asked", [])
    monkeypatch.setattr(network, "Regressor", Slow)
    monkeypatch.setattr(network, "NAMES", ("cpu",))
    return Slow


def test_latency_and_throughput_are_medians_of_what_was_asked(slow: type[Slow]) -> None:
    one: Any = slow()
    assert 2 <= network.latency(one, 24, 5, mirrored=False) < 20
    assert slow.asked == [(1, False)] * 8, "three that do not count, and five"
    assert 4 <= network.latency(one, 24, 3, mirrored=True) < 40
    assert 50 < network.throughput(one, 24, 4, 3) <= 500
    assert slow.asked[-1] == (4, False)


def test_the_networks_command(slow: type[Slow], capsys: pytest.CaptureFixture[str]) -> None:
    assert network.main(["--repeat", "2", "--batch", "3"]) == 0
    shown = capsys.readouterr().out
    assert "resnet7" in shown and "24 x 24" in shown and "batches of 3" in shown
    assert {count for count, _ in slow.asked} == {1, 3}
    with pytest.raises(SystemExit) as caught:
        network.main(["--repeat", "0"])
    assert caught.value.code == 2


def test_weights_that_are_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "none.safetensors"
    assert network.main(["--weights", str(path), "--repeat", "1"]) == ModelError.exit_status
    has(capsys.readouterr().err, path)


# -- the verification


def verification(iou: float, boundary: float, seconds: float) -> Verification:
    measures = (
        measure("silhouette_iou", iou),
        measure("boundary_px", boundary),
        measure("photo_flip", 0.5),
    )
    times = {"PyTorch3D": seconds, "Blender": 2 * seconds}
    picture = np.zeros((2, 2, 3), np.uint8)
    return Verification("Ada", measures, (), picture, versions={"torch": "2.0"}, seconds=times)


def test_a_summary_has_medians_and_the_worst_on_the_right_side() -> None:
    given = [
        verification(0.9, 0.3, 1.0),
        verification(0.99, 0.1, 2.0),
        verification(0.95, 0.2, 6.0),
    ]
    lines = bench_verify.summary(given).splitlines()
    assert "3" in lines[0].split() and "torch 2.0" in lines[0]

    def numbers(start: str) -> list[float]:
        (line,) = [line for line in lines if line.startswith(start)]
        return [float(word) for word in line.split()[-2:]]

    assert numbers("PyTorch3D") == [2.0, 6.0] and numbers("Blender") == [4.0, 12.0]
    assert numbers("whole") == [6.0, 18.0]
    assert numbers(thresholds()["silhouette_iou"].title) == [0.95, 0.9], "the least is the worst"
    assert numbers(thresholds()["boundary_px"].title) == [0.2, 0.3], "the most is the worst"
    assert not [line for line in lines if line.startswith(thresholds()["photo_flip"].title)]


def test_the_first_verification_does_not_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Renderer:
        def __enter__(self) -> Renderer:
            return self

        def __exit__(self, *_: object) -> None: ...

    done: list[str] = []

    def verify(npz: Path, blend: Path, **more: object) -> Verification:
        assert blend == npz.with_suffix(".blend") and more["size"] == 128
        done.append(npz.stem)
        return verification(0.9, 0.1, 100.0 if len(done) == 1 else 1.0)

    monkeypatch.setattr(bench_verify, "PyTorch3D", Renderer)
    monkeypatch.setattr(bench_verify, "SceneRenderer", Renderer)
    monkeypatch.setattr(bench_verify, "verify", verify)
    for name in ("a", "b"):
        (tmp_path / f"{name}.npz").touch()
    assert bench_verify.main([str(tmp_path), "--size", "128", "--repeat", "2"]) == 0
    assert done == ["a", "a", "b", "a", "b"]
    assert "100.00" not in capsys.readouterr().out
    (tmp_path / "empty").mkdir()
    assert bench_verify.main([str(tmp_path / "empty")]) == VerificationError.exit_status
    has(capsys.readouterr().err, tmp_path / "empty")


# -- one photo, and the choice among all


def test_every_benchmark_is_found_by_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in bench._COMMANDS:
        with pytest.raises(SystemExit) as caught:
            bench.main([name, "--help"])
        assert caught.value.code == 0 and f"bench {name}" in capsys.readouterr().out
    monkeypatch.setattr(run, "main", lambda argv: len(argv))
    assert bench.main(["photo.jpg", "--repeat", "3"]) == 3 and bench.main(None) == 0


def test_the_table_of_one_photo() -> None:
    steps = {"Fitting the head": 1.25, "save": 0.05}
    report = run.Report(steps, 2.0, 9.5, 30.25, {"backend": 800.0, "blender": 450.0})
    words = [line.rsplit(None, 2) for line in report.table().splitlines()]
    rows = {row[0]: row[1] for row in words if len(row) == 3}
    assert rows["Fitting the head"] == "1.25" and rows["total, cold, no preview"] == "30.25"
    assert rows["peak memory, together"] == "1250"


def test_a_cold_run_that_fails_is_told(tmp_path: Path) -> None:
    with raises(WorkerError, tmp_path / "gone.jpg"):
        run.cold_run(tmp_path / "gone.jpg")


def test_a_cold_run_is_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    entry = tmp_path / "entry.py"
    entry.write_text(
        "import json, sys, time\n"
        "assert sys.argv[1:3] == ['reconstruct', 'a.jpg'] and '--no-preview' in sys.argv\n"
        "time.sleep(0.2)\n"
        "print(json.dumps({'peak_memory_mb': {'backend': 12.5}}))\n"
    )
    monkeypatch.setattr(run, "ENTRY", entry)
    seconds, memory = run.cold_run(Path("a.jpg"))
    assert 0.2 < seconds < 30 and memory == {"backend": 12.5}


def test_a_folder_by_photos_a_minute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = {
        "photos": [
            {"status": "ok", "timings": {"fit": 1.0, "texture": 2.0}},
            {"status": "failed", "timings": {}},
            {"status": "ok", "timings": {"fit": 0.5, "texture": 0.5}},
        ],
        "peak_memory_mb": {"backend": 500.0, "blender": 400.0},
    }
    entry = tmp_path / "entry.py"
    entry.write_text(
        "import json, sys, time\n"
        "assert sys.argv[2] == 'photos' and sys.argv[-2:] == ['--hair', 'none']\n"
        f"time.sleep(0.5)\nprint(json.dumps({told!r}))\nsys.exit(4)\n"
    )
    monkeypatch.setattr(run, "ENTRY", entry)
    table = run.folder_table(Path("photos"), "--hair", "none")
    rows = {line[:28].strip(): line[28:].split() for line in table.splitlines() if line[28:]}
    assert rows["fit"] == ["37.5", "%"] and rows["texture"] == ["62.5", "%"]
    assert rows["photos"] == ["2"] and rows["peak memory, blender"] == ["400", "MB"]
    seconds = float(rows["seconds, with the start"][0])
    assert seconds >= 0.5
    assert float(rows["photos a minute"][0]) == pytest.approx(120 / seconds, rel=0.1)
