"""Lips where no photo shows them have the colour of those that it shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from reconstruct_face.backend.model import FaceModel
from reconstruct_face.backend.model.lips import SEAM
from reconstruct_face.backend.raster.atlas import texel_coordinates
from reconstruct_face.backend.texture.layout import layout_of
from reconstruct_face.backend.texture.lips import tint_lips

from tests.test_neutral_texture import texels
from tests.test_texture import SIZE, from_srgb, paint, repaint

LIPSTICK = np.array([0.1, -0.9, -0.5])


def at_vertices(model: FaceModel) -> np.ndarray:
    """(2, V) row and column of a texel of each vertex."""
    uv = np.zeros((len(model.mean), 2))
    uv[model.faces.ravel()] = model.uv[model.uv_faces.ravel()]
    return np.rint(texel_coordinates(uv, SIZE)).astype(int).clip(0, SIZE - 1).T[::-1]


@pytest.mark.seconds
def test_lipstick_goes_on_inside_the_mouth_and_not_to_its_back() -> None:
    still = paint(seed=5)
    model = still.model
    assert model.lip_rings is not None
    seam = model.mean[model.lip_rings[SEAM]]
    away = np.linalg.norm(model.mean[:, None] - seam[None], axis=2).min(axis=1)
    inside = model.mask("mouth") > 0.99
    lips = texels(still, model.mask("lips")) > 0.9
    row, column = at_vertices(model)

    def logs(colour: np.ndarray) -> np.ndarray:
        painted = np.exp(lips[..., None] * colour) * still.albedo
        texture = repaint(still, painted).texture()
        found = np.log(np.maximum(from_srgb(texture.image / 255.0), 2e-3))
        return found[row, column]

    change = logs(LIPSTICK) - logs(np.zeros(3))
    near, far = inside & (away < 5), inside & (away > 25)
    assert min(near.sum(), far.sum()) > 15
    change_near = np.median(change[near], axis=0)
    assert np.all(np.abs(change_near - 0.7 * LIPSTICK) < 0.2), change_near
    assert np.abs(change[far]).max() < 0.02


@pytest.mark.seconds
def test_a_grey_photo_tells_no_colour_of_lips() -> None:
    still = paint(seed=5)
    grey = np.repeat(still.photo.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    row, column = at_vertices(still.model)[:, still.model.mask("mouth") > 0.99]
    with_colour, without = (
        replace(still, photo=photo).texture(grey=photo is grey) for photo in (still.photo, grey)
    )
    assert not np.array_equal(with_colour.image[row, column], without.image[row, column])
    plain = replace(still, photo=255 - grey).texture(grey=True)
    np.testing.assert_array_equal(without.image[row, column], plain.image[row, column])


def test_all_of_the_lips_is_brought_to_their_middle_colour() -> None:
    model = paint(seed=5).model
    layout = layout_of(model, SIZE)
    where = np.flatnonzero(layout.small.mask)
    rng = np.random.default_rng(0)
    painted = rng.normal(-1, 0.05, (3, len(where))).astype(np.float32)
    before = painted.copy()
    tint_lips(painted, where, model, layout, np.array([-0.5, -2.0, -1.7], np.float32))
    red = model.uv_mask("lips").ravel()[where]
    middle = np.median(painted[:, red > 0.9], axis=1)
    np.testing.assert_allclose(middle, [-0.5, -2.0, -1.7], atol=0.02)
    skin = (red == 0) & layout.skin_face[layout.small.face_id.ravel()[where]]
    assert skin.sum() > 1000
    np.testing.assert_array_equal(painted[:, skin], before[:, skin])
