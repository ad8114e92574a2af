"""Wrinkles: across the pressure, where skin is pressed, on the half whose shapes press."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from reconstruct_face.backend.exchange.wrinkles import GROUPS
from reconstruct_face.backend.model import FaceModel, load_model
from reconstruct_face.backend.raster.atlas import texel_coordinates
from reconstruct_face.backend.texture.wrinkles import SIZE, wrinkle_maps


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_model()


def pressed(model: FaceModel, axis: int, share: float) -> FaceModel:
    """The model with every expression shortening the whole head by ``share`` along ``axis``."""
    shape = np.zeros_like(model.mean)
    shape[:, axis] = -share * model.mean[:, axis]
    basis = np.repeat(shape[None], len(model.expression_names), axis=0)
    return replace(model, expression_basis=basis.astype(np.float32))


def maps_of(model: FaceModel) -> tuple[np.ndarray, np.ndarray]:
    found = wrinkle_maps(model, 512)
    assert found is not None
    return found


def around(model: FaceModel, maps: np.ndarray, landmark: tuple[int, ...], up: float) -> np.ndarray:
    """(80, 80, 3) of a map around the vertex ``up`` mm above the mean of landmarks."""
    points = model.mean[model.landmarks68[list(landmark)]].mean(axis=0) + [0, up, 0]
    skin = model.mask("face") > 0.9
    vertex = int(np.where(skin, np.linalg.norm(model.mean - points, axis=1), np.inf).argmin())
    polygon, corner = np.argwhere(model.polygons == vertex)[0]
    uv = model.uv[model.uv_polygons[polygon, corner]]
    column, row = np.rint(texel_coordinates(uv, SIZE)).astype(int)
    return maps[row - 40 : row + 40, column - 40 : column + 40].astype(float)


def change(patch: np.ndarray) -> tuple[float, float]:
    """Mean change from column to column and from row to row."""
    return np.abs(np.diff(patch, axis=1)).mean(), np.abs(np.diff(patch, axis=0)).mean()


@pytest.mark.parametrize("axis", [0, 1], ids=["from the sides", "from above"])
def test_lines_run_across_the_pressure(model: FaceModel, axis: int) -> None:
    """On the forehead, where the texture lies as the face does."""
    right, _ = maps_of(pressed(model, axis, 0.15))
    forehead = around(model, right, (18, 19), 18.0)[..., 0]
    assert forehead.max() > 100
    over_columns, over_rows = change(forehead)
    if axis == 0:  # upright lines change from column to column
        assert over_columns > 2 * over_rows
    else:
        assert over_rows > 2 * over_columns


def test_skin_that_is_stretched_or_hardly_pressed_stays_smooth(model: FaceModel) -> None:
    for share in (-0.3, 0.025):  # twice that, by the two shapes of a group
        for half in maps_of(pressed(model, 1, share)):
            assert half.max() <= 2


def test_raised_brows_line_the_forehead_of_both_halves(model: FaceModel) -> None:
    right, left = maps_of(model)
    assert right.shape == left.shape == (SIZE, SIZE, 3)
    forehead = around(model, right, (18, 19), 14.0)
    over_columns, over_rows = change(forehead[..., 0])
    assert over_rows > 2 * over_columns
    assert forehead[..., 0].max() > 60
    # A half has nothing on the other side, and they are each other's mirror image but for noise.
    assert around(model, left, (18, 19), 14.0).max() == 0
    assert around(model, right, (24, 25), 14.0).max() == 0
    for channel in range(len(GROUPS)):
        amounts = [half[..., channel].mean() for half in (right, left)]
        assert amounts[0] == pytest.approx(amounts[1], rel=0.2)
        assert amounts[0] > 0.1


def test_lips_and_lids_never_wrinkle(model: FaceModel) -> None:
    right, left = maps_of(model)
    drawn = np.maximum(right, left).max(axis=2).reshape(512, 2, 512, 2).max(axis=(1, 3))
    for name in ("lips", "lids"):
        assert drawn[model.uv_mask(name) > 0.95].max() < 30


def test_a_model_without_arkits_shapes_has_none(model: FaceModel) -> None:
    few = replace(
        model,
        expression_names=("a", "b"),
        expression_basis=model.expression_basis[:2],
        expression_range=model.expression_range[:2],
    )
    assert wrinkle_maps(few, 512) is None
