"""Motion in the words of another face model: against scipy, and over the stored products."""

from __future__ import annotations

import numpy as np
import pytest
from reconstruct_face.backend.exchange.motion import Motion
from reconstruct_face.backend.exchange.names import ARKIT
from reconstruct_face.backend.geometry.least_squares import bounded_least_squares
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.motion import across
from reconstruct_face.backend.motion.across import Translation, translated
from scipy.optimize import lsq_linear


def components(count: int) -> tuple[np.ndarray, np.ndarray]:
    """ARKit's shapes (52, V, 3) of the shipped model, and principal components of its faces."""
    model, rng = load_model(), np.random.default_rng(0)
    at = [model.expression_names.index(name) for name in ARKIT]
    shapes = model.expression_basis[at].astype(float)
    faces = (rng.random((200, 52)) ** 3) @ shapes.reshape(52, -1)
    _, size, rows = np.linalg.svd(faces - faces.mean(axis=0), full_matrices=False)
    own = rows[:count] * size[:count, None] / np.sqrt(200)
    return shapes, own.reshape(count, -1, 3)


def translation(count: int = 30, model: str = "c") -> Translation:
    shapes, own = components(count)
    a, b = own.reshape(count, -1), shapes.reshape(52, -1)
    names = tuple(f"{model}{i}" for i in range(count))
    v = shapes.shape[1]
    limits = np.tile([-3.0, 3.0], (count, 1))
    return Translation(names, ARKIT, a @ a.T / v, b @ b.T / v, b @ a.T / v, limits)


@pytest.mark.seconds
def test_bounded_minimum_of_many_rows_is_scipys():
    shapes, own = components(30)
    rng = np.random.default_rng(1)
    coefficients = rng.normal(size=(6, 30))
    rows = shapes.reshape(52, -1)
    unit = np.tile([0.0, 1.0], (52, 1))
    right = coefficients @ own.reshape(30, -1) @ rows.T
    found = bounded_least_squares(rows @ rows.T, right, unit)
    for c, x in zip(coefficients, found, strict=True):
        wanted = lsq_linear(rows.T, c @ own.reshape(30, -1), (0, 1), method="bvls").x
        moved = (wanted - x) @ rows
        assert np.abs(moved).max() < 0.01, "a hundredth of a millimetre"
    assert found.min() >= 0 and found.max() <= 1


@pytest.mark.seconds
def test_there_and_back_the_face_moves_as_before():
    between = translation(52)
    weights = np.random.default_rng(2).random((40, 52)) ** 4
    spelt = tuple(n.replace("Left", "_L").replace("Right", "_R") for n in ARKIT)
    motion = Motion(np.arange(40) / 30, spelt, weights, header={"notes": ["kept"]})
    own = between.from_arkit(motion, "mine")
    assert own.names == between.names and own.header == {"notes": ["kept"], "model": "mine"}
    back = between.to_arkit(own)
    off = (back.weights - weights) @ between.arkit @ (back.weights - weights).T
    moved = weights @ between.arkit @ weights.T
    share = np.sqrt(np.diag(off) / np.diag(moved))
    # Where three standard deviations are not enough something is left over.
    assert np.median(share) < 0.05 and share.max() < 0.25


@pytest.mark.seconds
def test_another_models_own_expressions_go_by_way_of_arkit(monkeypatch):
    there = {"a": translation(30, "a"), "b": translation(20, "b")}
    monkeypatch.setattr(across, "translation_of", there.get)
    weights = np.random.default_rng(3).normal(size=(5, 30))
    motion = Motion(np.arange(5) / 30, there["a"].names, weights, header={"model": "a"})
    found = translated(motion, there["b"].names, "b")
    assert found is not None and found.names == there["b"].names
    expected = there["b"].from_arkit(there["a"].to_arkit(motion), "b")
    np.testing.assert_array_equal(found.weights, expected.weights)
    arkit = translated(motion, ARKIT, "default")
    assert arkit is not None and arkit.names == ARKIT and arkit.weights.max() > 0.1


@pytest.mark.parametrize("model", ["", "default", "not imported"])
def test_without_the_model_no_way_is_known(model, tmp_path, monkeypatch):
    monkeypatch.setenv("RECONSTRUCT_FACE_DATA", str(tmp_path))
    jaw = Motion(np.arange(2) / 30, ("jawOpen",), np.ones((2, 1)))
    assert translated(jaw, ("c0", "c1"), model) is None
    own = Motion(np.arange(2) / 30, ("c0",), np.ones((2, 1)), header={"model": model})
    assert translated(own, ("jawOpen",), "default") is None
