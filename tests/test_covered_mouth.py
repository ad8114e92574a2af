"""A bar or a mask over the mouth: found, without weight in fit and texture, and told."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.align import ffhq_crop
from reconstruct_face.backend.exchange import Reconstruction
from reconstruct_face.backend.fit.covering import find_covering
from reconstruct_face.backend.fit.noise import dlib_noise
from reconstruct_face.backend.fit.prior import UNSEEN_SIGMA, Prior
from reconstruct_face.backend.geometry.srgb import SRGB_TO_LINEAR
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.photo import Photo, read_photo
from reconstruct_face.backend.photo.encode import decode
from reconstruct_face.backend.pipeline import Options, reconstruct
from reconstruct_face.backend.texture.layout import layout_of

from tests.covered_faces import bar, half_shadow, mask

ASTRONAUT = Path(__file__).parents[1] / "assets" / "astronaut.jpg"
COVERS = {"none": lambda pixels: pixels, "bar": bar, "mask": mask}
MOUTH = np.arange(48, 68)
SIZE = 1024


@cache
def sample() -> np.ndarray:
    return read_photo(ASTRONAUT).pixels


@cache
def head(cover: str, estimate: str = "network") -> Reconstruction:
    photo = Photo(np.ascontiguousarray(COVERS[cover](sample())), Path("made.png"), None, False)
    return reconstruct(photo, Options(texture_size=SIZE, estimate=estimate))[0]


def colours_of(found: Reconstruction, part: str) -> np.ndarray:
    """(N, 3) linear colours of the texels of ``part``, a mask of the model, seen from the front."""
    model = load_model()
    layout = layout_of(model, SIZE)
    belongs = (model.mask(part) * layout.regions.core)[model.faces].min(axis=1) > 0.5
    place = layout.texels.place[belongs[layout.texels.face]]
    return SRGB_TO_LINEAR[decode(found.texture)].reshape(-1, 3)[place]


@pytest.mark.slow
@pytest.mark.parametrize("cover", COVERS)
def test_what_covers_is_found_by_its_colour_and_nothing_where_nothing_does(cover: str):
    marks = head("none").landmarks2d_detected
    pixels = COVERS[cover](sample())
    found = find_covering(ffhq_crop(pixels, marks), marks, (512, 512))
    assert (found is not None) == (cover != "none")
    if found is None:
        return
    assert found.landmarks[MOUTH].all()
    assert not found.landmarks[np.r_[17:28, 36:48]].any(), "brows, eyes, the bridge of the nose"
    changed = np.abs(pixels.astype(int) - sample()).max(axis=2) > 40
    assert found.photo[140:160, 190:260].all()
    assert (found.photo & ~cv2.dilate(changed.astype(np.uint8), np.ones((9, 9))).astype(bool))[
        :160, 185:260
    ].mean() < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.2, 0.35, 0.6])
def test_half_in_shadow_is_not_covered(share: float):
    marks = head("none").landmarks2d_detected
    assert find_covering(ffhq_crop(half_shadow(sample(), share), marks), marks, (512, 512)) is None


@pytest.mark.slow
@pytest.mark.parametrize("estimate", ["network", "landmarks"])
@pytest.mark.parametrize("cover", ["bar", "mask"])
def test_jaw_and_mouth_are_at_their_prior_and_it_is_told(cover: str, estimate: str):
    """She smiles broadly; nothing of that may be seen through what covers it."""
    plain, found = head("none"), head(cover, estimate)
    names = np.array(found.expression_names)
    mouth = np.array([name.startswith(("jaw", "mouth", "tongue", "cheekPuff")) for name in names])
    assert np.abs(plain.expression[mouth]).max() > 0.5
    assert np.abs(found.expression[mouth]).max() < 0.1
    assert sum("covers the mouth" in one for one in found.warnings) == 1
    assert found.provenance["confidence"] < 0.55
    # The head is where it was: eyes within a twentieth of the face.
    apart = np.linalg.norm(found.landmarks2d - plain.landmarks2d, axis=1)
    assert apart[36:48].mean() < 0.05 * 106


@pytest.mark.slow
@pytest.mark.parametrize("cover", ["bar", "mask"])
def test_the_texture_is_completed_where_it_is_covered(cover: str):
    """Lips and beard's place have colours like the skin's: neither black nor blue."""
    for part, most in (("lips", 0.5), ("beard", 0.5)):
        plain, found = (np.log(colours_of(head(c), part)) for c in ("none", cover))
        assert np.abs(np.median(found, axis=0) - np.median(plain, axis=0)).max() < most
        red, green, blue = np.quantile(found, [0.02, 0.98], axis=0).T
        assert (red > green).all() and (green > blue).all(), "no black, no blue"
        assert red[0] > np.log(0.08)


def test_hidden_landmarks_tell_nothing_of_the_others():
    hidden = np.zeros(68, bool)
    hidden[MOUTH] = True
    noise, whole = dlib_noise().hiding(hidden), dlib_noise()
    rng = np.random.default_rng(5)
    error = rng.normal(0, 2, 136)
    error[~np.repeat(hidden, 2)] = 0.0
    assert np.square(noise.whitening() @ error).sum() < 1e-4
    kept = np.repeat(~hidden, 2)
    error = np.where(kept, rng.normal(0, 2, 136), 0.0)
    marginal = error[kept] @ np.linalg.solve(whole.covariance[np.ix_(kept, kept)], error[kept])
    assert np.square(noise.whitening() @ error).sum() == pytest.approx(marginal, rel=1e-6)


def test_an_unseen_expression_is_held_at_the_models_mean():
    names = ("jawOpen", "browDownLeft", "mouthSmileLeft")
    precision = np.array([[9.0, 2, 3], [2, 9, 1], [3, 1, 9]])
    empty = np.zeros(0)
    told = Prior(empty, empty, np.array([0.5, 0.4, 0.9]), precision, empty, empty)
    model = Prior(empty, empty, np.array([0.1, 0.0, 0.0]), np.full(3, 4.0), empty, empty)
    found = told.not_seeing(names, ("jaw", "mouth"), model)
    assert found.expression.tolist() == [0.1, 0.4, 0.0]
    assert np.allclose(found.expression_precision, np.diag([UNSEEN_SIGMA**-2, 9, UNSEEN_SIGMA**-2]))
