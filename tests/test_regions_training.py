"""How the networks of eyes and mouth are drawn for, trained and written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from reconstruct_face.backend.cli.train_regions import main
from reconstruct_face.backend.errors import OutputError, TrainingError
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.network.region_crops import REGIONS, SIZE
from reconstruct_face.backend.network.regions import NETWORKS, RegionReader
from reconstruct_face.backend.training.checkpoint import NAME as CHECKPOINT
from reconstruct_face.backend.training.regions import network as layers
from reconstruct_face.backend.training.regions.data import weight_names
from reconstruct_face.backend.training.regions.expressions import sample_weights
from reconstruct_face.backend.training.regions.fit import Recipe, Training, moved, to_input
from reconstruct_face.backend.training.regions.network import Network, finished, take_up
from reconstruct_face.backend.training.regions.shards import ShotSet, draw_shards, read_shard

MODEL = load_model()
NAMES = tuple(MODEL.expression_names)


def lively(name: str) -> Network:
    """Random, but with batch norm that matters."""
    torch.manual_seed(4)
    points = next(len(region.points) for region in REGIONS if region.network == name)
    network = Network(len(weight_names(MODEL)[name]), points).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.6, 1.4)
            torch.nn.init.normal_(module.bias, std=0.2)
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.1, 0.6)
    return network


def test_what_runs_computes_what_learnt(tmp_path: Path) -> None:
    networks = {name: lively(name) for name in NETWORKS}
    reader = RegionReader(
        NAMES,
        np.zeros((68, 3)),
        {name: finished(one, weight_names(MODEL)[name]) for name, one in networks.items()},
    )
    rng = np.random.default_rng(2)
    pictures = rng.integers(0, 256, (5, SIZE, SIZE, 3), np.uint8)
    hints = rng.normal(size=(5, 4)).astype(np.float32)
    for name, network in networks.items():
        with torch.no_grad():
            means, logs, points = network(to_input(torch.from_numpy(pictures)),
                                          torch.from_numpy(hints))  # fmt: skip
        found = reader.run(name, pictures, hints)
        assert means.std() > 0.02  # else there would be nothing to compare
        np.testing.assert_allclose(found[0], means.numpy(), atol=1e-4)
        np.testing.assert_allclose(found[1], logs.exp().numpy(), atol=1e-4)
        np.testing.assert_allclose(found[2], (points.numpy() + 1) * SIZE / 2, atol=5e-3)
    np.savez(tmp_path / "small.npz", **reader.arrays())
    again = RegionReader.load(tmp_path / "small.npz")
    for one, other in zip(again.run("eye", pictures, hints), reader.run("eye", pictures, hints),
                          strict=True):  # fmt: skip
        np.testing.assert_allclose(one, other, atol=0.02, rtol=2e-3)


def test_what_was_finished_goes_on_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    """It computes the same, and batch norm is used to what it sees: in training too, nearly."""
    learnt, names = lively("eye"), weight_names(MODEL)["eye"]
    again = Network(len(names), learnt.points)
    rng = np.random.default_rng(3)
    pictures = to_input(torch.from_numpy(rng.integers(0, 256, (64, SIZE, SIZE, 3), np.uint8)))
    hints = torch.from_numpy(rng.normal(size=(64, 4)).astype(np.float32))
    take_up(again, finished(learnt, names), pictures, hints)
    with torch.no_grad():
        wanted = learnt(pictures, hints)
        for one, other in zip(wanted, again.eval()(pictures, hints), strict=True):
            torch.testing.assert_close(other, one, atol=2e-4, rtol=1e-3)
        monkeypatch.setattr(layers, "DROPPED", 0.0)
        learning = again.train()(pictures, hints)[0]
    assert float((learning - wanted[0]).abs().max()) < 0.02 * float(wanted[0].std())
    other = finished(lively("mouth"), weight_names(MODEL)["mouth"])
    with pytest.raises(ValueError, match="learnt"):
        take_up(again, other, pictures, hints)


def test_points_move_with_the_pictures() -> None:
    """A white dot lies where the moved point says, to half a pixel."""
    torch.manual_seed(1)
    rng = np.random.default_rng(5)
    at = torch.from_numpy(rng.uniform(15, SIZE - 15, (40, 1, 2)).astype(np.float32))
    row, column = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    apart = (column - at[..., 0:1]) ** 2 + (row - at[..., 1:2]) ** 2
    dots = torch.exp(-apart / 8)[:, None].expand(-1, 3, -1, -1)
    pictures, points = moved(dots, 2 * at / SIZE - 1)
    found = SIZE / 2 * (points[:, 0] + 1)
    assert float((found - at[:, 0]).norm(dim=1).mean()) > 1  # else nothing was moved
    weight = pictures[:, 0] / pictures[:, 0].sum(dim=(1, 2), keepdim=True)
    seen = torch.stack([(weight * column).sum(dim=(1, 2)), (weight * row).sum(dim=(1, 2))], dim=1)
    torch.testing.assert_close(found, seen, atol=0.2, rtol=0)


def test_checkpoints_names_stay() -> None:
    names = set(Network(3, 2).state_dict())
    assert {"body.0.weight", "body.1.running_var", "body.6.a.weight", "body.6.n.bias",
            "body.18.a.weight", "fc.weight", "out.bias"} <= names  # fmt: skip


def test_drawn_expressions_show_what_was_rare() -> None:
    drawn = np.array([sample_weights(MODEL, np.random.default_rng([9, i])) for i in range(500)])
    low, high = MODEL.expression_range.T
    assert (drawn >= low).all() and (drawn <= high).all()
    often = dict(zip(NAMES, (drawn > 0.3).mean(axis=0), strict=True))
    for name in ("eyeBlinkLeft", "browDownRight", "mouthPressLeft", "mouthFrownRight"):
        assert often[name] >= 0.1, name


@pytest.mark.seconds
def test_a_small_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "shots"
    wanted = ShotSet(folder, shards=2, seed=5, size=8)
    draw_shards(wanted)
    shard = read_shard(wanted.file(1), MODEL)
    assert shard["images"].shape == (8, 3, SIZE, SIZE, 3)
    assert shard["images"].std(axis=(1, 2, 3, 4)).min() > 5
    # Eyes and mouth lie in the middle of their crops, but for what marks err.
    for number, region in enumerate(REGIONS):
        at = shard["truth"][:, number][:, list(region.around)].mean(axis=1)
        assert np.abs(at[:, 0] - SIZE / 2).max() < 16, region
    before = wanted.file(0).read_bytes()
    wanted.file(1).unlink()
    draw_shards(wanted)  # goes on, and draws the same
    assert wanted.file(0).read_bytes() == before
    np.testing.assert_array_equal(read_shard(wanted.file(1), MODEL)["images"], shard["images"])
    with pytest.raises(OutputError):
        draw_shards(ShotSet(folder, shards=2, seed=6, size=8))

    lines: list[str] = []
    Training(folder, MODEL, Recipe(batch=4, epochs=1)).go(lines.append)
    resumed = Training(folder, MODEL, Recipe(batch=4, epochs=2))
    assert resumed.epoch == 1
    resumed.go(lines.append)
    assert resumed.epoch == 2 and len(lines) == 4
    file = tmp_path / "networks.npz"
    assert main([str(folder), "--shards", "0", "--hours", "0", "--out", str(file)]) == 0
    assert capsys.readouterr().out.strip() == str(file)
    hints = np.zeros((8, 4), np.float32)
    written = RegionReader.load(file).run("mouth", shard["images"][:, 2], hints)
    trained = resumed.reader().run("mouth", shard["images"][:, 2], hints)
    np.testing.assert_allclose(written[0], trained[0], atol=5e-3)
    known = RegionReader.load(file)
    assert Training(folder, MODEL, Recipe(), known).epoch == 2  # the checkpoint comes first
    (folder / CHECKPOINT).unlink()
    begun = Training(folder, MODEL, Recipe(batch=4, epochs=1, learning_rate=1e-9), known)
    begun.go(lines.append)
    # That rate changes nothing but batch norm's means; at random the networks would be others.
    again = begun.reader().run("mouth", shard["images"][:, 2], hints)
    assert np.corrcoef(again[0].ravel(), written[0].ravel())[0, 1] > 0.9
    swapped = RegionReader(NAMES, known.template, {
        "eye": replace(known.networks["eye"], weights=known.networks["eye"].weights[::-1]),
        "mouth": known.networks["mouth"],
    })  # fmt: skip
    (folder / CHECKPOINT).unlink()
    with pytest.raises(TrainingError, match="go on"):
        Training(folder, MODEL, Recipe(batch=4, epochs=1), swapped).go(lines.append)


def test_what_cannot_be_trained_on_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingError):
        Recipe(hours=-1)
    for rate in (0.0, -1e-3, float("nan"), 2.0):
        with pytest.raises(TrainingError, match="rate"):
            Recipe(learning_rate=rate)
    with pytest.raises(TrainingError, match="shards"):
        Training(tmp_path, MODEL, Recipe(epochs=1)).go(print)
    for number in range(2):
        (tmp_path / f"000{number}.npz").write_bytes(b"PK nothing")
    with pytest.raises(TrainingError, match=r"0001\.npz"):
        Training(tmp_path, MODEL, Recipe(epochs=1)).go(print)
