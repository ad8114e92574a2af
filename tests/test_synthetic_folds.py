"""Folds that come with an expression in training pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.training.regions import shots
from reconstruct_face.backend.training.synthetic import folds
from reconstruct_face.backend.training.synthetic.skin_map import skin_map

MODEL = load_model()
NAMES = list(MODEL.expression_names)


def weights(**values: float) -> NDArray[np.float32]:
    out = np.zeros(len(NAMES), np.float32)
    for name, value in values.items():
        out[NAMES.index(name)] = value
    return out


def test_a_tilted_normal_is_that_of_the_folded_surface() -> None:
    """A triangle whose corners are pushed in by their depth, along its own normal."""
    rng = np.random.default_rng(1)
    corners, uv = rng.normal(size=(50, 3, 3)), rng.uniform(size=(50, 3, 2))
    slopes = rng.normal(size=(50, 2))
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    depth = (uv * slopes[:, None]).sum(axis=2)
    pushed = corners - depth[..., None] * flat[:, None]
    wanted = np.cross(pushed[:, 1] - pushed[:, 0], pushed[:, 2] - pushed[:, 0])
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    assert np.abs(wanted - flat).max() > 0.3
    np.testing.assert_allclose(folds.tilted(flat, corners, uv, slopes), wanted, atol=1e-9)


def darkened(expression: NDArray, people: int = 40) -> NDArray:
    """(S, S) the mean over as many people, the same for all expressions."""
    total = np.zeros((folds.SIZE, folds.SIZE))
    for person in range(people):
        found = folds.sample_folds(MODEL, expression, np.random.default_rng([3, person]))
        total += 0 if found is None else found[..., 2]
    return total / people


def test_folds_lie_where_the_expression_presses_the_skin() -> None:
    at = cv2.resize(skin_map(MODEL).position, (folds.SIZE, folds.SIZE), None, 0, 0, 0)
    marks = MODEL.mean[MODEL.landmarks68]
    brows, corners = marks[17:27], marks[48:55:6]
    rest = darkened(weights())
    up = darkened(weights(browInnerUp=1, browOuterUpLeft=1, browOuterUpRight=1)) - rest
    forehead = at[..., 1] > marks[36:48, 1].max() + 5
    assert up[forehead].sum() > 2 * rest[forehead].sum()
    assert up[forehead].sum() > 0.9 * up.sum()
    one = darkened(weights(browOuterUpRight=1)) - rest  # the right half has negative x
    assert one[at[..., 0] < 5].sum() > 0.95 * one.sum()
    frown = darkened(weights(browDownLeft=1, browDownRight=1)) - rest
    inner = np.abs(at[..., 0]) < np.abs(brows[[3, 6], 0]).mean()
    assert frown[inner].sum() > 0.7 * frown.sum()
    smile = darkened(weights(mouthSmileLeft=1, mouthSmileRight=1)) - rest
    aside = np.abs(at[..., 0]) > np.abs(corners[:, 0]).mean() - 5
    assert smile[aside].sum() > 0.8 * smile.sum()


def test_people_differ() -> None:
    brow = weights(browInnerUp=1, browOuterUpLeft=1, browOuterUpRight=1)
    several = [folds.sample_folds(MODEL, brow, np.random.default_rng([4, i])) for i in range(60)]
    deep = [one[..., 2] / 0.06 for one in several if one is not None]
    assert 0.5 < len(deep) / len(several) < 0.9  # the others' skin is smooth
    lines = np.stack([cv2.resize(one, (128, 128)).ravel() for one in deep if one.max() > 0.3])
    alike = np.corrcoef(lines)[np.triu_indices(len(lines), 1)]
    assert np.median(alike) < 0.6
    depths = np.array([one.max() for one in deep])
    assert np.percentile(depths, 90) > 4 * np.percentile(depths, 10)


def test_they_are_seen_in_the_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same heads with and without: the forehead's lines are what differs."""
    raised = weights(browInnerUp=1, browOuterUpLeft=1, browOuterUpRight=1)
    monkeypatch.setattr(shots, "sample_weights", lambda _model, _rng: raised)
    people = [folds.sample_folds(MODEL, raised, np.random.default_rng([4, i])) for i in range(20)]
    deep = max((one for one in people if one is not None), key=np.sum)
    drawer, seen = shots.Drawer(MODEL), []
    for head in range(4):
        pictures = []
        for how in (None, deep):
            monkeypatch.setattr(shots, "sample_folds", lambda *_given, how=how: how)
            shot = drawer.head(np.random.default_rng([11, head]))[0]
            pictures.append(shot.images[:2].astype(float))
        apart = np.abs(pictures[1] - pictures[0]).mean(axis=3)
        lid = round(float(shot.truth[0, 36:40, 1].mean()))
        seen.append((apart[:, : lid - 10].mean(), apart[:, lid:].mean()))
    above, below = np.mean(seen, axis=0)
    assert above > 0.5 and above > 4 * below
