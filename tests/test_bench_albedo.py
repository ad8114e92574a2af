"""The albedo benchmark: its heads, its regions, and what it measures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from reconstruct_face.backend import bench
from reconstruct_face.backend.bench import albedo, albedo_set
from reconstruct_face.backend.bench.accuracy_set import Truth, save_arrays
from reconstruct_face.backend.geometry import srgb
from reconstruct_face.backend.model import DEFAULT_MODEL, FaceModel, load_model

pytestmark = pytest.mark.seconds


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_model(DEFAULT_MODEL)


def test_heads_are_drawn_alike_each_time_with_their_folds(model: FaceModel) -> None:
    smiling, again = (albedo_set.draw_known(model, 0, 200, 5) for _ in range(2))
    assert all(np.array_equal(smiling[key], again[key]) for key in smiling)
    frowning = albedo_set.draw_known(model, 1, 200, 5)
    assert [head["expression_kind"] for head in (smiling, frowning)] == ["smile", "anger"]
    lines = {kind: albedo_set.line_distance(model, kind) < 4 for kind in albedo_set.FOLDS}
    assert min(line.sum() for line in lines.values()) > 30
    deepest = {
        kind: [head["fold_mm"][line].max() for head in (smiling, frowning)]
        for kind, line in lines.items()
    }
    assert deepest["nasolabial"][0] > 0.8 and deepest["glabella"][1] > 0.5
    assert deepest["glabella"][0] < 0.3
    far = np.min([albedo_set.line_distance(model, kind) for kind in lines], axis=0) > 15
    assert smiling["fold_mm"][far].max() < 1e-3
    ring = smiling["lid_edges"]
    assert (np.sign(model.mean[ring, 0]) == [[-1], [1]]).all()


def test_brows_go_up_and_nothing_else_changes(model: FaceModel) -> None:
    plain = srgb.encode_bytes(np.clip(model.albedo_mean, 0, 1))
    moved = albedo_set._brows_moved(model, plain, 4.0)
    dark = [np.argsort(picture[150:260, 170:245].sum(axis=(1, 2)))[:6].mean()
            for picture in (plain, moved)]  # fmt: skip
    per_texel = albedo_set._mm_per_texel(model)
    assert dark[0] - dark[1] == pytest.approx(4.0 / per_texel, abs=2)
    assert np.array_equal(plain[280:], moved[280:])


def test_the_error_is_that_of_the_region_alone(model: FaceModel) -> None:
    true = np.clip(model.albedo_mean.astype(float), 0.02, 0.4)
    regions = albedo.regions_of(model)
    found = true * 1.3  # exposure counts for nothing
    found[regions["neck"] & ~regions["face"]] *= np.exp(0.2)
    errors = albedo.albedo_error(model, srgb.encode_bytes(found), true)
    assert errors["neck"] == pytest.approx(0.2, abs=0.02)
    assert max(value for name, value in errors.items() if name != "neck") < 0.02
    one_channel = true * (1.0, 1.0, np.exp(0.3))
    one_channel[~regions["lids"]] = true[~regions["lids"]]
    errors = albedo.albedo_error(model, srgb.encode_bytes(one_channel), true)
    assert errors["lids"] == pytest.approx(0.1, abs=0.02)
    assert all(region.any() for region in regions.values())
    assert not (regions["lids"] & regions["brows"]).any()


def test_the_command_measures_and_writes(
    model: FaceModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    head = albedo_set.draw_known(model, 0, 64, 5)
    save_arrays(tmp_path / "0000.npz", head)
    truth = Truth.load(tmp_path / "0000.npz")
    monkeypatch.setattr(albedo, "albedo_set", lambda *_: [truth])
    monkeypatch.setattr(albedo, "_texture", lambda *_: head["albedo"])
    report, pictures = tmp_path / "a.json", tmp_path / "pictures"
    arguments = ["albedo", "--json", str(report), "--pictures", str(pictures)]
    assert bench.main(arguments) == 0
    assert max(json.loads(report.read_text())["0000"].values()) < 0.03
    assert (pictures / "0000.png").is_file() and "smile lines" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        bench.main(["albedo", "--heads", "0"])
