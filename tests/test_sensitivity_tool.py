"""The measuring of constants: what is drawn, what is changed, what is printed."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from reconstruct_face.backend.align import teeth
from reconstruct_face.backend.model import FaceModel, load_model

from tools.measure_sensitivity import __main__ as command
from tools.measure_sensitivity.cases import CASES, Case, Constant, scaled
from tools.measure_sensitivity.drawn import SIZE, Example, draw
from tools.measure_sensitivity.errors import hair_errors, scalp, teeth_errors, texture_errors


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_model()


@pytest.fixture(scope="module")
def example(model: FaceModel) -> Example:
    """A head with hair, nearly from the front."""
    return draw(model, (5, 5))


def test_every_number_of_a_value_is_scaled() -> None:
    assert scaled({"a": (1.0, 0.5)}, 0.5) == {"a": (0.5, 0.25)}
    assert scaled(6, 1.4) == 8 and isinstance(scaled(6, 1.4), int)
    assert np.array_equal(scaled(np.array([2.0, 4.0]), 0.7), np.array([1.4, 2.8]))


@pytest.mark.parametrize("name", CASES)
def test_every_constant_is_there_and_changes(name: str) -> None:
    for constant in CASES[name].constants:
        now = getattr(import_module(f"reconstruct_face.backend.{constant.module}"), constant.name)
        for _, value in constant.changes():
            assert not np.array_equal(value, now), constant


def test_a_drawn_head_is_known(model: FaceModel, example: Example) -> None:
    assert example.pixels.shape == (SIZE, SIZE, 3)
    regions = scalp(model, example).asked[0].regions
    under = example.covered[regions.scalp > 0.9].mean()
    assert under > 0.8, "the scalp is under the hair"
    assert example.covered[regions.core > 0.9].mean() < 0.2, "the face is not"
    assert example.hair is not None and (example.hair > 0).all()
    brightest = example.pixels.max()
    assert brightest > 100, "there is light"
    again = draw(model, (5, 5))
    assert np.array_equal(again.pixels, example.pixels)


def test_a_bald_head_is_told_from_hair(model: FaceModel, example: Example) -> None:
    """The true cover gives no error; none at all is wrong by the share of what is covered."""
    given = scalp(model, example)
    found = hair_errors(model, given)
    assert 0 <= found["cover"] < 0.5
    regions = given.asked[0].regions
    area = np.maximum(regions.scalp, regions.hairable)
    bald = float((area * example.covered).sum() / area.sum())
    assert found["cover"] < bald, "better than to paint no hair"
    assert texture_errors(model, example)["cover"] == pytest.approx(found["cover"], abs=1e-6)


def test_teeth_are_seen_only_in_an_open_mouth(model: FaceModel) -> None:
    mouths = [draw(model, (5, number), open_mouth=True) for number in range(4)]
    true = [one.teeth for one in mouths]
    assert all(0 <= share <= 1 for share in true) and max(true) > 0.1
    assert teeth_errors(model, mouths[0])["true"] == true[0]


def test_a_table_has_a_line_for_every_value_and_leaves_the_constant_alone(
    model: FaceModel, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "draw", lambda *_: None)
    constant = Constant("align.teeth", "LEAST_LIGHT", (0.275, 1.1))
    case = Case(lambda *_: {"light": teeth.LEAST_LIGHT, "nothing": np.nan}, [constant], 2)
    command.table(model, case, 2, 1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2 pictures: light 0.550, nothing nan"
    assert lines[1].startswith("align.teeth.LEAST_LIGHT 0.275: light 0.275 (-50.0 +- 0.0)")
    assert lines[2].startswith("align.teeth.LEAST_LIGHT 1.1: light 1.100 (+100.0 +- 0.0)")
    assert teeth.LEAST_LIGHT == 0.55
