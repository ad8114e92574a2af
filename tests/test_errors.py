"""The errors a user can meet, and the tests' own way to look at them."""

from __future__ import annotations

import pytest
from reconstruct_face.backend.errors import (
    Cancelled,
    FaceError,
    ModelError,
    OptionError,
    PhotoError,
    error_from_code,
)

from tests.errors import has, raises

KINDS = [FaceError, *FaceError.__subclasses__()]


def test_codes_and_exit_statuses_are_of_one_kind_each() -> None:
    assert len(KINDS) > 8
    assert len({kind.code for kind in KINDS}) == len(KINDS)
    statuses = [kind.exit_status for kind in KINDS]
    assert len(set(statuses)) == len(KINDS) and 0 not in statuses
    assert OptionError.exit_status == 2, "as argparse has it: the command line is wrong"
    assert Cancelled.exit_status == 128 + 2, "as a shell tells of Ctrl+C"
    assert not [kind for kind in KINDS if kind is not FaceError and kind.__subclasses__()]


@pytest.mark.parametrize("kind", KINDS)
def test_a_code_gives_its_class_back(kind: type[FaceError]) -> None:
    error = error_from_code(kind.code, "Zoë.jpg is damaged.", "Traceback")
    assert type(error) is kind and str(error) == "Zoë.jpg is damaged."
    assert error.details == "Traceback" and kind("x").details == ""


def test_a_sentence_is_one_line() -> None:
    assert str(ModelError("a\nb.")) == "a\\nb."
    with pytest.raises(AssertionError):
        has("a\nb.")


def test_an_unknown_code_is_still_a_sentence() -> None:
    error = error_from_code("of a later version", "Too new.")
    assert type(error) is FaceError and str(error) == "Too new."


@pytest.mark.parametrize(
    "facts",
    [("b.mat", 53), ("53,490", "/x y/b.mat"), (3.5, "(53, 2)"), ("uv_polygons", "'uv_polygons'")],
)
def test_facts_that_are_there(facts: tuple[object, ...]) -> None:
    text = "/x y/b.mat has 53,490 of (53, 2) in 'uv_polygons', 3.5 each; give 53."
    has(text, *facts)
    with raises(ModelError, *facts) as caught:
        raise ModelError(text)
    assert caught.value.code == "model"


@pytest.mark.parametrize("fact", ["a.mat", "b.ma", 5, 490, "3,490", 3, 0.5, "uv", "Give"])
def test_facts_that_are_not(fact: object) -> None:
    text = "/x y/b.mat has 53,490 of (53, 2) in 'uv_polygons', 3.5 each; give 53."
    with pytest.raises(AssertionError):
        has(text, fact)
    with pytest.raises(AssertionError), raises(ModelError, fact):
        raise ModelError(text)


@pytest.mark.parametrize(
    "error",
    [PhotoError("a."), FaceError("a."), ModelError(""), ModelError("  ")],
)
def test_other_errors_and_no_sentences_are_noticed(error: FaceError) -> None:
    with pytest.raises((AssertionError, FaceError)), raises(ModelError):
        raise error
    other = ModelError("a.")
    other.code = "photo"
    with pytest.raises(AssertionError), raises(ModelError):
        raise other
    with pytest.raises(AssertionError), raises(FaceError):
        raise ModelError("a subclass.")
