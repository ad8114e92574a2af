"""Arguments that are none."""

from __future__ import annotations

import math
from argparse import ArgumentTypeError
from types import SimpleNamespace

import numpy as np
import pytest
from reconstruct_face.backend.animate import identity
from reconstruct_face.backend.animate.source import open_source
from reconstruct_face.backend.cli import (
    animate,
    models,
    motion,
    original,
    reconstruct,
    train,
    verify,
)
from reconstruct_face.backend.errors import ExchangeError, PhotoError
from reconstruct_face.backend.exchange.arguments import above_zero
from reconstruct_face.backend.pipeline import Options

from tests.errors import raises
from tests.synthetic_reconstruction import make_reconstruction

COMMANDS = {
    "reconstruct": (reconstruct, [""]),
    "reconstruct among others": (reconstruct, ["a.jpg", ""]),
    "reconstruct -o": (reconstruct, ["a.jpg", "-o", ""]),
    "animate": (animate, [""]),
    "animate -o": (animate, ["a.mp4", "-o", ""]),
    "animate --identity": (animate, ["a.mp4", "--identity", ""]),
    "motion": (motion, ["", "-o", "a.npz"]),
    "motion -o": (motion, ["a.csv", "-o", ""]),
    "models import": (models, ["import", ""]),
    "train": (train, [""]),
    "original": (original, [""]),
    "verify": (verify, [""]),
}


@pytest.mark.parametrize("case", COMMANDS)
def test_an_empty_name_is_not_the_current_folder(case: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    command, arguments = COMMANDS[case]
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf", "x"])
def test_frame_rates(rate: str) -> None:
    with pytest.raises((ArgumentTypeError, ValueError)):
        above_zero(rate)
    with pytest.raises(SystemExit) as ended:
        animate.main(["frames", "--frame-rate", rate])
    assert ended.value.code == 2
    assert above_zero("29.97") == 29.97


@pytest.mark.parametrize("rate", [0.0, -3.0, math.nan, math.inf])
def test_frame_rates_of_a_folder(rate: float, astronaut, tmp_path) -> None:
    (tmp_path / "a.jpg").write_bytes(astronaut.read_bytes())
    with raises(PhotoError, rate):
        open_source(tmp_path, rate)
    with raises(PhotoError):
        open_source("")


def test_an_identity_of_another_model() -> None:
    known = make_reconstruction()
    known.identity = np.zeros(3, np.float32)
    known.model = {"name": "default"}
    source = SimpleNamespace(path=None, note=None)
    with raises(ExchangeError, 3, "identity"):
        identity.solve_subject(source, known, Options())
