"""Hair on the scalp: where it is and what colour it has, seen in the photo and carried round.

The head model is bald.  A skull painted with the forehead's skin looks shaved, and a photo's
fringe that ends at a seam looks like a patch; so the unseen scalp takes the colour of the hair
that is seen, with the hairline of the photo where it is visible and the model's elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..model import FaceModel
from ..raster import interpolate
from .diffuse import diffuse
from .layout import Float, Layout, sample, smoothstep
from .trust import Trust, log_linear, photo_weight
from .view import View

#: How much of the scalp that is seen must not look like skin: between, the hair is thin.
_THIN, _FULL = 0.05, 0.2
#: Strength of the hair when the picture ends below it.
_UNSEEN = 0.85
#: Edges over which a hairline that is seen pulls the unseen one along.
_REACH_EDGES = 10.0
#: Log ratio of red and blue to green that hair does not exceed.
_MOST_CHROMA = 0.7


@dataclass(frozen=True, eq=False)
class Hair:
    """The hair as a layer over the skin, at the vertices."""

    cover: Float  #: (V,) -1..1 more, or less, than the model's own hairline gives
    colour: Float  #: (V, 3) log linear, light divided out
    amount: float  #: 0 bald .. 1: how far the model's hairline is followed where nothing is seen


def find_hair(model: FaceModel, layout: Layout, view: View, trust: Trust) -> Hair:
    """The :class:`Hair` seen in ``view``, diffused over the scalp."""
    regions = layout.regions
    small = view.to_small(view.pixels)
    seen = photo_weight(view, trust.clear, view.pixels, view.depth, view.facing)
    colour = sample(trust.flat, small)
    # Off the scalp only what is darker is hair: a highlight on the forehead is not.
    apart = (sample(trust.ratio, small) - trust.correction).mean(axis=1)
    unlike = (1 - sample(trust.like, small)) * np.maximum(
        regions.scalp, 1 - smoothstep(-0.5, -0.2, apart)
    )
    hairy = seen * regions.hairable * smoothstep(0.5, 0.9, unlike)
    fields = np.column_stack([regions.scalp, regions.hairable, regions.core, trust.correction])
    in_view = interpolate(view.raster, model.faces, fields)
    amount = _amount(view, trust, in_view)
    middle = _hair_colour(view, trust, in_view)
    spread = np.clip(colour - middle, -0.3, 0.3) + middle
    tint = diffuse(layout.edges, spread, hairy, middle, model.symmetry)
    # Seen hair below the hairline and seen skin above it move the hairline around them.
    moved = (smoothstep(0.4, 0.8, unlike) - regions.scalp * amount)[:, None]
    known = seen * regions.hairable
    cover = diffuse(layout.edges, moved, known, np.zeros(1), model.symmetry, _REACH_EDGES)
    cover = cover[:, 0] * regions.hairable
    return Hair(cover.astype(np.float32), tint.astype(np.float32), amount)


def _hair_colour(view: View, trust: Trust, seen: Float) -> NDArray:
    """(3,) log colour: the median of what is not skin on the scalp and just outside the head."""
    # Highlights are unlike skin too, but brighter: hair that is brighter than its skin is left
    # to the ring outside the head.
    darker = (trust.ratio - seen[..., 3:]).mean(axis=2) < -0.25
    inside = (seen[..., 1] > 0.6) & (trust.like < 0.2) & (trust.outline > 0.2) & darker
    ring = _around_scalp(view, seen, 0.0, 0.12)
    # Outside the head there is no surface to divide the light out of: take the face's mean.
    core = (seen[..., 2] > 0.5) & view.raster.mask
    observed = log_linear(view.small_photo)
    shading = (observed - trust.flat)[core].mean(axis=0) if core.any() else np.zeros(3)
    found, around = trust.flat[inside], observed[ring] - shading
    few = 0.004 * view.face_size**2
    beyond = observed[_around_scalp(view, seen, 0.2, 0.3)] - shading
    if len(beyond):
        # Where hair lies close to the skull the ring is background, like what is further out;
        # long hair reaches further out too, but then it is no brighter than the hairline's.
        kept = np.abs(around - np.median(beyond, axis=0)).max(axis=1) > 0.35
        if len(found) > few:
            kept |= (around - np.quantile(found, 0.1, axis=0)).max(axis=1) < 0.5
        around = around[kept]
    if len(found) <= few and len(around) <= few:
        return trust.dark
    if len(found) <= few:
        colour = np.median(around, axis=0)
    else:
        # Skin shines through at the hairline, so the darker part is nearer to the hair's colour.
        colour = np.quantile(found, 0.35, axis=0)
        if len(around) > 0.05 * view.face_size**2:
            out = np.clip(np.median(around, axis=0), colour - 1.4, colour + 0.8)
            colour = (colour + out) / 2
    # Underexposed hair loses blue altogether, which would paint the scalp blood red.
    return np.clip(colour, colour[1] - _MOST_CHROMA, colour[1] + _MOST_CHROMA)


def _amount(view: View, trust: Trust, seen: Float) -> float:
    """0 bald .. 1 covered, from the pixels on the model's scalp and from those just around it."""
    # The outermost pixels may be background; a little in from there, hair or bald skin.
    top = (seen[..., 0] > 0.5) & (trust.outline > 0.1)
    if top.sum() < 0.003 * view.face_size**2:
        return _UNSEEN
    share = float(1 - trust.like[top].mean())
    amount = float(smoothstep(_THIN, _FULL, np.array(share)))
    # Hair stands out from the skull: around a bald head lies the same as further away.
    observed = log_linear(view.small_photo)
    near, far = (observed[_around_scalp(view, seen, *reach)] for reach in ((0.0, 0.08), (0.2, 0.3)))
    enough = 0.004 * view.face_size**2
    if min(len(near), len(far)) > enough:
        step = np.abs(np.median(near, axis=0) - np.median(far, axis=0)).max()
        amount = max(amount, _UNSEEN * float(smoothstep(0.25, 0.6, step)))
    return amount


def _around_scalp(view: View, seen: Float, low: float, high: float) -> NDArray[np.bool_]:
    """(h, w) True outside the head, ``low`` to ``high`` faces away from the scalp's pixels."""
    scalp = (seen[..., 0] > 0.3).astype(np.uint8)
    if not scalp.any():
        return np.zeros(scalp.shape, bool)
    away = cv2.distanceTransform(1 - scalp, cv2.DIST_L2, 5) / view.face_size
    return (away > low) & (away <= high) & ~view.raster.mask & view.inside
