"""Wrinkles: where the Facial Action Coding System has them, on the half whose shapes make them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from reconstruct_face.backend.exchange.wrinkles import GROUPS
from reconstruct_face.backend.model import FaceModel, load_model
from reconstruct_face.backend.raster.atlas import rasterize_uv, texel_coordinates
from reconstruct_face.backend.texture.wrinkles import SIZE, wrinkle_maps


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_model()


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


def smiling(model: FaceModel) -> np.ndarray:
    """(V, 3) mm."""
    return wearing(model, ("mouthSmile", "cheekSquint"))


def wearing(model: FaceModel, starts: tuple[str, ...]) -> np.ndarray:
    """(V, 3) mm: the mean head with the expressions whose names so begin at 1."""
    chosen = np.array([name.startswith(starts) for name in model.expression_names])
    return model.mean + model.expression_basis[chosen].sum(axis=0)


def points_of(model: FaceModel, face: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """(N, 3) mm of ``face`` at the texels of a map that are ``drawn`` (SIZE, SIZE)."""
    atlas = rasterize_uv(model.uv, model.uv_faces, SIZE)
    drawn = drawn & atlas.mask
    corners = face[model.faces[atlas.face_id[drawn]]]
    return (corners * atlas.barycentric[drawn][..., None]).sum(axis=1)


def change(patch: np.ndarray) -> tuple[float, float]:
    """Mean change from column to column and from row to row."""
    return np.abs(np.diff(patch, axis=1)).mean(), np.abs(np.diff(patch, axis=0)).mean()


def lines(profile: np.ndarray) -> np.ndarray:
    """Where a profile of depths has grooves."""
    middle = profile[1:-1]
    return 1 + np.flatnonzero((middle > profile[:-2]) & (middle >= profile[2:]) & (middle > 40))


@pytest.mark.parametrize("outwards", [-25.0, 0.0, 25.0])
def test_raised_brows_make_four_lines_as_far_apart_across_the_forehead(
    model: FaceModel, outwards: float
) -> None:
    right, left = (half[..., 0].astype(float) for half in maps_of(model))
    face = wearing(model, ("browInnerUp", "browOuterUp"))
    everywhere = np.ones(right.shape, bool)
    points = points_of(model, face, everywhere)
    depth = (right + left)[rasterize_uv(model.uv, model.uv_faces, SIZE).mask]
    near = (np.abs(points[:, 0] - outwards) < 0.5) & (points[:, 2] > 0) & (points[:, 1] > 40)
    heights = np.arange(40, 90, 0.5)
    profile = np.array(
        [depth[near & (np.abs(points[:, 1] - height) < 0.5)].max() for height in heights]
    )
    profile = np.convolve(profile, np.ones(3) / 3, "same")
    found = heights[lines(profile)]
    assert len(found) == 4
    assert np.all((np.diff(found) > 4) & (np.diff(found) < 9))


def test_brows_drawn_together_make_upright_lines_between_them(model: FaceModel) -> None:
    right, left = maps_of(model)
    patch = around(model, np.maximum(right, left), (21, 22), 6.0)[30:50, :, 2]
    over_columns, over_rows = change(patch)
    assert over_columns > 2 * over_rows
    (one, other) = lines(patch.mean(axis=0))
    assert one + other == pytest.approx(80, abs=6)  # as far from the middle to either side


def test_a_smile_makes_a_furrow_from_beside_the_nose_to_beyond_the_mouth(model: FaceModel) -> None:
    right, _ = maps_of(model)
    face = smiling(model)
    furrow = points_of(model, face, right[..., 1] > 120)
    wing, corner = face[model.landmarks68[31]], face[model.landmarks68[48]]
    furrow = furrow[furrow[:, 1] < wing[1] + 8]  # without crow's feet
    beside = furrow[np.abs(furrow[:, 1] - corner[1]) < 3, 0]
    assert 4 < corner[0] - beside.mean() < 14
    assert np.linalg.norm(furrow - wing, axis=1).min() < 12
    assert furrow[:, 1].min() < corner[1] - 3


def test_crows_feet_spread_from_the_corners_of_the_eyes(model: FaceModel) -> None:
    right, _ = maps_of(model)
    face = smiling(model)
    corner = face[model.landmarks68[36]]
    feet = points_of(model, face, right[..., 1] > 80)[:, :2] - corner[:2]
    feet = feet[(feet[:, 0] < -4) & (np.linalg.norm(feet, axis=1) < 20)]
    near, far = (
        feet[np.abs(np.linalg.norm(feet, axis=1) - apart) < 2, 1].std() for apart in (8, 15)
    )
    assert far > 1.3 * near


def test_a_larger_head_creases_in_the_same_places(model: FaceModel) -> None:
    larger = replace(model, mean=1.3 * model.mean, expression_basis=1.3 * model.expression_basis)
    expected, found = (np.add(*maps_of(one), dtype=float) for one in (model, larger))
    assert np.abs(found - expected).max() <= 3


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
