"""How the accuracy set's pictures are developed: exposure, highlights, noise, blur."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tools.make_accuracy_set import develop

Arrays = dict[str, np.ndarray]


class Silent:
    """A generator whose noise is none."""

    def normal(self, size: tuple[int, ...]) -> np.ndarray:
        return np.zeros(size)


def linear_of(encoded: np.ndarray) -> np.ndarray:
    """sRGB 0..1 to linear light, IEC 61966-2-1."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize(("tone", "level"), [(0.0, 0.42), (5.0, 0.22), (9.0, 0.075)])
def test_the_face_is_exposed_to_its_tone_whatever_the_light(tone: float, level: float) -> None:
    scene = np.full((20, 30, 3), 0.4)
    scene[:, 15:] = 6.0  # a bright window that the exposure is not for
    face = np.zeros((20, 30), bool)
    face[5:15, 3:10] = True
    found = []
    for brightness in (0.1, 10.0):
        for seed in range(40):
            made = develop.develop(
                brightness * scene,
                face,
                tone,
                np.random.default_rng(seed),
                Silent(),  # type: ignore[arg-type]
            )
            assert made.min() >= 0 and made.max() <= 1
            found.append(np.log(linear_of(made[10, 6])).mean())
    half = len(found) // 2
    np.testing.assert_allclose(found[:half], found[half:], atol=1e-9)
    # The exposure of a photographer errs by a fifth or so, either way.
    assert np.exp(np.mean(found)) == pytest.approx(level, rel=0.1)
    assert 0.12 < np.std(found) < 0.3


def test_highlights_are_bent_not_cut_off() -> None:
    ramp = np.repeat(np.linspace(0, 3, 400)[None, :, None], 3, axis=2).repeat(8, axis=0)
    face = np.zeros(ramp.shape[:2], bool)
    face[:, 50:60] = True  # about 0.41: of the lightest tone
    made = develop.develop(ramp, face, 0.0, np.random.default_rng(3), Silent())  # type: ignore[arg-type]
    row = linear_of(made[4, 5:-5])
    assert (np.diff(row, axis=0) > 0).all(), "darker is darker up to the brightest"
    below = row[:, 1] < 0.6
    slope = np.diff(row[:, 1])
    np.testing.assert_allclose(slope[below[1:]], slope[0], rtol=0.02)  # linear below the shoulder
    assert slope[-1] < 0.2 * slope[0] and row.max() < 1


def test_noise_is_drawn_apart_from_the_rest_and_grows_with_the_light() -> None:
    scene = np.full((120, 120, 3), 0.05)
    scene[:, 60:] = 0.5
    face = np.ones((120, 120), bool)

    def made(seed: int, noise: int | None) -> np.ndarray:
        rng = None if noise is None else np.random.default_rng(noise)
        return develop.develop(scene, face, 5.0, np.random.default_rng(seed), rng)

    one, other = made(1, 7), made(1, 8)
    assert np.array_equal(one, made(1, 7)) and not np.array_equal(one, other)
    np.testing.assert_allclose(one.mean(axis=(0, 1)), other.mean(axis=(0, 1)), atol=2e-3)
    assert not np.allclose(one.mean(axis=(0, 1)), made(2, 7).mean(axis=(0, 1)), atol=2e-3)
    sides = [linear_of(part).std(axis=(0, 1)).mean() for part in (one[:, :50], one[:, 70:])]
    assert sides[0] < sides[1]
    assert np.array_equal(made(1, None), made(1, None))


@pytest.mark.parametrize("sigma", [0.3, 0.6, 0.9])
def test_the_blur_is_scipys(sigma: float) -> None:
    given = np.random.default_rng(0).random((17, 23, 3))
    expected = np.stack(
        [gaussian_filter(given[..., k], sigma, mode="nearest", radius=3) for k in range(3)], -1
    )
    np.testing.assert_allclose(develop._blur(given, sigma), expected, atol=1e-12)
