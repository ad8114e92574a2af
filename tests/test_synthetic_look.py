"""Skin, light, backgrounds and camera of the synthetic training pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.geometry import srgb
from reconstruct_face.backend.geometry.harmonics import shade
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.training.synthetic import background, develop, light, skin

FRONTAL = np.diag([1.0, -1.0, -1.0])


def _sphere(count: int = 40_000) -> np.ndarray:
    """(count, 3) float64 directions of equal solid angle (spherical Fibonacci)."""
    index = np.arange(count) + 0.5
    z, turn = 1 - 2 * index / count, np.pi * (1 + 5**0.5) * index
    ring = np.sqrt(1 - z * z)
    return np.stack([ring * np.cos(turn), ring * np.sin(turn), z], axis=1)


def _turn(axis: tuple[float, float, float], angle: float) -> np.ndarray:
    return cv2.Rodrigues(np.array(axis) * angle)[0]


@pytest.fixture(scope="module")
def skins() -> list[skin.Skin]:
    rng = np.random.default_rng(3)
    return [skin.sample_skin(load_model(), rng) for _ in range(150)]


def test_same_seed_same_look() -> None:
    def look(seed: int) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        face, lamps = skin.sample_skin(load_model(), rng), light.sample_light(FRONTAL, rng)
        scene = background.sample_background(64, rng)
        return [face.texture, face.surface, face.albedo, lamps.sh, develop.develop(scene, rng)]

    for first, again, other in zip(look(5), look(5), look(6), strict=True):
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)


@pytest.mark.seconds
def test_skin_is_sane(skins) -> None:
    assert len(skins) == 150
    for each in skins:
        assert each.texture.shape == (256, 256, 3) and each.texture.dtype == np.float32
        assert each.surface.shape == (256, 256, 2) and each.albedo.shape == (16,)
        assert each.texture.min() > 0 and each.texture.max() < 1
        assert each.surface.min() >= 0 and each.surface[..., 1].max() < 1


def test_tones_cover_the_monk_scale(skins) -> None:
    steps = np.log(srgb.decode(skin.MONK_TONES / 255))
    tones = np.log([each.tone for each in skins])
    nearest = np.linalg.norm(tones[:, None] - steps, axis=2).argmin(axis=1)
    share = np.bincount(nearest, minlength=10) / len(skins)
    assert share.min() > 0.02 and share.max() < 0.25


def test_label_has_the_tone_of_the_skin(skins) -> None:
    """The model's albedo of the label has the drawn tone, and so has the painted texture, where
    the skin is bare (median over forehead, cheeks and nose)."""
    model = load_model()
    bare = model.uv_mask("face") > 0.95
    for name in ("lips", "brows", "beard", "lids"):
        bare &= model.uv_mask(name) < 0.05
    label, painted = [], []
    for each in skins[:40]:
        colour = np.median(model.albedo(each.albedo)[bare], axis=0)
        label.append(np.abs(colour - each.tone) / (each.tone + 0.02))
        colour = np.median(each.texture[cv2.resize(bare.astype(np.uint8), (256, 256)) > 0], axis=0)
        painted.append(np.abs(np.log(colour / each.tone)))
    assert np.median(label) < 0.08 and np.max(label) < 0.6
    assert np.median(painted) < 0.1 and np.max(painted) < 0.5


def test_lamp_label_is_the_projected_cosine() -> None:
    """SH coefficients of max(0, n . l), by integration over the sphere."""
    towards = np.array([0.48, 0.6, 0.64])
    normals = _sphere()
    x, y, z = normals.T
    basis = np.sqrt(1 / np.pi) * np.stack(  # Ramamoorthi and Hanrahan 2001, eq. 3, exact factors
        [0.5 + 0 * x]
        + [np.sqrt(3) / 2 * each for each in (y, z, x)]
        + [np.sqrt(15) / 2 * each for each in (x * y, y * z)]
        + [np.sqrt(5) / 4 * (3 * z * z - 1), np.sqrt(15) / 2 * x * z]
        + [np.sqrt(15) / 4 * (x * x - y * y)]
    )
    integral = basis @ np.maximum(normals @ towards, 0) * 4 * np.pi / len(normals)
    colour = np.array([1.0, 0.5, 2.0])
    np.testing.assert_allclose(
        light.lamp_sh(towards, colour), integral[:, None] * colour, atol=2e-5
    )


def test_rotated_light_shades_rotated_normals_alike() -> None:
    turn = _turn((0.3, 0.9, -0.3), 1.1)
    normals = _sphere(200)
    before = shade(normals, light.STUDIO_LIGHTS[3].astype(float))
    after = shade(normals @ turn.T, light.rotate_sh(light.STUDIO_LIGHTS[3].astype(float), turn))
    np.testing.assert_allclose(after, before, atol=1e-5)


def test_light_stays_in_the_room_when_the_head_turns() -> None:
    """The same seed lights a turned head from the same side of the camera; exposure aside."""
    turned = FRONTAL @ _turn((0.0, 1.0, 0.0), 0.7)
    count = 0
    for seed in range(12):
        one = light.sample_light(FRONTAL, np.random.default_rng(seed))
        two = light.sample_light(turned, np.random.default_rng(seed))
        assert len(one.lamps) == len(two.lamps) <= 3
        count += len(one.lamps)
        for first, second in zip(one.lamps, two.lamps, strict=True):
            np.testing.assert_allclose(
                FRONTAL @ first.direction, turned @ second.direction, atol=1e-5
            )
    assert count > 6


def test_label_is_ambient_and_lamps() -> None:
    rng = np.random.default_rng(8)
    seen = []
    for _ in range(200):
        each = light.sample_light(FRONTAL, rng)
        lamps = sum(light.lamp_sh(lamp.direction, lamp.colour) for lamp in each.lamps)
        np.testing.assert_allclose(each.sh, each.ambient_sh + lamps, atol=1e-4)
        facing = shade(np.array([[0.0, 0.0, 1.0], [0.5, 0.0, 0.866], [-0.5, 0.0, 0.866]]), each.sh)
        seen.append(facing.mean())
    assert 0.7 < np.median(seen) < 1.4
    assert np.mean((np.array(seen) > 0.3) & (np.array(seen) < 2.5)) > 0.9


def test_shading_without_lamps_is_albedo_times_sh() -> None:
    rng = np.random.default_rng(4)
    normals = _sphere(500).astype(np.float32)
    albedo = rng.random((500, 3), np.float32)
    sh = light.sample_light(FRONTAL, rng).ambient_sh
    bare = light.Light(sh, sh, ())
    nothing, half = np.zeros(500, np.float32), np.full(500, 0.5, np.float32)
    pixels = light.shade_pixels(
        normals, normals, albedo, bare, np.zeros((500, 0)), nothing + 1, nothing, half
    )
    np.testing.assert_allclose(pixels, albedo * shade(normals, sh), rtol=1e-4, atol=1e-5)


def test_lamp_is_a_cosine_that_shadow_takes_away() -> None:
    normals = _sphere(2000).astype(np.float32)
    lamp = light.Lamp(np.array([0, 0, 1], np.float32), np.ones(3, np.float32), 0.0)
    lone = light.Light(np.zeros((9, 3), np.float32), np.zeros((9, 3), np.float32), (lamp,))
    count = len(normals)
    args = (normals, normals, np.ones((count, 3), np.float32), lone)
    ones, none = np.ones(count, np.float32), np.zeros(count, np.float32)
    lit = light.shade_pixels(*args, np.ones((count, 1)), ones, none, ones)
    # Green, away from the terminator; red reaches further around it.
    green, expected = lit[:, 1], np.maximum(normals[:, 2], 0)
    away = np.abs(normals[:, 2]) > 0.3
    np.testing.assert_allclose(green[away], expected[away], atol=0.01)
    edge = np.abs(normals[:, 2]) < 0.05
    assert (lit[edge, 0] > lit[edge, 2]).all()
    dark = light.shade_pixels(*args, np.zeros((count, 1)), ones, ones, ones)
    assert dark.max() == 0
    # A highlight sits where the mirror direction meets the lamp, smaller when smoother.
    view = np.tile(np.array([0, 0, 1], np.float32), (count, 1))
    sizes = []
    for rough in (0.3, 0.6):
        shiny = light.shade_pixels(
            normals, view, *args[2:], np.ones((count, 1)), ones, ones, rough * ones
        )
        highlight = (shiny - lit)[:, 1]
        assert normals[highlight.argmax(), 2] > 0.99
        sizes.append((highlight > highlight.max() / 2).sum())
    assert sizes[0] < sizes[1]


def test_backgrounds_are_light_of_any_kind() -> None:
    rng = np.random.default_rng(1)
    images = [background.sample_background(96, rng) for _ in range(60)]
    assert all(i.shape == (96, 96, 3) and i.dtype == np.float32 for i in images)
    assert all(np.isfinite(i).all() and i.min() >= 0 for i in images)
    means = np.array([i.mean() for i in images])
    assert means.min() < 0.05 and means.max() > 0.5
    assert background.sample_background(224, rng).shape == (224, 224, 3)


@pytest.mark.seconds
def test_development_keeps_the_picture() -> None:
    """Brightness and content survive; a few per cent are grey."""
    rng = np.random.default_rng(2)
    blocks = np.random.default_rng(0).uniform(0.03, 0.7, (4, 4, 1)) * [1.1, 0.9, 0.8]
    scene = np.kron(blocks, np.ones((16, 16, 1))).astype(np.float32)
    plain = np.array([0.2126, 0.7152, 0.0722]) @ (
        255 * (1.055 * scene.reshape(-1, 3) ** (1 / 2.4) - 0.055).T
    )
    shifts, likeness, grey = [], [], 0
    for _ in range(600):
        image = develop.develop(scene, rng)
        assert image.shape == scene.shape and image.dtype == np.uint8
        value = image.reshape(-1, 3) @ np.array([0.2126, 0.7152, 0.0722])
        shifts.append(value.mean() - plain.mean())
        likeness.append(np.corrcoef(value, plain)[0, 1])
        grey += bool(np.ptp(image, axis=2).max() == 0)
    assert abs(np.median(shifts)) < 15 and np.quantile(np.abs(shifts), 0.95) < 45
    assert np.quantile(likeness, 0.02) > 0.9
    assert 0.03 < grey / 600 < 0.1
