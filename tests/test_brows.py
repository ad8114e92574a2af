"""Brows as strands: where a texture shows brows, as they grow, and nowhere else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.geometry.polylines import of_count
from reconstruct_face.backend.hair import Strands, make_brows
from reconstruct_face.backend.hair.strands import joined, lengths
from reconstruct_face.backend.model import DEFAULT_MODEL, FaceModel, load_model
from reconstruct_face.backend.raster.atlas import texel_coordinates
from reconstruct_face.backend.texture.layout import layout_of, sample
from scipy.spatial import cKDTree

from tests.test_hair import crossings

pytestmark = pytest.mark.seconds
SIDE = 1024
SKIN, BROWN = (205, 160, 135), (70, 48, 34)


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_model(DEFAULT_MODEL, "native")


def texture(model: FaceModel, brow: tuple[int, int, int] = BROWN) -> np.ndarray:
    """(1024, 1024, 3) skin with brows of a colour where the model's masks are."""
    rng = np.random.default_rng(3)
    out = np.empty((SIDE, SIDE, 3))
    out[:] = SKIN
    out[drawn(model) > 0.5] = brow
    return np.clip(out + rng.normal(0, 4, out.shape), 0, 255).astype(np.uint8)


def drawn(model: FaceModel) -> np.ndarray:
    return cv2.resize(model.uv_mask("brows"), (SIDE, SIDE))


def made(model: FaceModel, image: np.ndarray) -> Strands | None:
    return make_brows(model, layout_of(model, SIDE), model.mean, image)


@pytest.fixture(scope="module")
def brows(model: FaceModel) -> Strands:
    strands = made(model, texture(model))
    assert strands is not None
    return strands


def test_brows_are_rooted_where_the_texture_shows_them(model: FaceModel, brows: Strands) -> None:
    at = texel_coordinates(brows.root_uv(model.uv, model.uv_faces), SIDE).astype(np.float32)
    wide = cv2.dilate((drawn(model) > 0.5).astype(np.float32), np.ones((7, 7)))  # 1 mm
    assert (sample(wide, at) > 0.5).mean() > 0.99
    # People have 250 to 500 hairs in each.
    for side in (brows.points[:, 0, 0] < 0, brows.points[:, 0, 0] > 0):
        assert 150 < side.sum() < 600
    corners = model.mean[model.faces[brows.root_triangle]]
    roots = (corners * brows.root_weights[..., None]).sum(axis=1)
    assert np.abs(roots - brows.points[:, 0]).max() < 1e-3


def test_the_far_brow_of_a_turned_head_is_like_the_near_one(model: FaceModel) -> None:
    smeared = texture(model)
    half = SIDE // 2  # the head's right
    rows = np.flatnonzero((drawn(model) > 0.5).any(axis=1))
    smeared[rows[0] - 30 : rows[0], half - 200 : half - 40] = BROWN

    def shares(turn: float) -> np.ndarray:
        found = make_brows(model, layout_of(model, SIDE), model.mean, smeared, turn)
        assert found is not None
        at = texel_coordinates(found.root_uv(model.uv, model.uv_faces), SIDE)
        high = at[:, 1] < rows[0] - 8
        right = at[:, 0] < half
        return np.array([high[right].mean(), high[~right].mean()])

    assert shares(0.2)[0] > 0.03 and shares(0.2)[1] < 0.01
    assert shares(0.6).max() < 0.01
    # Seen from its right the smear is what the near brow looks like.
    assert shares(-0.6).min() > 0.03


def test_they_lie_on_the_skin(model: FaceModel, brows: Strands) -> None:
    assert crossings(model, brows) == 0
    assert near(model).query(brows.points)[0].max() < 2.5  # mm
    assert 4 < np.median(lengths(brows.points)) < 10 and lengths(brows.points).max() < 14


def near(model: FaceModel) -> cKDTree:
    """Points on triangles around the brows, about 1 mm apart."""
    middle = model.mean[model.faces].mean(axis=1)
    around = (np.abs(middle[:, 0]) < 75) & (middle[:, 1] > 15) & (middle[:, 1] < 65)
    corners = model.mean[model.faces[around & (middle[:, 2] > 40)]]
    weights = np.random.default_rng(0).dirichlet([1, 1, 1], 12)
    return cKDTree(np.einsum("fkc,nk->nfc", corners, weights).reshape(-1, 3))


def test_inner_hairs_stand_up_and_the_others_run_outwards(model: FaceModel, brows: Strands) -> None:
    way = brows.points[:, -1] - brows.points[:, 0]
    outwards = way[:, 0] * np.sign(brows.points[:, 0, 0])
    inner, outer = np.abs(model.mean[model.landmarks68[[21, 17]], 0])
    place = (np.abs(brows.points[:, 0, 0]) - inner) / (outer - inner)
    assert (way[place < 0.1, 1] > np.abs(outwards[place < 0.1])).mean() > 0.8
    assert (outwards[place > 0.4] > 0).mean() > 0.97
    assert np.median(way[place > 0.75, 1]) < 0 < np.median(way[place < 0.3, 1])


def test_they_have_its_colour(model: FaceModel, brows: Strands) -> None:
    red, green, blue = np.median(brows.colour, axis=(0, 1))
    assert 0.02 < red < 0.09 and red > green > blue
    light = made(model, texture(model, (150, 110, 80)))
    assert light is not None
    assert np.median(light.colour) > 2 * np.median(brows.colour)


def test_skin_without_brows_grows_none(model: FaceModel) -> None:
    assert made(model, texture(model, SKIN)) is None
    shaded = texture(model, tuple(round(0.97 * value) for value in SKIN))
    assert made(model, shaded) is None


def test_a_fringe_is_no_brow_and_a_hidden_brow_is_like_the_other(
    model: FaceModel, brows: Strands
) -> None:
    rows, columns = np.nonzero(drawn(model) > 0.5)
    fringe = texture(model)
    fringe[rows.min() - 120 : rows.max() + 20] = (60, 42, 30)
    assert made(model, fringe) is None
    half = texture(model)
    half[rows.min() - 120 : rows.max() + 20, : SIDE // 2] = (60, 42, 30)
    strands = made(model, half)
    assert strands is not None
    right = (strands.points[:, 0, 0] < 0).sum()
    assert right == pytest.approx((brows.points[:, 0, 0] < 0).sum(), rel=0.15)
    assert columns.min() < SIDE // 2 < columns.max()


def test_strands_of_other_numbers_of_points_are_the_same_lines(brows: Strands) -> None:
    more = of_count(brows.points, 13)
    assert np.allclose(more[:, ::2], brows.points, atol=1e-4)
    assert np.allclose(of_count(more, 7), brows.points, atol=1e-4)
    both = joined([brows, brows])
    assert both is not None and len(both) == 2 * len(brows) and joined([]) is None
