"""The lips where they touch: without the dark line between them and the shade of their corners.

A photo shows the line of a shut mouth as dark as the mouth, and of a smile the shade in its
corners.  On the head both lie on the lips' red and are seen as stains when the mouth opens.  What
the lips are like beside it continues to where they meet and behind, where a photo shows them from
the side at most.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ..kept import kept
from ..model import FaceModel
from .channels import mean_of, tripled
from .evening import on_texels, settle, weighted_mean
from .layout import Float, Layout, smoothstep

# Set by eye on six photos, of which two show teeth.

#: Rows of ``lip_rings`` that are behind or at the line where lips touch.
_BEHIND = 4
#: mm from there, and from the corners, between which lips are believed.
_LINE_MM, _CORNER_MM = (1.0, 4.0), (4.0, 8.0)
#: Standard deviation in mm of the mean over what is believed.
_BESIDE_MM = 5.0
#: The same over the lips, of which a smile shows a narrow edge, and mm^2 of them that have to be
#: seen.
_LIPS_MM, _ENOUGH_MM2 = 12.0, 20.0
#: Log brightness by which a lip's highlight is over the lips' median.
_GLOSS = 0.15
_LEAST = 1e-3
#: Log by which the line may still differ.
_FINE = 0.08


@kept(maxsize=2)
def around_line(model: FaceModel, layout: Layout) -> Float:
    """(T, T) 0..1 the skin where lips touch; 0 where the model names no rings of lips."""
    small = layout.small
    if model.lip_rings is None:
        return np.zeros(small.mask.shape, np.float32)
    rings, mean = model.lip_rings[: _BEHIND + 1], model.mean
    ends = rings[:, [np.argmin(mean[rings[-1], 0]), np.argmax(mean[rings[-1], 0])]]
    near = np.zeros(len(mean), np.float32)
    for ids, reach in ((rings, _LINE_MM), (ends, _CORNER_MM)):
        away = cKDTree(mean[ids.ravel()]).query(mean)[0]
        near = np.maximum(near, 1 - smoothstep(*reach, away))
    near *= layout.skin_vertex
    found = on_texels(model, layout, near)
    found[small.mask] *= layout.skin_face[small.face_id[small.mask]]
    return found


def even_line(
    detail: tuple[Float, Float],
    weight: Float,
    colour: Float,
    line: Float,
    lips: Float,
    texel_mm: float,
) -> None:
    """Even out the lips where they touch in ``detail``: log over the ground (H, W, 3) and the
    photo's weight (H, W), in place.

    ``weight`` (h, w) is the photo's, ``colour`` (h, w, 3) that of ``detail`` times it, ``line``
    (h, w) of :func:`around_line`, ``lips`` (h, w) 0..1 their red; ``texel_mm`` the side of a texel
    of them.
    """
    if not line.any():
        return
    even = _beside(colour, weight, 1 - line, lips, texel_mm)
    settle(detail, weight, line, even, np.full_like(line, _FINE), texel_mm)


def _beside(colour: Float, weight: Float, believed: Float, lips: Float, texel_mm: float) -> Float:
    """(h, w, 3) what is ``believed`` around; on the ``lips`` what the lips are like, where the
    photo shows enough of them: skin beside them would make them pale."""
    around = weighted_mean(colour, weight * believed, believed, _BESIDE_MM / texel_mm)
    red = believed * lips
    seen = (weight > 0.5) & (red > 0.5)
    if seen.sum() * texel_mm**2 < _ENOUGH_MM2:
        return around
    # A highlight is no colour of lips.
    bright = mean_of(colour) / np.maximum(weight, _LEAST)
    glossy = np.maximum(bright - np.median(bright[seen]), 0)
    red *= np.exp(-((glossy / _GLOSS) ** 2))
    like = weighted_mean(colour, weight * red, red, _LIPS_MM / texel_mm)
    return around + tripled(lips) * (like - around)
