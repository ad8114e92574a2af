"""The .exr writer: what Blender reads of it is what was given."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from reconstruct_face.backend.exchange.exr import encode_exr
from reconstruct_face.scene.materials import packed_image


@pytest.mark.parametrize("shape", [(33, 20), (16, 16), (1, 5)])
def test_blender_reads_what_was_written(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    image = packed_image("height", encode_exr(values), ".exr")
    image.colorspace_settings.name = "Non-Color"
    assert image.is_float and tuple(image.size) == shape[::-1]
    pixels = np.empty(shape[0] * shape[1] * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    found = pixels.reshape(*shape, -1)[::-1, :, 0]  # Blender counts rows from below
    np.testing.assert_array_equal(found, values)
    bpy.data.images.remove(image)


def test_smooth_pictures_are_small() -> None:
    smooth = np.rint(np.linspace(0, 1, 256 * 256).reshape(256, 256) * 1024) / 1024
    assert len(encode_exr(smooth)) < 256 * 256
