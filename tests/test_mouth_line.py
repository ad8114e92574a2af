"""The lips where they touch: a shut mouth's dark line is no colour of theirs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from reconstruct_face.backend.texture import mouth_line
from reconstruct_face.backend.texture.layout import layout_of

from tests.test_neutral_texture import log_off, texels
from tests.test_texture import SIZE, paint, repaint


@pytest.mark.seconds
def test_the_line_and_the_corners_go_and_lipstick_stays() -> None:
    still = paint(seed=5)
    model = still.model
    assert model.lip_rings is not None
    rings = model.mean[model.lip_rings[3:5].ravel()]
    gap = np.linalg.norm(model.mean[:, None] - rings[None], axis=2).min(axis=1)
    away = texels(still, np.minimum(gap, 20) + 0.01)
    away[away == 0] = 99
    lips = texels(still, model.mask("lips")) > 0.9
    line = np.exp(-0.5 * (away / 1.2) ** 2)

    def found(log: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen = repaint(still, np.exp(log)[..., None] * still.albedo)
        texture = replace(seen, albedo=still.albedo).texture(vertices_neutral=still.vertices)
        return log_off(texture, still), texture.coverage > 0.5

    plain, _ = found(np.zeros((SIZE, SIZE)))
    off, seen = found(-1.5 * line)
    dark = (line > 0.7) & lips & seen
    assert dark.sum() > 100
    assert np.abs((off - plain)[dark].mean()) < 0.35, "of 1.3 that was painted"
    off, seen = found(-0.5 * lips.astype(float))
    red = lips & seen & (away > 4)
    inner = lips & seen & (away < 2)
    assert min(red.sum(), inner.sum()) > 100
    assert (off - plain)[red].mean() < -0.3
    assert (off - plain)[inner].mean() < -0.22, "darker lips are so up to their line"


def test_the_weight_goes_on_behind_the_line() -> None:
    """A lip of 0.4 that is shown down to row 50, with a dark line at its end."""
    colour = np.full((90, 90, 3), 0.4, np.float32)
    weight = np.ones((90, 90), np.float32)
    weight[50:] = 0
    colour[46:50, 10:80] = -2.0
    colour[50:] = 0
    line = np.zeros_like(weight)
    line[44:60, 10:80] = 1
    detail = colour.copy(), weight.copy()
    lips = np.ones_like(weight)
    mouth_line.even_line(detail, weight, colour * weight[..., None], line, lips, texel_mm=0.6)
    np.testing.assert_allclose(detail[0][46:58, 20:70], 0.4, atol=0.1)
    assert detail[1][46:58, 20:70].min() > 0.9
    np.testing.assert_array_equal(detail[0][line == 0], colour[line == 0])
    before = colour.copy(), weight.copy()
    mouth_line.even_line(before, weight, colour, np.zeros_like(line), lips, texel_mm=0.6)
    np.testing.assert_array_equal(before[0], colour)


def test_a_narrow_red_edge_gives_the_lips_their_colour() -> None:
    """A smile shows 4 mm of red between skin and the line, with a highlight on it."""
    red = np.array([0.1, -0.5, -0.3], np.float32)
    colour = np.zeros((90, 120, 3), np.float32)
    colour[40:47] = red
    colour[42:45, 50:60] += 0.9
    weight = np.ones((90, 120), np.float32)
    weight[47:] = 0
    colour[47:] = 0
    lips, line = np.zeros_like(weight), np.zeros_like(weight)
    lips[40:70], line[47:70] = 1, 1
    detail = colour.copy(), weight.copy()
    mouth_line.even_line(detail, weight, colour * weight[..., None], line, lips, texel_mm=0.6)
    np.testing.assert_allclose(
        detail[0][50:60, 20:100], np.broadcast_to(red, (10, 80, 3)), atol=0.12
    )
    shine = detail[0][42:45, 50:60] - red
    assert np.abs(shine.mean(axis=2)).max() < 0.2 and np.ptp(shine, axis=2).max() < 0.1
    bare = colour.copy(), weight.copy()
    none = np.zeros_like(lips)
    mouth_line.even_line(bare, weight, colour * weight[..., None], line, none, texel_mm=0.6)
    assert bare[0][50:60, 20:100, 1].mean() > -0.45, "beside skin they were paler"


def test_it_lies_between_the_lips() -> None:
    model = paint(seed=5).model
    layout = layout_of(model, SIZE)
    line = mouth_line.around_line(model, layout)
    assert line.max() > 0.95
    for name in ("nose", "brows", "lids", "mouth"):
        assert line[model.uv_mask(name) > 0.5].max() < 0.05
    lips = (model.uv_mask("lips") > 0.5).sum()
    assert 0.3 * lips < line.sum() < 2.5 * lips
    without = replace(model, lip_rings=None)
    assert not mouth_line.around_line(without, layout_of(without, SIZE)).any()
