"""Fields and colours multiplied, averaged, blurred and enlarged by OpenCV, against plain numpy."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.geometry.triangles import area_vectors, dot, unit
from reconstruct_face.backend.texture.channels import mean_of, repeated, tripled, wide_blur
from reconstruct_face.backend.texture.layout import enlarged
from scipy.ndimage import gaussian_filter


@pytest.mark.parametrize("shape", [(5, 7), (11,), (0,)])
def test_a_field_stands_in_every_channel(shape: tuple[int, ...]) -> None:
    field = np.random.default_rng(0).random(shape)
    assert np.array_equal(tripled(field), np.repeat(field[..., None], 3, axis=-1))
    assert np.array_equal(repeated(field, 4), np.repeat(field[..., None], 4, axis=-1))


@pytest.mark.parametrize("shape", [(5, 7, 3), (11, 3), (0, 3)])
def test_the_mean_is_that_of_the_channels(shape: tuple[int, ...]) -> None:
    colour = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    assert mean_of(colour) == pytest.approx(colour.mean(axis=-1), abs=1e-6)


@pytest.mark.parametrize("sigma", [1.5, 8.0, 9.0, 17.0, 34.1])
def test_a_wide_blur_is_a_gaussian_with_black_around(sigma: float) -> None:
    picture = np.random.default_rng(2).random((203, 331)).astype(np.float32)
    picture[:, :150] = 0
    true = gaussian_filter(picture, sigma, mode="constant", truncate=6)
    found = wide_blur(picture, sigma)
    assert found.shape == picture.shape
    assert np.sqrt(np.mean((found - true) ** 2)) < 0.01 * true.std()


@pytest.mark.parametrize("side", [64, 128, 256, 96, 40])
def test_a_part_is_enlarged_as_the_whole_is(side: int) -> None:
    picture = np.random.default_rng(3).random((64, 64, 3)).astype(np.float32)
    whole = cv2.resize(picture, (side, side), interpolation=cv2.INTER_LINEAR)
    for box in ((slice(0, 9), slice(0, side)), (slice(side - 11, side), slice(5, side - 3))):
        # warpAffine, which takes what is no whole factor, places pixels by 32nds.
        assert enlarged(picture, side, box) == pytest.approx(whole[box], abs=0.035)
        if side % 64 == 0:
            assert enlarged(picture, side, box) == pytest.approx(whole[box], abs=1e-6)


def test_vectors_are_worked_out_axis_by_axis() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(2, 4, 50, 3))
    assert dot(a, b) == pytest.approx(np.einsum("...i,...i->...", a, b))
    assert np.linalg.norm(unit(a), axis=-1) == pytest.approx(np.ones((4, 50)))
    assert unit(np.zeros((2, 3))) == pytest.approx(np.zeros((2, 3)))
    vertices, triangles = rng.normal(size=(30, 3)), rng.integers(0, 30, (40, 3))
    p, q, r = (vertices[triangles[:, k]] for k in range(3))
    assert area_vectors(vertices, triangles) == pytest.approx(np.cross(q - p, r - p))
