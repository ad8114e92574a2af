"""Half of the face in a hard shadow: its skin comes out as the other half's."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from reconstruct_face.backend.exchange import Reconstruction
from reconstruct_face.backend.geometry.srgb import SRGB_TO_LINEAR
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.photo import Photo, read_photo
from reconstruct_face.backend.photo.encode import decode
from reconstruct_face.backend.pipeline import Options, reconstruct
from reconstruct_face.backend.texture import build_texture
from reconstruct_face.backend.texture.layout import layout_of
from reconstruct_face.backend.texture.shadow import find_shadow
from reconstruct_face.backend.texture.view import make_view

from tests.covered_faces import half_shadow

ASTRONAUT = Path(__file__).parents[1] / "assets" / "astronaut.jpg"
SIZE = 1024
MODEL = load_model()


@cache
def plain() -> Reconstruction:
    return reconstruct(ASTRONAUT, Options(texture_size=SIZE))[0]


def textured(pixels: np.ndarray, mode: str = "albedo"):
    """The texture of the head in the sample photo from ``pixels`` in its place."""
    found = plain()
    return build_texture(
        MODEL, pixels, found.vertices_posed, found.camera_matrix, found.rotation,
        found.translation, mode=mode, size=SIZE, landmarks2d=found.landmarks2d_detected,
    )  # fmt: skip


def halves(image: np.ndarray) -> np.ndarray:
    """(3,) the mean albedo of her left half over that of her right, where skin is surely seen."""
    layout = layout_of(MODEL, SIZE)
    sure = layout.regions.sure[MODEL.faces].mean(axis=1) > 0.5
    x = MODEL.mean[MODEL.faces].mean(axis=1)[:, 0]
    face = layout.texels.face
    colours = SRGB_TO_LINEAR[image].reshape(-1, 3)[layout.texels.place]
    left, right = (colours[(sure & side)[face]].mean(axis=0) for side in (x > 3, x < -3))
    return left / right


def shadow_of(pixels: np.ndarray):
    found = plain()
    view = make_view(
        MODEL, pixels, found.vertices_posed, found.camera_matrix, found.rotation,
        found.translation, found.landmarks2d_detected, SIZE,
    )  # fmt: skip
    return find_shadow(MODEL, layout_of(MODEL, SIZE), view)


@pytest.mark.slow
def test_halves_are_within_15_percent_end_to_end():
    pixels = half_shadow(read_photo(ASTRONAUT).pixels)
    photo = Photo(np.ascontiguousarray(pixels), Path("made.png"), None, False)
    (found,) = reconstruct(photo, Options(texture_size=SIZE))
    assert np.abs(halves(decode(found.texture)) - 1).max() < 0.15
    assert any("hard shadow" in one and "lightened" in one for one in found.warnings)
    assert not any("lightened" in one for one in plain().warnings)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.25, 0.35, 0.45])
def test_the_shadow_is_as_deep_as_it_was_drawn(share: float):
    """0.35 of the sRGB values are 0.09 of the light or so, by the curve's straight power 2.4."""
    pixels = read_photo(ASTRONAUT).pixels
    found = shadow_of(half_shadow(pixels, share))
    assert found is not None
    level = np.arange(90, 220)
    depth = np.log(SRGB_TO_LINEAR[level] / SRGB_TO_LINEAR[np.round(share * level).astype(int)])
    # She is lit a little from the side: that is part of what the edge shows, and lifted too.
    assert found.depth == pytest.approx(np.full(3, depth.mean()), abs=0.4)
    texture = textured(half_shadow(pixels, share))
    assert np.abs(halves(texture.image) - 1).max() < 0.15
    assert texture.warnings != ()
    # Neither a black patch nor a bright one: as the texture of the photo without the shadow.
    layout = layout_of(MODEL, SIZE)
    sure = (layout.regions.sure[MODEL.faces].mean(axis=1) > 0.5)[layout.texels.face]
    place = layout.texels.place[sure]
    shaded, clear = (
        np.log(SRGB_TO_LINEAR[one].reshape(-1, 3)[place] + 0.01)
        for one in (texture.image, textured(pixels).image)
    )
    apart = shaded - clear
    assert np.abs(apart - np.median(apart, axis=0)).mean() < 0.2


@pytest.mark.slow
def test_light_that_only_turns_dark_is_no_shadow():
    pixels = read_photo(ASTRONAUT).pixels
    assert shadow_of(pixels) is None
    x = np.arange(512)
    side = np.interp(x, [180, 270], [1.0, 0.35])[None, :, None]
    assert shadow_of(np.round(pixels * side).astype(np.uint8)) is None, "soft, from the side"
    assert shadow_of(np.round(pixels * 0.35).astype(np.uint8)) is None, "dark all over"


@pytest.mark.slow
def test_the_photo_as_it_is_keeps_its_shadow():
    shaded = textured(half_shadow(read_photo(ASTRONAUT).pixels), "photo").image
    assert halves(shaded).max() < 0.25
