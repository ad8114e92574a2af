"""One texture of several photos of a head whose albedo and lights are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.geometry.harmonics import shade
from reconstruct_face.backend.raster import rasterize
from reconstruct_face.backend.texture import Shot, Texture, build_texture_of, most_shots
from reconstruct_face.backend.texture.evening import on_texels
from reconstruct_face.backend.texture.hair import HAIRLINES
from reconstruct_face.backend.texture.layout import layout_of
from reconstruct_face.backend.texture.several import _gains

from tests.test_neutral_texture import line
from tests.test_texture import (
    SIZE,
    Scene,
    face_texels,
    from_srgb,
    paint,
    relative_error,
    repaint,
)

pytestmark = pytest.mark.seconds

YAWS = (0.0, 40.0, -40.0)


def turned(first: Scene, yaw: float, seed: int) -> Scene:
    """The head of ``first`` from another side, in another light."""
    other = paint(seed, yaw)
    angle = np.radians(yaw)
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    rotation = np.diag([1.0, -1.0, -1.0]) @ turn
    middle = first.vertices[first.model.landmarks68].mean(axis=0)
    translation = np.array([0, 0, 650.0]) - rotation @ middle
    raster = rasterize(
        first.vertices @ rotation.T + translation,
        first.model.faces,
        first.camera_matrix,
        first.raster.face_id.shape[::-1],
    )
    moved = replace(
        first, light=other.light, rotation=rotation, translation=translation, raster=raster
    )
    return repaint(moved, first.albedo)


def shot(scene: Scene, **more) -> Callable[[], Shot]:
    return lambda: Shot(
        scene.photo,
        scene.vertices,
        scene.camera_matrix,
        scene.rotation,
        scene.translation,
        **more,
    )


def marked(scene: Scene) -> Scene:
    """With birthmarks on one cheek and beside the mouth: what a half's mirror image cannot know."""
    mean, log = scene.model.mean, np.zeros(scene.albedo.shape[:2])
    for landmark, offset in ((36, (-4, -24, 0)), (54, (8, -10, 0))):
        wanted = mean[scene.model.landmarks68[landmark]] + offset
        point = mean[np.linalg.norm(mean - wanted, axis=1).argmin()]
        log -= 0.5 * line(scene, np.stack([point, point]), 3.0)
    albedo = scene.albedo * np.exp(log)[..., None]
    return replace(repaint(scene, albedo), albedo=albedo)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    first = marked(paint(3))
    return [first, *(turned(first, yaw, 10 + i) for i, yaw in enumerate(YAWS[1:]))]


@pytest.fixture(scope="module")
def shared(scenes: list[Scene]):
    return build_texture_of(scenes[0].model, [shot(scene) for scene in scenes], size=SIZE)


def test_one_photo_is_what_it_was(scenes: list[Scene]) -> None:
    texture, lights = build_texture_of(scenes[0].model, [shot(scenes[0])], size=SIZE)
    alone = scenes[0].texture()
    np.testing.assert_array_equal(texture.image, alone.image)
    np.testing.assert_array_equal(lights[0], alone.sh_light)


def test_no_photo_is_refused() -> None:
    with pytest.raises(ValueError, match="no photo"):
        build_texture_of(paint(3).model, [], size=SIZE)


def pattern_error(texture: Texture, scene: Scene, where: np.ndarray) -> float:
    """Root mean square of the log ratio to the true albedo, a common factor apart."""
    found = from_srgb(texture.image[where] / 255.0)
    ratio = np.log(np.maximum(found, 2e-3) / scene.albedo[where])
    return float(np.sqrt(((ratio - np.median(ratio, axis=0)) ** 2).mean()))


def test_three_photos_are_nearer_to_the_truth_than_one(scenes: list[Scene], shared) -> None:
    texture, _ = shared
    where = face_texels(scenes[0])
    alone = [scene.texture() for scene in scenes]
    # Light and skin share brightness, so one photo's level is a guess.
    levels = [relative_error(one, scenes[0], where) for one in alone]
    assert relative_error(texture, scenes[0], where) < np.mean(levels)
    patterns = [pattern_error(one, scenes[0], where) for one in alone]
    assert pattern_error(texture, scenes[0], where) < 0.95 * np.mean(patterns)


def test_sides_come_from_the_photos_that_show_them(scenes: list[Scene], shared) -> None:
    texture, _ = shared
    alone = scenes[0].texture()
    assert texture.coverage.mean() > 1.1 * alone.coverage.mean()


def test_lights_fit_the_shared_albedo(scenes: list[Scene], shared) -> None:
    """Brighter or dimmer than the truth all by the same factor: albedo's and light's is unknown."""
    _, lights = shared
    normals = np.array([[0, 0, 1.0], [0.5, 0, 0.8], [-0.5, 0, 0.8]])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    ratio = np.stack(
        [np.log(shade(normals, found) / shade(normals, scene.light)).mean(axis=0)
         for found, scene in zip(lights, scenes, strict=True)]
    )  # fmt: skip
    assert np.abs(ratio - ratio.mean(axis=0)).max() < 0.12


def test_exposure_and_white_balance_leave_no_trace(scenes: list[Scene], shared) -> None:
    texture, _ = shared
    tinted = np.clip(scenes[1].photo * np.array([1.12, 1.0, 0.85]) * 0.9, 0, 255).astype(np.uint8)
    others = [scenes[0], replace(scenes[1], photo=tinted), scenes[2]]
    again, _ = build_texture_of(scenes[0].model, [shot(s) for s in others], size=SIZE)
    where = face_texels(scenes[0])
    off = again.image[where].astype(float) - texture.image[where]
    assert np.abs(off - off.mean(axis=0)).mean() < 3.0, "no patches; 255 is white"


def test_what_is_before_the_skin_in_one_photo_is_left_out(scenes: list[Scene], shared) -> None:
    clean, _ = shared
    photo = scenes[0].photo.copy()
    middle = len(photo) // 2
    photo[middle + 30 : middle + 75, middle + 25 : middle + 70] = (60, 90, 160)  # a blue patch
    hand = shot(replace(scenes[0], photo=photo))
    alone, _ = build_texture_of(scenes[0].model, [hand], size=SIZE)
    shots = [hand, *map(shot, scenes[1:])]
    together, _ = build_texture_of(scenes[0].model, shots, size=SIZE)
    stained = np.abs(alone.image.astype(int) - scenes[0].texture().image).max(axis=2) > 40
    assert stained.sum() > 500, "seen in one photo alone"
    left = np.abs(together.image.astype(int) - clean.image).max(axis=2)[stained]
    assert (left > 40).mean() < 0.1


def test_the_order_of_further_photos_does_not_matter(scenes: list[Scene], shared) -> None:
    texture, lights = shared
    shots = [shot(scenes[0]), shot(scenes[2]), shot(scenes[1])]
    again, other = build_texture_of(scenes[0].model, shots, size=SIZE)
    assert np.abs(again.image.astype(int) - texture.image).max() <= 1
    np.testing.assert_allclose(other[[0, 2, 1]], lights, atol=1e-5)


def test_gains_by_hand() -> None:
    """Two photos, half a stop apart, that share two of three places; each is believed as much."""
    ratios = np.zeros((2, 3, 3))
    ratios[0, :, 0], ratios[1, :, 0] = 0.1, 0.5
    weights = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]]) + 1e-9
    gains = _gains(ratios, weights, np.array([0.5, 0.5]))
    np.testing.assert_allclose((ratios + gains[:, None])[:, :, 0], 0.3, atol=0.11)
    assert abs(gains.sum()) < 1e-9


def test_memory_does_not_grow_with_the_photos() -> None:
    assert most_shots(1024) == 8
    assert 3 <= most_shots(4096) < most_shots(2048) <= 8


def test_no_hair_is_painted_that_the_head_has_as_strands(scenes: list[Scene]) -> None:
    model = scenes[0].model
    brows = model.mean[model.landmarks68[17:27], 1].mean()
    y, face = model.mean[:, 1] - brows, brows - model.mean[model.landmarks68[8], 1]
    # A fringe down to the brows, as dark as hair, and in it two locks that nobody told of.
    fringe = (y > 10) & (model.mean[:, 2] > 0)
    told = fringe & (np.abs(np.abs(model.mean[:, 0]) - 25) > 5)
    layout = layout_of(model, SIZE)
    # Where no hair has its roots.
    low = layout.regions.forehead * (y < HAIRLINES[0] * face)
    dark, forehead = (
        cv2.resize(on_texels(model, layout, values.astype(np.float32)), (SIZE, SIZE))
        for values in (fringe, low)
    )
    dark = dark[..., None]
    hairy = repaint(scenes[0], scenes[0].albedo * (1 - dark) + 0.012 * dark)
    forehead = (forehead > 0.7) & (dark[..., 0] > 0.99)
    assert forehead.sum() > 1000

    def painted(**more) -> float:
        texture, _ = build_texture_of(model, [shot(hairy, **more)], size=SIZE)
        found = from_srgb(texture.image[forehead] / 255.0).mean(axis=1)
        return float(np.median(found / scenes[0].albedo[forehead].mean(axis=1)))

    assert painted() < 0.2
    assert painted(under_hair=lambda: told.astype(np.float32)) > 0.8
    assert painted(under_hair=lambda: None) < 0.2
