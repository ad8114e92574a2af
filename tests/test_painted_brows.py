"""One pair of eyebrows: the photo's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.texture.brows import brows_shown, without_brows
from reconstruct_face.backend.texture.layout import layout_of
from reconstruct_face.backend.texture.view import make_view

from tests.test_texture import SIZE, Scene, from_srgb, paint, repaint


def elsewhere(yaw: float) -> tuple[Scene, np.ndarray, np.ndarray]:
    """A face without brows where the model paints them, and dark ones above: both places."""
    scene = paint(seed=5, yaw=yaw)
    painted = cv2.resize(scene.model.uv_mask("brows"), (SIZE, SIZE))
    hole = cv2.dilate((painted > 0.05).astype(np.uint8), np.ones((13, 13), np.uint8))
    codes = np.round(255 * np.clip(scene.albedo, 0, 1)).astype(np.uint8)
    albedo = cv2.inpaint(codes, hole, 9, cv2.INPAINT_TELEA) / 255
    rows = int(0.03 * SIZE)  # of the map: about a centimetre on the face; row 0 is at its bottom
    real = np.roll(painted, rows, axis=0) > 0.5
    albedo[real] *= 0.3
    place = (painted > 0.5) & ~cv2.dilate(real.astype(np.uint8), np.ones((9, 9))).astype(bool)
    return repaint(scene, albedo), place, real


def missed(scene: Scene, where: np.ndarray) -> float:
    """Mean log of found over true albedo."""
    found = from_srgb(scene.texture().image[where] / 255.0)
    return float(np.log(np.maximum(found, 2e-3) / np.maximum(scene.albedo[where], 2e-3)).mean())


@pytest.mark.parametrize("yaw", [0.0, 30.0])
def test_bare_skin_hides_the_painted_brows(yaw: float, monkeypatch: pytest.MonkeyPatch) -> None:
    scene, place, real = elsewhere(yaw)
    assert place.sum() > 150
    with monkeypatch.context() as patched:  # as they would shine through
        patched.setattr("reconstruct_face.backend.texture.build.brows_shown", lambda *_: 0.0)
        before = missed(scene, place)
    after = missed(scene, place)
    assert before < -0.1  # darker than the skin
    assert abs(after) < 0.5 * abs(before)
    assert abs(missed(scene, real)) < 0.25  # the real ones are there


def test_painted_brows_stay_where_the_photo_shows_none() -> None:
    """Covered in the photo on both sides: theirs; shown on one side: the photo's on both."""
    scene = paint(seed=5)
    model = scene.model
    camera = scene.camera_matrix, scene.rotation, scene.translation
    view = make_view(model, scene.photo, scene.vertices, *camera, None, SIZE, None)
    seen = np.ones(view.raster.mask.shape, np.float32)
    left = seen * (view.to_small(view.pixels)[model.landmarks68[27], 0] < np.arange(seen.shape[1]))
    for weight, shown in ((0 * seen, 0.0), (seen, 1.0), (left.astype(np.float32), 1.0)):
        assert brows_shown(model, view, weight) == pytest.approx(shown, abs=0.05)


def test_brows_are_filled_with_the_skin_around() -> None:
    scene = paint(seed=5)
    model, layout = scene.model, layout_of(scene.model, SIZE)
    base = np.log(model.albedo(np.zeros(len(model.albedo_basis))))
    assert without_brows(base, model, layout, 0.0) is base
    found = without_brows(base, model, layout, 1.0)
    mask = model.uv_mask("brows")
    ring = cv2.dilate((mask > 0.05).astype(np.uint8), np.ones((31, 31))).astype(bool)
    ring &= ~cv2.dilate((mask > 0.02).astype(np.uint8), np.ones((13, 13))).astype(bool)
    ring &= model.uv_mask("lids") < 0.1
    assert base[mask > 0.8].mean() < base[ring].mean() - 0.3
    assert found[mask > 0.8].mean() == pytest.approx(base[ring].mean(), abs=0.1)
    far = cv2.dilate((mask > 0.02).astype(np.uint8), np.ones((61, 61))) == 0
    np.testing.assert_allclose(found[far], base[far], atol=1e-5)
    np.testing.assert_allclose(
        without_brows(base, model, layout, 0.5), (base + found) / 2, atol=1e-5
    )
