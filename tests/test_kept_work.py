"""What is worked out once and asked for again: the same as worked out anew."""

from __future__ import annotations

import numpy as np
import pytest
from reconstruct_face.backend.fit.refine import solve
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.model.lids import set_own_blinks
from reconstruct_face.backend.model.lips import set_own_lips
from reconstruct_face.backend.model.own import own_expressions
from reconstruct_face.backend.texture.trust import weighted_median


def test_each_head_has_its_own_expressions() -> None:
    model = load_model()
    heads = [model.vertices(np.full(5, size, np.float32)) for size in (-1.0, 1.5)]
    bases = []
    for head in heads:
        basis = model.expression_basis.copy()
        set_own_blinks(model, head, basis)
        set_own_lips(model, head, basis)
        bases.append(basis)
    for head, basis in [*zip(heads, bases, strict=True), (heads[0], bases[0])]:
        found = own_expressions(model, head)
        assert np.array_equal(found, basis)
        with pytest.raises(ValueError, match="read-only"):
            found[0] = 0
    assert not np.array_equal(*bases)


def test_rows_are_kept_for_one_state_and_one_jaw() -> None:
    class Terms:
        jaw = np.arange(3)

    made = []

    class Counted(solve.Problem):
        def __init__(self) -> None:
            self.terms, self._last = Terms(), None  # pyright: ignore[reportAttributeAccessIssue]

        def _rows_of(self, state: object) -> dict:  # pyright: ignore[reportIncompatibleMethodOverride]
            made.append(state)
            return {"made": len(made)}

    problem, first, second = Counted(), object(), object()
    assert [problem._rows(one)["made"] for one in (first, first, second, first)] == [1, 1, 2, 3]  # pyright: ignore[reportArgumentType]
    problem.terms.jaw = np.arange(3)
    assert problem._rows(first)["made"] == 4  # pyright: ignore[reportArgumentType]


def test_what_has_no_weight_does_not_move_a_median() -> None:
    rng = np.random.default_rng(5)
    values, weights = rng.normal(size=(501, 3)), rng.random(501)
    weights[::2] = 0
    found = weighted_median(values, weights)
    for column, middle in zip(values.T, found, strict=True):
        below, above = weights[column < middle].sum(), weights[column > middle].sum()
        assert max(below, above) <= weights.sum() / 2
