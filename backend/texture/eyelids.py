"""The skin around the eyes, as it is without the lashes and the liner that a photo shows on it.

A photo's lashes lie before the skin beyond a lid's crease, and where the fit is a millimetre or two
off they lie still further up.  Left there, they frame a lid that shuts.  So what is narrow and
differs from the skin around it is evened out around the eyes; what is wide, as eye shadow is, stays
within limits.  Lashes are on the mesh.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy.spatial import cKDTree

from ..kept import kept
from ..model import FaceModel
from .evening import on_texels, settle, weighted_mean
from .layout import Float, Layout, smoothstep

# Set by eye on six photos, of which three show dark lashes, one blue and one brown shadow.

#: Row of ``lid_rings`` that is the visible edge of a lid; by ``tools/build_face_model/rings.py``.
EDGE = 4
#: mm from there between which the skin stops to be the eye's; brows begin at 12 and are left
#: out.
_REACH_MM = (6.5, 10.5)
#: The same below the eye: the lashes there are short, and what the skin is like under them, its
#: shade and its bags, is the person's.
_BELOW_MM = (2.0, 5.0)
#: mm: what is narrower is a lash, or some that hang together, or their shade.
_LASHES_MM = 11.0
#: Log brightness by which a texel lies deeper than such a dent's rims, which then says little about
#: the skin.
_DEEP = 0.12
#: Standard deviations in mm of the means over the skin of the eye and over the skin around it.
_FINE_MM, _WIDE_MM = 3.0, 12.0
#: What stays of wide differences to the skin around, log: of brightness and of each channel.
_SHADOW, _SHADOW_CHROMA = 0.18, 0.15
#: Log by which fine structure may differ from the wide one: pores do, lashes do more.
_FINE = 0.07
#: Of that the share that stays where the photo shows a lid from its side.
_ON_LIDS = 0.25
_LEAST = 1e-3
#: Weight of the photo from which on its brightness says something.
_SEEN = 0.1


@kept(maxsize=2)
def around_eyes(model: FaceModel, layout: Layout) -> Float:
    """(T, T) 0..1 the skin around the eyes, brows apart; 0 where the model names no lids."""
    if model.lid_rings is None:
        return np.zeros(layout.small.mask.shape, np.float32)
    edge = model.mean[model.lid_rings[:, EDGE].ravel()]
    away, nearest = cKDTree(edge).query(model.mean)
    above = smoothstep(-1.0, 1.0, model.mean[:, 1] - edge[nearest, 1])
    upper, lower = (1 - smoothstep(*reach, away) for reach in (_REACH_MM, _BELOW_MM))
    near = (lower + above * (upper - lower)) * layout.skin_vertex
    if "brows" in model.mask_names:
        near = near * (1 - smoothstep(0.05, 0.5, model.mask("brows")))
    return on_texels(model, layout, near)


def even_out(
    detail: tuple[Float, Float],
    weight: Float,
    colour: Float,
    around: Float,
    lids: Float,
    plain: Float,
    texel_mm: float,
) -> None:
    """Even out the skin around the eyes in ``detail``: log over the ground (H, W, 3) and the
    photo's weight (H, W), both in place.

    The weight too: a lid that the photo shows from its side is of the colour of what it shows
    around.  All else is (h, w), smaller, and 0..1: the photo's ``weight``; ``around`` the eyes, of
    :func:`around_eyes`; ``lids`` that the photo shows too much from the side; ``plain`` skin.
    ``colour`` (h, w, 3) is that of ``detail``, times ``weight``; ``texel_mm`` the side of its
    texels.
    """
    zone = np.maximum(around, lids)
    if not zone.any():
        return
    even = _even(colour, weight, zone, plain, texel_mm)
    most = _FINE * (1 - (1 - _ON_LIDS) * lids)
    settle(detail, weight, zone, even, most, texel_mm)


def _even(colour: Float, weight: Float, zone: Float, plain: Float, texel_mm: float) -> Float:
    """(h, w, 3) the skin around the eyes without lashes."""
    # Where there is no other skin within reach, that of the eye itself is better than none.
    ground = np.maximum(plain * (1 - zone), _LEAST * zone)
    skin = weighted_mean(colour, weight * ground, ground, _WIDE_MM / texel_mm)
    bright = colour.mean(axis=2) / np.maximum(weight, _LEAST)
    bright = np.where(weight > _SEEN, bright, skin.mean(axis=2)).astype(np.float32)
    width = round(_LASHES_MM / texel_mm) // 2 * 2 + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    depth = cv2.morphologyEx(bright, cv2.MORPH_CLOSE, kernel) - bright
    believed = (zone * np.exp(-np.minimum(depth / _DEEP, 20))).astype(np.float32)
    shadow = weighted_mean(colour, weight * believed, believed, _FINE_MM / texel_mm) - skin
    middle = shadow.mean(axis=2, keepdims=True)
    hue = _SHADOW_CHROMA * np.tanh((shadow - middle) / _SHADOW_CHROMA)
    return (skin + _SHADOW * np.tanh(middle / _SHADOW) + hue).astype(np.float32)
