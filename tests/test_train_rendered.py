"""Training on pictures that are drawn meanwhile."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from reconstruct_face.backend.errors import TrainingError
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.network.weights import load_weights
from reconstruct_face.backend.training.config import Rendering, read_config
from reconstruct_face.backend.training.data import Place
from reconstruct_face.backend.training.loop import train
from reconstruct_face.backend.training.processes import Processes
from reconstruct_face.backend.training.rendered import PicturePool, RenderedSource

from tests.errors import raises
from tests.synthetic_shards import SHORT_RUN

ALONE = Processes(0, 1, torch.device("cpu"))
FEW = replace(
    SHORT_RUN,
    steps=4,
    validation_pictures=8,
    render=Rendering(size=32, scenes=4, shots=2, uses=1.0, pool=32, first=16),
)


@pytest.fixture(scope="module")
def source() -> RenderedSource:
    return RenderedSource(FEW, ALONE, Place(0, 0))


def test_a_seed_gives_the_same_pictures(source: RenderedSource) -> None:
    """The held-out ones in every process and after every resumption; batches from the start."""
    again = RenderedSource(FEW, ALONE, Place(0, 0))
    later = RenderedSource(FEW, ALONE, Place(0, 5))
    for held in (again.held_out, later.held_out):
        assert all(torch.equal(a, b) for a, b in zip(source.held_out, held, strict=True))
    ours, theirs, others = (list(itertools.islice(s.batches(), 2)) for s in (source, again, later))
    assert [place for place, _ in ours] == [(0, 0), (0, 1)]
    assert [place for place, _ in others] == [(0, 5), (0, 6)]
    for (_, one), (_, two) in zip(ours, theirs, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert not torch.equal(ours[0][1].images, others[0][1].images)
    assert not torch.equal(
        RenderedSource(replace(FEW, seed=2), ALONE, Place(0, 0)).held_out.labels,
        source.held_out.labels,
    )


def test_held_out_heads_are_never_trained_on(source: RenderedSource) -> None:
    """No identity of the held-out pictures turns up; each new head is there twice."""
    fresh = RenderedSource(FEW, ALONE, Place(0, 0))
    batches = [pictures for _, pictures in itertools.islice(fresh.batches(), 12)]
    place = slice(10, 20)
    held = {tuple(row) for row in source.held_out.labels[:, place].abs().numpy().round(4)}
    seen = torch.cat([pictures.labels[:, place] for pictures in batches]).abs().numpy().round(4)
    assert len(held) == 4
    assert not held & {tuple(row) for row in seen}


def test_the_pool_holds_the_newest() -> None:
    pool, generator = PicturePool(6, torch.device("cpu")), torch.Generator().manual_seed(0)
    for first in (0, 4, 8):
        numbers = torch.arange(first, first + 4)
        pool.add(numbers, numbers * 10)
    ours, tens = pool.sample(200, generator)
    assert set(ours.tolist()) == {6, 7, 8, 9, 10, 11}
    assert torch.equal(ours * 10, tens)


def test_a_run_stops_and_goes_on(tmp_path: Path) -> None:
    config = replace(FEW, out=str(tmp_path))
    path = train(replace(config, steps=2))
    labels = load_weights(path, load_model()).label_mean
    path = train(config, resume=True)
    weights = load_weights(path, load_model())
    assert weights.training["steps"] == 4 and weights.training["pictures"] == 32
    assert np.array_equal(weights.label_mean, labels)
    assert np.isfinite(weights.extras["shape_covariance"]).all()
    rows = (tmp_path / "validation.csv").read_text().splitlines()
    assert len(rows) == 3  # a header, and the end of each part


def test_bad_settings(tmp_path: Path) -> None:
    for changes, facts in (
        ({"data": ["shards"], "render": {"size": 64}}, ("[render]", "data")),
        ({"render": {"size": 100}}, ("[render]", "size", 100, 16, 512)),
        ({"render": {"size": 64, "uses": 0}}, ("[render]", "uses", 0)),
        ({"render": {"sizes": 64}}, ("[render]", "sizes", "size")),
    ):
        path = tmp_path / "a.toml"
        path.write_text("steps = 5\n")
        with raises(TrainingError, *facts):
            read_config(path, **changes)
