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

# Set by eye.  On 24 drawn heads with true geometry (tools/measure_sensitivity) 0.7 and 1.4 times
# each changes the errors of the cover (0.23) and of the hair's log colour (0.41) by at most 4 %,
# unless said.

# How much of the head is covered.
#: How much of the scalp that is seen must not look like skin: between, the hair is thin.
THIN_TO_FULL = (0.05, 0.2)
#: Strength of the hair when the picture ends below it.  With 1 the cover's error is 3 % (+- 1 %)
#: less on drawn heads, of which nine in ten have hair.
UNSEEN = 0.85
#: Step in log colour from just outside the scalp to further away, between which hair that stands
#: off the skull counts up to ``UNSEEN``.
STANDING_OFF = (0.25, 0.6)
#: Edges over which a hairline that is seen pulls the unseen one along.
REACH_EDGES = 10.0

#: Over the brows, in faces, between which roots may begin where hair covers the hairline.
HAIRLINES = (0.16, 0.26)

# What is hair, by how unlike skin it is (0..1): the second for where there is hair, the first,
# stricter, for what colour it has.
UNLIKE_FOR_COLOUR = (0.5, 0.9)
UNLIKE_FOR_COVER = (0.4, 0.8)
#: Log brightness above the skin's between which, off the scalp, a pixel that is darker stops being
#: hair: a highlight on the forehead is none.
DARKER = (-0.5, -0.2)

# What colour it has, in logarithms of linear light.
#: Brightness against the skin's above which a pixel on the scalp may be a highlight.
HIGHLIGHT = -0.25
#: Quantile of the colours on the scalp: skin shines through at the hairline, so the darker part is
#: nearer to the hair's colour.  0.25 is 5 % (+- 2 %) better on drawn heads, 0.5 is 7 % worse.
QUANTILE = 0.35
#: What is seen around the head stands out so far from what is seen further away where it is hair.
STANDS_OUT = 0.35
#: Or is no brighter by more than this than the hairline's darker part (the second: its quantile).
AS_DARK, _HAIRLINE_QUANTILE = 0.5, 0.1
#: The colour around the head counts no darker and no lighter than this against the scalp's.
AROUND = (-1.4, 0.8)
#: Colours of strands differ by so much from the hair's.
STREAKS = 0.3
#: Log ratio of red and blue to green that hair does not exceed.
MOST_CHROMA = 0.7

# Where it is looked for, in faces from the scalp's pixels, outside the head.
#: A ring for the colour of 0.08 is 5 % (+- 2 %) better on drawn heads.
RING_FOR_COLOUR, RING_FOR_COVER = (0.0, 0.12), (0.0, 0.08)
BEYOND = (0.2, 0.3)
#: Pixels by the square of the face's size that are enough: for a colour, on the scalp for a share,
#: and in the ring to have a say beside the scalp.
_FEW, _FEW_ON_TOP, _MANY_AROUND = 0.004, 0.003, 0.05


@dataclass(frozen=True, eq=False)
class Hair:
    """The hair as a layer over the skin, at the vertices."""

    cover: Float  #: (V,) -1..1 more, or less, than the model's own hairline gives
    colour: Float  #: (V, 3) log linear, light divided out
    amount: float  #: 0 bald .. 1: how far the model's hairline is followed where nothing is seen


def find_hair(
    model: FaceModel, layout: Layout, view: View, trust: Trust, *, painted: bool = True
) -> Hair:
    """The :class:`Hair` seen in ``view``, diffused over the scalp.

    Not ``painted`` it is alone where strands grow from, and no fringe.
    """
    regions = layout.regions
    small = view.to_small(view.pixels)
    seen = photo_weight(view, trust.clear, view.pixels, view.depth, view.facing)
    colour = sample(trust.flat, small)
    apart = (sample(trust.ratio, small) - trust.correction).mean(axis=1)
    unlike = (1 - sample(trust.like, small)) * np.maximum(
        regions.scalp, 1 - smoothstep(*DARKER, apart)
    )
    hairy = seen * regions.hairable * smoothstep(*UNLIKE_FOR_COLOUR, unlike)
    fields = np.column_stack([regions.scalp, regions.hairable, regions.core, trust.correction])
    in_view = interpolate(view.raster, model.faces, fields)
    amount = _amount(view, trust, in_view)
    middle = _hair_colour(view, trust, in_view)
    spread = np.clip(colour - middle, -STREAKS, STREAKS) + middle
    tint = diffuse(layout.graph, spread, hairy, middle, model.symmetry)
    # Seen hair below the hairline and seen skin above it move the hairline around them.
    moved = (smoothstep(*UNLIKE_FOR_COVER, unlike) - regions.scalp * amount)[:, None]
    if not painted:
        marks = model.mean[model.landmarks68, 1]
        brows = float(marks[17:27].mean())
        rooted = upper_forehead(model.mean, brows, brows - float(marks[8]))
        rooted = np.maximum(regions.scalp, rooted * regions.forehead)
        moved = np.where(moved > 0, moved * rooted[:, None], moved)
    known = seen * regions.hairable
    cover = diffuse(layout.graph, moved, known, np.zeros(1), model.symmetry, REACH_EDGES)
    cover = cover[:, 0] * regions.hairable
    return Hair(cover.astype(np.float32), tint.astype(np.float32), amount)


def upper_forehead(vertices: NDArray, brows: float, face: float) -> NDArray:
    """(V,) 0..1 the part of the forehead above which hair may have its roots where it covers the
    model's hairline: by the height y of ``vertices`` (V, 3) over the ``brows``' (y), in parts of
    ``face``, brows to chin (mm)."""
    return smoothstep(brows + HAIRLINES[0] * face, brows + HAIRLINES[1] * face, vertices[:, 1])


def _hair_colour(view: View, trust: Trust, seen: Float) -> NDArray:
    """(3,) log colour: the median of what is not skin on the scalp and just outside the head."""
    # Highlights are unlike skin too, but brighter: hair that is brighter than its skin is left
    # to the ring outside the head.
    darker = (trust.ratio - seen[..., 3:]).mean(axis=2) < HIGHLIGHT
    inside = (seen[..., 1] > 0.6) & (trust.like < 0.2) & (trust.outline > 0.2) & darker
    ring = _around_scalp(view, seen, *RING_FOR_COLOUR)
    # Outside the head there is no surface to divide the light out of: take the face's mean.
    core = (seen[..., 2] > 0.5) & view.raster.mask
    observed = log_linear(view.small_photo)
    shading = (observed - trust.flat)[core].mean(axis=0) if core.any() else np.zeros(3)
    found, around = trust.flat[inside], observed[ring] - shading
    few = _FEW * view.face_size**2
    beyond = observed[_around_scalp(view, seen, *BEYOND)] - shading
    if len(beyond):
        # Where hair lies close to the skull the ring is background, like what is further out;
        # long hair reaches further out too, but then it is no brighter than the hairline's.
        kept = np.abs(around - np.median(beyond, axis=0)).max(axis=1) > STANDS_OUT
        if len(found) > few:
            hairline = np.quantile(found, _HAIRLINE_QUANTILE, axis=0)
            kept |= (around - hairline).max(axis=1) < AS_DARK
        around = around[kept]
    if len(found) <= few and len(around) <= few:
        return trust.dark
    if len(found) <= few:
        colour = np.median(around, axis=0)
    else:
        colour = np.quantile(found, QUANTILE, axis=0)
        if len(around) > _MANY_AROUND * view.face_size**2:
            low, high = AROUND
            out = np.clip(np.median(around, axis=0), colour + low, colour + high)
            colour = (colour + out) / 2
    # Underexposed hair loses blue altogether, which would paint the scalp blood red.
    return np.clip(colour, colour[1] - MOST_CHROMA, colour[1] + MOST_CHROMA)


def _amount(view: View, trust: Trust, seen: Float) -> float:
    """0 bald .. 1 covered, from the pixels on the model's scalp and from those just around it."""
    # The outermost pixels may be background; a little in from there, hair or bald skin.
    top = (seen[..., 0] > 0.5) & (trust.outline > 0.1)
    if top.sum() < _FEW_ON_TOP * view.face_size**2:
        return UNSEEN
    share = float(1 - trust.like[top].mean())
    amount = float(smoothstep(*THIN_TO_FULL, np.array(share)))
    # Hair stands out from the skull: around a bald head lies the same as further away.
    observed = log_linear(view.small_photo)
    near, far = (observed[_around_scalp(view, seen, *reach)] for reach in (RING_FOR_COVER, BEYOND))
    enough = _FEW * view.face_size**2
    if min(len(near), len(far)) > enough:
        step = np.abs(np.median(near, axis=0) - np.median(far, axis=0)).max()
        amount = max(amount, UNSEEN * float(smoothstep(*STANDING_OFF, step)))
    return amount


def _around_scalp(view: View, seen: Float, low: float, high: float) -> NDArray[np.bool_]:
    """(h, w) True outside the head, ``low`` to ``high`` faces away from the scalp's pixels."""
    scalp = (seen[..., 0] > 0.3).astype(np.uint8)
    if not scalp.any():
        return np.zeros(scalp.shape, bool)
    away = cv2.distanceTransform(1 - scalp, cv2.DIST_L2, 5) / view.face_size
    return (away > low) & (away <= high) & ~view.raster.mask & view.inside
