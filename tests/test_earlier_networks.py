"""Networks that were trained for a version of the model whose shapes went less far, or further."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from reconstruct_face.backend.bounded import Damaged
from reconstruct_face.backend.model import FaceModel, load_model
from reconstruct_face.backend.model.earlier import check_scale, earlier_weights
from reconstruct_face.backend.network.layout import Layout
from reconstruct_face.backend.network.predict import Regressor
from reconstruct_face.backend.network.regions import regions_of
from reconstruct_face.backend.network.weights import (
    DEFAULT_WEIGHTS,
    load_weights,
    read_safetensors,
)

from tests.test_fitting import make_case

MODEL = load_model()
NAMES = MODEL.expression_names
TRAINED_FOR = read_safetensors(DEFAULT_WEIGHTS)[0]["model_sha256"]
SCALE = MODEL.header["expression_scale"][TRAINED_FOR]
FACTORS = np.array([SCALE.get(name, 1.0) for name in NAMES])


@pytest.fixture(scope="module")
def earlier() -> FaceModel:
    """The model as if its shapes were those of the version that the network knows."""
    basis = (MODEL.expression_basis / FACTORS[:, None, None]).astype(np.float32)
    header = {name: value for name, value in MODEL.header.items() if name != "expression_scale"}
    return replace(MODEL, expression_basis=basis, header=header)


def test_the_header_names_shapes_that_changed() -> None:
    assert set(SCALE) < set(NAMES)
    assert SCALE["noseSneerLeft"] == SCALE["noseSneerRight"] > 1.5
    assert SCALE["mouthPressLeft"] < 0.6
    assert "eyeLookDownLeft" not in SCALE  # its weight tells the gaze
    np.testing.assert_allclose(earlier_weights(MODEL, TRAINED_FOR), 1 / FACTORS)
    np.testing.assert_array_equal(earlier_weights(MODEL, MODEL.header["sha256"]), 1.0)


def test_the_same_picture_is_the_same_face(earlier: FaceModel) -> None:
    case = make_case(MODEL, 3)
    now, before = (Regressor(model).regress(case.pixels[None])[0] for model in (MODEL, earlier))
    free = before.expression / FACTORS < 0.999  # others end at 1, the end of their range
    assert free.sum() > 50
    assert (before.expression[FACTORS != 1] > 0.01).sum() >= 3
    basis = MODEL.expression_basis[free].reshape(free.sum(), -1)
    old = earlier.expression_basis[free].reshape(free.sum(), -1)
    moved, wanted = now.expression[free] @ basis, before.expression[free] @ old
    np.testing.assert_allclose(moved, wanted, atol=1e-3)
    assert (now.expression <= 1).all()


def test_its_doubt_is_in_the_same_weights() -> None:
    raw = read_safetensors(DEFAULT_WEIGHTS)[1]
    found = load_weights(None, MODEL)
    k = len(MODEL.identity_basis)
    i, j = k + NAMES.index("noseSneerLeft"), k + NAMES.index("mouthPressRight")
    a, b = SCALE["noseSneerLeft"], SCALE["mouthPressRight"]
    was, now = (tensors["shape_covariance"].astype(float) for tensors in (raw, found.extras))
    assert now[i, i] == pytest.approx(was[i, i] / a**2, rel=2e-3)
    assert now[i, j] == pytest.approx(was[i, j] / (a * b), rel=2e-3)
    assert now[3, j] == pytest.approx(was[3, j] / b, rel=2e-3)
    np.testing.assert_array_equal(now[:k, :k], was[:k, :k])
    place = Layout.of(MODEL).slices["expression"]
    np.testing.assert_allclose(found.label_std[place] * FACTORS, raw["label_std"][place], rtol=1e-6)
    np.testing.assert_array_equal(found.label_std[: place.start], raw["label_std"][: place.start])


def test_eyes_and_mouth_too(earlier: FaceModel) -> None:
    case = make_case(MODEL, 3)
    now, before = (
        regions.read(case.pixels, case.landmarks)
        for regions in (regions_of(MODEL), regions_of(earlier))
        if regions is not None
    )
    assert now.names == before.names
    factors = np.array([SCALE.get(name, 1.0) for name in now.names])
    assert (factors != 1).sum() >= 8
    np.testing.assert_allclose(now.mean * factors, before.mean, atol=1e-9)
    np.testing.assert_allclose(now.sigma * factors, before.sigma, atol=1e-9)


@pytest.mark.parametrize(
    "scale", [[1.0], {"a": 2.0}, {"a": {"jawOpen": 0.0}}, {"a": {"jawOpen": "1"}}]
)
def test_a_header_that_is_odd(scale: object) -> None:
    check_scale({})
    check_scale({"expression_scale": {"a": {"jawOpen": 2.0}}})
    with pytest.raises(Damaged):
        check_scale({"expression_scale": scale})
