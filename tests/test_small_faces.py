"""Faces of few pixels: what JPEG makes of them is not painted on the skin."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.raster import rasterize
from reconstruct_face.backend.texture import neutral

from tests.test_neutral_texture import log_off
from tests.test_texture import SIZE, Scene, paint


def shrunk(scene: Scene, part: float, quality: int) -> Scene:
    """Its photo in ``part`` of the size, through a JPEG file."""
    small = cv2.resize(scene.photo, None, fx=part, fy=part, interpolation=cv2.INTER_AREA)
    encoded = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    photo = np.ascontiguousarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1])
    to_small = np.array([[part, 0, (part - 1) / 2], [0, part, (part - 1) / 2], [0, 0, 1]])
    camera_matrix = to_small @ scene.camera_matrix
    camera = scene.vertices @ scene.rotation.T + scene.translation
    raster = rasterize(camera, scene.model.faces, camera_matrix, photo.shape[1::-1])
    return replace(scene, photo=photo, camera_matrix=camera_matrix, raster=raster)


@pytest.mark.seconds
def test_blocks_of_a_small_jpeg_are_not_on_the_skin(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = shrunk(paint(seed=5), 0.25, 25)
    face = cv2.resize(scene.model.uv_mask("face"), (SIZE, SIZE)) > 0.9
    for name in ("lips", "brows", "lids", "nose"):
        face &= cv2.resize(scene.model.uv_mask(name), (SIZE, SIZE)) < 0.02

    def spots() -> float:
        # Of colour: of brightness the skin has some by itself, which such a photo does not show.
        texture = scene.texture()
        off = log_off(texture, scene).astype(np.float32)
        fine = off - cv2.GaussianBlur(off, (0, 0), 16)
        fine -= fine.mean(axis=2, keepdims=True)
        return float(fine[face & (texture.coverage > 0.8)].std())

    with_limits = spots()
    monkeypatch.setattr(neutral, "FINE_IF_SMALL", neutral.FINE_IF_LARGE)
    assert with_limits < 0.75 * spots()


def test_a_large_face_keeps_its_pores_and_freckles() -> None:
    assert neutral.fine_limits(neutral.LARGE_FACE) == neutral.FINE_IF_LARGE
    assert neutral.fine_limits(2000.0) == neutral.FINE_IF_LARGE
    assert neutral.fine_limits(30.0) == neutral.FINE_IF_SMALL
    between = neutral.fine_limits(110.0)
    assert neutral.FINE_IF_SMALL < between < neutral.FINE_IF_LARGE
