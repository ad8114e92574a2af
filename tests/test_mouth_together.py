"""Shapes of the mouth that are moved together, and what they do to skin and folds beside it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.model.own import own_expressions
from reconstruct_face.backend.texture.folds import fold_parts
from reconstruct_face.backend.texture.neutral import principal_stretches

from tests.test_own_lips import mouth_slit
from tools.build_face_model.gaps import random_heads

MODEL = load_model()
NAMES = MODEL.expression_names


def moved(head: NDArray, *names: str) -> NDArray:
    basis = own_expressions(MODEL, head)
    return (head + sum(basis[NAMES.index(name)] for name in names)).astype(np.float64)


@pytest.mark.seconds
def test_both_rolls_leave_no_slit_and_each_alone_none_either() -> None:
    mouth = mouth_slit()
    both, upper = [], []
    for head in (MODEL.mean, *random_heads(MODEL, 6, seed=5)):
        for gaps, names in (
            (both, ("mouthRollUpper", "mouthRollLower")),
            (upper, ("mouthRollUpper",)),
        ):
            gaps.append(mouth.gap(moved(head, *names)[mouth.vertices]))
    assert np.median(both) <= 0.4 and max(both) <= 0.9, "0.8 and 1.5 when each was made by itself"
    assert max(upper) <= 0.5


def smile_lines() -> NDArray:
    """(T, T) a fold on each side from the nose's wing to above the mouth's corner."""
    marks = MODEL.mean[MODEL.landmarks68]
    ends = [(marks[35] + (8, 0, -6), marks[54] + (11, 12, -8))]
    ends += [tuple(one * (-1, 1, 1) for one in ends[0])]
    points = np.concatenate([np.linspace(*pair, 20) for pair in ends])
    near = np.linalg.norm(MODEL.mean[:, None] - points, axis=2).min(axis=1) < 4
    place = np.zeros((len(MODEL.mean), 2))
    place[MODEL.polygons.ravel()] = MODEL.uv[MODEL.uv_polygons.ravel()]
    side = len(MODEL.albedo_mean)
    columns, rows = np.rint(place[near].T * (side - 1)).astype(int)
    texels = np.zeros((side, side), np.float32)
    texels[side - 1 - rows, columns] = -0.5
    return cv2.GaussianBlur(texels, (0, 0), 3)


def test_an_open_jaw_stretches_the_cheek_and_folds_nothing() -> None:
    weights = np.zeros(len(NAMES), np.float32)
    for name, value in (("mouthSmileRight", 0.9), ("mouthSmileLeft", 0.9), ("jawOpen", 0.2)):
        weights[NAMES.index(name)] = value
    shapes = (MODEL.mean, MODEL.expression_basis, weights)
    parts = fold_parts(MODEL, 512, smile_lines(), *shapes)
    np.testing.assert_allclose(parts @ weights, 1, rtol=1e-5)
    assert parts[:, NAMES.index("jawOpen")].max() < 0.2, "0.5 by the least stretch alone"


def test_the_greatest_stretch_is_the_one_that_was_made() -> None:
    rng = np.random.default_rng(3)
    neutral = rng.normal(size=(30, 3))
    neutral[:, 2] = 0
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    faces = rng.permutation(30).reshape(10, 3)
    least, greatest = principal_stretches(neutral, (neutral * (0.8, 1.3, 1.0)) @ turn, faces)
    np.testing.assert_allclose(least, 0.8, rtol=1e-6)
    np.testing.assert_allclose(greatest, 1.3, rtol=1e-6)
