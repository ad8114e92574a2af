"""The lips where they touch: without the dark line between them and the shade of their corners.

A photo shows the line of a shut mouth as dark as the mouth, and of a smile the shade in its
corners.  On the head both lie on the lips' red and are seen as stains when the mouth opens.  What
the lips are like beside it continues to where they meet and behind, where a photo shows them from
the side at most.  Highlights on them belong to a lamp of the photo.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ..kept import kept
from ..model import FaceModel
from .channels import mean_of, tripled
from .evening import on_texels, settle, weighted_mean
from .layout import Float, Layout, bands, box_of, enlarged, scaled, smoothstep

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
#: Log brightness by which a highlight is over the lips, about; half of it is left.
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
    believed = 1 - line
    even = weighted_mean(colour, weight * believed, believed, _BESIDE_MM / texel_mm)
    like = _like_lips(colour, weight, believed * lips, texel_mm)
    if like is not None:
        even += tripled(lips) * (like - even)  # skin beside them would make lips pale
    settle(detail, weight, line, even, np.full_like(line, _FINE), texel_mm)
    if like is not None:
        _dull(detail[0], lips, like)


def _like_lips(colour: Float, weight: Float, red: Float, texel_mm: float) -> Float | None:
    """(h, w, 3) what the lips are like, by their ``red`` (h, w) 0..1 that is believed, without
    highlights; None where the photo shows too little of it."""
    seen = (weight > 0.5) & (red > 0.5)
    if seen.sum() * texel_mm**2 < _ENOUGH_MM2:
        return None
    bright = mean_of(colour) / np.maximum(weight, _LEAST)
    glossy = np.maximum(bright - np.median(bright[seen]), 0)
    red = red * np.exp(-((glossy / _GLOSS) ** 2))
    return weighted_mean(colour, weight * red, red, _LIPS_MM / texel_mm)


def _dull(there: Float, lips: Float, like: Float) -> None:
    """Take highlights off the ``lips`` (h, w) of ``there`` (H, W, 3), in place: they belong to a
    lamp of the photo.  ``like`` (h, w, 3) is what lips without them are like."""
    box = box_of(lips, 1)
    if box is None:
        return
    for band in bands(scaled(box, len(there) / len(lips))):
        plain = enlarged(like, len(there), band)
        over = mean_of(there[band] - plain)
        share = enlarged(lips, len(there), band) * smoothstep(0.5 * _GLOSS, 2 * _GLOSS, over)
        there[band] += tripled(share) * (plain + 0.5 * _GLOSS - there[band])
