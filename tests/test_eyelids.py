"""The skin around the eyes: lashes that a photo shows on it are not part of it, eye shadow is."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.texture import eyelids
from reconstruct_face.backend.texture.layout import layout_of

from tests.test_neutral_texture import log_off, texels
from tests.test_texture import SIZE, Scene, paint, repaint


def from_edge(scene: Scene) -> np.ndarray:
    """(SIZE, SIZE) mm of the mean head from the lids' visible edges, up to 99; 99 off the skin and
    below the eyes."""
    model = scene.model
    assert model.lid_rings is not None
    edge = model.mean[model.lid_rings[:, 4].reshape(-1)]
    gap = np.linalg.norm(model.mean[:, None] - edge[None], axis=2)
    above = model.mean[:, 1] > edge[gap.argmin(axis=1), 1] + 0.5
    near = np.where(above, np.minimum(gap.min(axis=1), 20), 20)
    found = texels(scene, near)
    return np.where(found > 0, found, 99)


@pytest.mark.seconds
def test_lashes_over_a_lid_are_taken_out_and_eye_shadow_is_not() -> None:
    still = paint(seed=5)
    away = from_edge(still)
    lashes = np.exp(-0.5 * ((away - 6.0) / 0.9) ** 2)  # an arc beyond the crease
    mean, marks = still.model.mean, still.model.landmarks68
    on_cheek = (mean[marks[41]] + mean[marks[36]]) / 2 + (0, -22, 0)
    seen_face = np.flatnonzero(still.model.mask("face") > 0.9)
    on_cheek = mean[seen_face[np.linalg.norm(mean[seen_face] - on_cheek, axis=1).argmin()]]
    gap = np.linalg.norm(mean - on_cheek, axis=1)
    mole = texels(still, np.exp(-0.5 * (np.minimum(gap, 99) / 3.0) ** 2))
    shadow = np.clip((11 - away) / 2, 0, 1)
    dark = np.exp(-1.2 * np.maximum(lashes, mole))[..., None]

    def found(painted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen = replace(repaint(still, painted * still.albedo), albedo=still.albedo)
        texture = seen.texture(vertices_neutral=still.vertices)
        return log_off(texture, seen).mean(axis=2), texture.coverage > 0.5

    plain, _ = found(np.ones((SIZE, SIZE, 1)))
    off, covered = found(dark)
    arc = (lashes > 0.8) & covered
    assert arc.sum() > 300
    assert np.abs((off - plain)[arc]).mean() < 0.2, "of 1.1 that was painted"
    spot = (mole > 0.7) & covered
    assert spot.sum() > 30 and (off - plain)[spot].mean() < -0.5, "a mole beside the eye stays"
    off, covered = found(np.exp(-0.2 * shadow)[..., None])
    worn = (shadow > 0.9) & (away < 8) & covered
    assert worn.sum() > 300
    assert (off - plain)[worn].mean() < -0.06, "a part of an even shadow stays"


def test_a_narrow_line_goes_and_a_wide_shade_is_limited() -> None:
    """Skin of 0, with a line 4 texels wide and 1 deep, and shade of 0.5 on the eye's right half."""
    size = 120
    y, x = np.mgrid[:size, :size]
    eye = (np.hypot(x - 60, y - 60) < 40).astype(np.float32)
    colour = np.zeros((size, size, 3), np.float32)
    colour[:, 70:] -= 0.5 * eye[:, 70:, None]
    colour[58:62] -= 1.0
    seen = np.full((size, size), 0.8, np.float32)
    seen[40:50, 50:60] = 0.0  # a lid from its side
    detail = colour.copy(), seen.copy()
    none, ones = np.zeros_like(eye), np.ones_like(eye)
    weighted = colour * seen[..., None]
    eyelids.even_out(detail, seen, weighted, eye, none, ones, texel_mm=0.6)
    found = detail[0].mean(axis=2)
    assert np.abs(found[60, 30:50]).max() < 0.15
    assert np.abs(found[30:50, 35:50]).max() < 0.1
    assert -0.4 < found[45, 85] < -0.1, "some of the shade"
    np.testing.assert_array_equal(detail[0][eye == 0], colour[eye == 0])
    np.testing.assert_allclose(detail[1][45, 55], 0.8, atol=0.02)
    np.testing.assert_array_equal(detail[1][eye == 0], seen[eye == 0])


def test_the_skin_around_the_eyes_ends_below_the_brows() -> None:
    still = paint(seed=5)
    layout = layout_of(still.model, SIZE)
    around = eyelids.around_eyes(still.model, layout)
    brows = still.model.uv_mask("brows") > 0.6
    assert around[brows].max() < 0.1
    lids = (still.model.uv_mask("lids") > 0.9) & layout.small.mask
    assert np.median(around[lids]) > 0.9
    face, weights = layout.small.face_id, layout.small.barycentric
    place = (still.model.mean[still.model.faces[face]] * weights[..., None]).sum(axis=2)
    lips = cv2.erode((still.model.uv_mask("lips") > 0.5).astype(np.uint8), np.ones((3, 3))) > 0
    assert not around[lips].any()
    eyes = still.model.mean[still.model.landmarks68[36:48]]
    gap = np.linalg.norm(place[..., None, :] - eyes, axis=3).min(axis=2)
    assert not around[layout.small.mask & (gap > 22)].any()
    without = replace(still.model, lid_rings=None)
    assert not eyelids.around_eyes(without, layout_of(without, SIZE)).any()
