"""Hair on the scalp: where it is and what colour it has, seen in the photo and carried round.

The head model is bald.  A skull painted with the forehead's skin looks shaved, and a photo's
fringe that ends at a seam looks like a patch; so the unseen scalp takes the colour of the hair
that is seen, with the hairline of the photo where it is visible and the model's elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..model import FaceModel
from ..raster import interpolate
from .diffuse import diffuse
from .layout import Float, Layout, sample, smoothstep
from .trust import Trust, photo_weight, weighted_median
from .view import View

#: How much of the scalp that is seen must not look like skin: between, the hair is thin.
_THIN, _FULL = 0.05, 0.3
#: Strength of the hair when the picture ends below it.
_UNSEEN = 0.85


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
    unlike = 1 - sample(trust.like, small)
    colour = sample(trust.flat, small)
    hairy = seen * regions.hairable * smoothstep(0.5, 0.9, unlike)
    amount = _amount(model, layout, view, trust)
    middle = weighted_median(colour, hairy) if hairy.sum() > 3 else trust.dark
    spread = np.clip(colour - middle, -0.5, 0.5) + middle
    tint = diffuse(layout.edges, spread, hairy, middle, model.symmetry)
    # Seen hair below the hairline and seen skin above it move the hairline around them.
    moved = (smoothstep(0.4, 0.8, unlike) - regions.scalp * amount)[:, None]
    cover = diffuse(layout.edges, moved, seen * regions.hairable, np.zeros(1), model.symmetry)
    cover = cover[:, 0] * regions.hairable
    return Hair(cover.astype(np.float32), tint.astype(np.float32), amount)


def _amount(model: FaceModel, layout: Layout, view: View, trust: Trust) -> float:
    """0 bald .. 1 covered, from the pixels on which the model's scalp falls."""
    scalp = interpolate(view.raster, model.faces, layout.regions.scalp[:, None])[..., 0]
    # The outermost pixels may be background; a little in from there, hair or bald skin.
    top = (scalp > 0.5) & (trust.outline > 0.1)
    if top.sum() < 0.003 * view.face_size**2:
        return _UNSEEN
    share = float(1 - trust.like[top].mean())
    return float(smoothstep(_THIN, _FULL, np.array(share)))
