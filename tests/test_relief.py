"""Relief from shading: known heights in known light, spots, what is added up, what comes back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.geometry.harmonics import SH_CONSTANT, shade
from reconstruct_face.backend.model import DEFAULT_MODEL, FaceModel, load_model
from reconstruct_face.backend.texture.relief import (
    GAIN,
    Relief,
    Tangents,
    displacement,
    even_skin,
    lines_of,
    merged,
    response,
    shading_of,
)

SIDE, TEXEL = 256, 0.3
rng = np.random.default_rng(0)


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_model(DEFAULT_MODEL)


def light_from(x: float, y: float) -> np.ndarray:
    """(9, 3) white light from the front with a part from the side."""
    light = np.zeros((9, 3), np.float32)
    light[0] = 0.7 / SH_CONSTANT
    light[1], light[2], light[3] = y, 0.6, x
    return light


def plane() -> Tangents:
    """A plane before the camera, x along columns, y against rows."""
    normal = np.zeros((SIDE, SIDE, 3), np.float32)
    normal[..., 2] = 1
    dual = np.zeros((SIDE, SIDE, 2, 3), np.float32)
    dual[..., 0, 0], dual[..., 1, 1] = 1 / TEXEL, -1 / TEXEL
    whole = np.ones((SIDE, SIDE), bool)
    return Tangents(normal, dual, np.full((SIDE, SIDE), TEXEL, np.float32), whole)


def groove(depth: float = 0.3) -> np.ndarray:
    """(SIDE, SIDE) mm: a vertical groove of 0.6 mm half width, and one across it."""
    at = (np.arange(SIDE) - SIDE / 2) * TEXEL
    line = -depth * np.exp(-0.5 * (at / 0.6) ** 2)
    ends = np.exp(-0.5 * ((at - 2) / 15) ** 4)
    return (line[None] * ends[:, None]).astype(np.float32)


def shaded(height: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Log brightness of the plane with ``height``, exactly: by its normals."""
    down, across = np.gradient(height.astype(np.float64), TEXEL)
    normals = np.stack([-across, down, np.ones_like(height)], axis=2)
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    return np.log(shade(normals, light)[..., 1]).astype(np.float32)


def relief_from(log: np.ndarray, light: np.ndarray) -> Relief:
    slope, whole = response(plane(), light), np.ones((SIDE, SIDE), np.float32)
    whole[:8], whole[-8:], whole[:, :8], whole[:, -8:] = 0, 0, 0, 0
    found = lines_of(log, whole, TEXEL, 0.2)
    x, y = slope[..., 0], slope[..., 1]
    return Relief(np.stack([x * x, x * y, y * y], 2), found[..., None] * slope, slope * 1.0, whole)


def test_the_response_is_the_derivative_of_the_shading():
    light = light_from(0.4, 0.2)
    small = 1e-3 * np.arange(SIDE)[None] * np.ones((SIDE, 1))  # a slope along the columns
    change = shaded(small, light) - shaded(0 * small, light)
    expected = response(plane(), light)[..., 0] * 1e-3
    np.testing.assert_allclose(change[20:-20, 20:-20], expected[20:-20, 20:-20], rtol=0.02)


def test_a_groove_in_side_light_is_found_where_and_as_deep_as_it_is():
    light, true = light_from(0.5, 0.0), groove()
    found = displacement(relief_from(shaded(true, light), light))
    middle = slice(100, 156)
    profile, expected = found[middle].mean(axis=0), true[middle].mean(axis=0)
    assert abs(int(profile.argmin()) - int(expected.argmin())) <= 1
    expected = expected - cv2.GaussianBlur(expected[None], (0, 0), 12)[0]
    assert np.corrcoef(profile, expected)[0, 1] > 0.7
    assert 0.15 < (profile @ expected) / (expected @ expected) < 1.3


def test_a_ridge_is_no_groove():
    light = light_from(0.5, 0.0)
    found = displacement(relief_from(shaded(-groove(), light), light))
    assert found[128, 124:132].max() > 0.03


def test_freckles_give_no_height():
    spots = np.zeros((SIDE, SIDE), np.float32)
    for x in range(30, SIDE - 20, 28):
        for y in range(30, SIDE - 20, 28):
            place = (x + int(rng.integers(-4, 5)), y + int(rng.integers(-4, 5)))
            cv2.circle(spots, place, int(rng.integers(2, 5)), -0.2, -1)
    spots = cv2.GaussianBlur(spots, (0, 0), 1.0)
    light = light_from(0.5, 0.0)
    line = shaded(groove(0.2), light)
    of_spots, of_groove = (displacement(relief_from(log, light)) for log in (spots, line))
    assert spots.std() > 0.8 * line.std()  # the photo shows about as much of both
    assert of_spots.std() < 0.4 * of_groove.std()


def test_views_add_up_to_what_neither_light_shows_alone():
    both = groove() + groove().T
    lights = [light_from(0.5, 0.0), light_from(0.0, 0.5)]
    views = [relief_from(shaded(both, light), light) for light in lights]
    across, down = (displacement(view) for view in views)
    together = displacement(merged(views))
    # Light along a groove does not show it.
    assert abs(across[128, 95]) < 0.3 * abs(across[95, 128])
    assert abs(down[95, 128]) < 0.3 * abs(down[128, 95])
    assert max(together[128, 95], together[95, 128]) < -0.02


def test_nothing_comes_of_nothing():
    light = light_from(0.5, 0.0)
    empty = relief_from(np.zeros((SIDE, SIDE), np.float32), light)
    assert not displacement(empty).any()
    unseen = Relief(*(np.zeros_like(x) for x in vars(empty).values()))
    assert not displacement(unseen).any()
    with pytest.raises(ValueError, match="no relief"):
        merged([])


def test_pixels_coarser_than_a_line_show_none():
    log, whole = shaded(groove(), light_from(0.5, 0.0)), np.ones((SIDE, SIDE), np.float32)
    assert lines_of(log, whole, TEXEL, 0.2).any()
    assert not lines_of(log, whole, TEXEL, 2.0).any()


def test_the_shading_of_what_is_found_is_most_of_what_was_seen():
    light, true = light_from(0.5, 0.0), groove()
    log = shaded(true, light)
    relief = relief_from(log, light)
    told = shading_of(relief, displacement(relief))
    log = log - log.mean()
    rest = log - told
    assert (rest[100:156] ** 2).sum() < 0.7 * (log[100:156] ** 2).sum()


def test_features_are_left_out(model: FaceModel):
    even = even_skin(model)
    assert even.max() == pytest.approx(1, abs=1e-3)
    for name in ("lips", "brows", "lids"):
        assert even[model.uv_mask(name) > 0.5].max() < 0.05, name
    assert GAIN <= 1
