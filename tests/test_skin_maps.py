"""The skin's maps and the teeth's colour: what drawn lines, regions and drawn mouths give."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.model import FaceModel, load_model
from reconstruct_face.backend.raster.atlas import texel_coordinates
from reconstruct_face.backend.texture.layout import layout_of
from reconstruct_face.backend.texture.skin import DEEPEST, SkinMaps, skin_maps
from reconstruct_face.backend.texture.teeth import teeth_colour, tint_teeth

SIZE = 1024
SKIN = (205, 160, 140)


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_model()


def even() -> np.ndarray:
    return np.full((SIZE, SIZE, 3), SKIN, np.uint8)


@pytest.fixture(scope="module")
def plain(model: FaceModel) -> SkinMaps:
    return skin_maps(model, even(), np.ones((SIZE, SIZE), np.float32))


def texel_of(model: FaceModel, vertex: int, size: int = SIZE) -> tuple[int, int]:
    """Column and row of a vertex of the skin."""
    polygon, corner = np.argwhere(model.polygons == vertex)[0]
    column, row = texel_coordinates(model.uv[model.uv_polygons[polygon, corner]], size)
    return round(float(column)), round(float(row))


def cheek(model: FaceModel) -> tuple[int, int]:
    """Between the left eye's outer corner, the jaw and the nose."""
    points = model.mean[model.landmarks68]
    middle = (points[45] + points[13] + points[35]) / 3
    away = np.linalg.norm(model.mean[:, :2] - middle[:2], axis=1)
    return texel_of(model, int(np.where(model.mask("face") > 0.9, away, np.inf).argmin()))


def decoded(normal: np.ndarray) -> np.ndarray:
    return normal.astype(np.float64) / 255 * 2 - 1


@pytest.mark.parametrize("upright", [True, False])
def test_a_dark_line_is_a_groove(model: FaceModel, plain: SkinMaps, upright: bool) -> None:
    """By hand, in float64: the height is a Gaussian valley, its normals those of its slopes."""
    image, (column, row) = even(), cheek(model)
    if upright:
        image[row - 30 : row + 30, column - 1 : column + 2] = np.array(SKIN) * 0.8
    else:
        image[row - 1 : row + 2, column - 30 : column + 30] = np.array(SKIN) * 0.8
    lined = skin_maps(model, image, np.ones((SIZE, SIZE), np.float32))
    change = decoded(lined.normal) - decoded(plain.normal)
    if upright:  # along u, towards larger columns
        across = change[row - 10 : row + 10, column - 8 : column + 9, 0].mean(axis=0)
    else:  # along v, which runs against the rows
        across = -change[row - 8 : row + 9, column - 10 : column + 10, 1].mean(axis=1)
    assert across[5:8].max() > 0.03  # the near side slopes down, so its normal leans over the line
    assert across[9:12].min() < -0.03
    assert np.abs(across + across[::-1]).max() < 0.02
    # Added up, the slopes give the depth back: no deeper than the bound, and no step is left.
    depth = np.cumsum(across) * 0.33  # mm of a texel at 1024
    assert 0.02 < np.abs(depth).max() < DEEPEST
    assert abs(depth[-1]) < 0.02


def test_normals_are_unit_vectors_that_point_outwards(plain: SkinMaps) -> None:
    length = np.linalg.norm(decoded(plain.normal), axis=2)
    assert np.abs(length - 1).max() < 0.02
    assert decoded(plain.normal)[..., 2].min() > 0.5
    assert np.abs(decoded(plain.normal)[..., :2].mean(axis=(0, 1))).max() < 0.01


def test_what_no_photo_covers_and_hair_have_no_lines(model: FaceModel, plain: SkinMaps) -> None:
    image, (column, row) = even(), cheek(model)
    image[row - 30 : row + 30, column - 1 : column + 2] = np.array(SKIN) * 0.8
    painted = skin_maps(model, image, np.zeros((SIZE, SIZE), np.float32))
    assert np.array_equal(painted.normal, plain.normal)
    # A beard: dark all over, with lighter strands.
    image[row - 40 : row + 40, column - 40 : column + 40] = np.array(SKIN) * 0.3
    image[row - 30 : row + 30, column - 1 : column + 2] = np.array(SKIN) * 0.4
    bearded = skin_maps(model, image, np.ones((SIZE, SIZE), np.float32))
    inside = np.s_[row - 8 : row + 8, column - 8 : column + 8]
    assert np.abs(decoded(bearded.normal) - decoded(plain.normal))[inside].max() < 0.02


def test_regions_are_as_rough_as_people_are(model: FaceModel, plain: SkinMaps) -> None:
    def of(vertex: int) -> float:
        column, row = texel_of(model, vertex, SIZE // 2)
        return float(np.median(plain.roughness[row - 2 : row + 3, column - 2 : column + 3])) / 255

    marks = model.landmarks68
    neck = int(np.argmax(model.mask("neck") * (model.mean[:, 2] > model.mean[marks[8], 2] - 60)))
    column, row = cheek(model)
    on_cheek = float(plain.roughness[row // 2, column // 2]) / 255
    assert of(int(marks[30])) < of(int(marks[8])) < on_cheek < of(neck)
    lips = int(np.argmax(model.mask("lips")))
    assert of(lips) < 0.4
    # Light hardly reaches a pore: nothing is above the plain level, and pores are below it.
    assert plain.specular.max() == 128
    assert (
        plain.specular[row // 2 - 20 : row // 2 + 20, column // 2 - 20 : column // 2 + 20].min()
        < 120
    )


def test_sizes_follow_the_texture_up_to_a_bound(model: FaceModel) -> None:
    for size, expected in ((256, 256), (4096, 2048)):
        image = cv2.resize(even(), (size, size))
        maps = skin_maps(model, image, np.ones((size, size), np.float32))
        assert maps.normal.shape == (expected, expected, 3)
        assert maps.roughness.shape == maps.specular.shape == (expected // 2, expected // 2)


def mouth_photo(teeth: tuple[int, int, int]) -> SimpleNamespace:
    """Skin with lips around teeth of one colour, half of them in the lips' shadow."""
    pixels = np.full((300, 300, 3), (200, 160, 140), np.uint8)
    landmarks = np.full((68, 2), 150.0)
    angle = np.linspace(np.pi, 3 * np.pi, 8, endpoint=False)
    landmarks[60:68] = 150 + np.stack([50 * np.cos(angle), 22 * np.sin(angle)], 1)
    landmarks[[31, 35]] = [[130, 90], [170, 90]]
    landmarks[[48, 54]] = [[85, 150], [215, 150]]
    cv2.ellipse(pixels, (150, 150), (62, 34), 0, 0, 360, (170, 90, 90), -1)
    cv2.fillPoly(pixels, [landmarks[60:68].round().astype(int)], teeth)
    inner = pixels[128:142]
    inner[(inner == teeth).all(axis=2)] = (np.array(teeth) * 0.75).astype(np.uint8)
    return SimpleNamespace(small_photo=pixels, landmarks=landmarks)


@pytest.mark.parametrize("teeth", [(235, 228, 215), (205, 185, 140)], ids=["white", "yellow"])
def test_teeth_get_the_colour_that_the_photo_shows(model: FaceModel, teeth) -> None:
    """By hand: the lit teeth's linear light over that of white skin under the same light."""
    layout = layout_of(model, SIZE)
    light = np.log(np.array([0.9, 0.8, 0.7], np.float32))
    shading = np.tile(light, (len(model.mean), 1))
    found = teeth_colour(layout, mouth_photo(teeth), shading)
    lit = (np.array(teeth) / 255.0 + 0.055) / 1.055
    expected = np.log(lit**2.4) - light
    assert found is not None and np.abs(found - expected).max() < 0.05
    base = np.log(np.maximum(model.albedo_mean, 0.005))
    before, mask = base.copy(), model.uv_mask("teeth")
    tint_teeth(base, model, found)
    assert np.array_equal(base[mask == 0], before[mask == 0])
    painted = np.median(before[mask > 0.95], axis=0)
    moved = np.median(base[mask > 0.95], axis=0) - painted
    assert moved.mean() == pytest.approx(np.clip((expected - painted).mean(), -0.45, 0.3), abs=0.05)
    # Yellower teeth in the photo, yellower on the head.
    assert np.sign(moved[2] - moved[0]) == np.sign(
        (expected - painted)[2] - (expected - painted)[0]
    )


def test_a_shut_mouth_and_a_tongue_tell_no_colour(model: FaceModel) -> None:
    layout, shading = layout_of(model, SIZE), np.zeros((len(model.mean), 3), np.float32)
    assert teeth_colour(layout, mouth_photo((190, 90, 95)), shading) is None
    shut = mouth_photo((235, 228, 215))
    shut.landmarks[60:68, 1] = 150.0
    assert teeth_colour(layout, shut, shading) is None


def test_a_displacement_has_the_pores_and_not_the_lips_furrows(
    model: FaceModel, plain: SkinMaps
) -> None:
    """They are in the normal map, which does not stand out from the head's outline."""
    nothing = np.zeros((SIZE, SIZE), np.float32)
    found = skin_maps(model, even(), np.ones((SIZE, SIZE), np.float32), nothing)
    lips = cv2.resize(model.uv_mask("lips"), (SIZE, SIZE)) > 0.98
    column, row = cheek(model)
    skin = found.height[row - 20 : row + 20, column - 20 : column + 20]
    assert np.abs(found.height[lips]).max() < 0.1 * np.abs(plain.height[lips]).max()
    assert skin.std() > 0.003
    np.testing.assert_array_equal(found.normal[lips], plain.normal[lips])
