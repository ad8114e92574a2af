"""The colour of the teeth, where the photo shows some."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..align.teeth import look_between_lips
from ..model import FaceModel
from .eyes import middle_colour
from .layout import Float, Layout
from .view import View

#: Pixels of teeth (of a mouth scaled to 120 pixels) and their share of the opening below which they
#: tell no colour.
FEWEST, LEAST_SHARE = 150, 0.15
#: Quantiles of their brightness whose mean is taken: lips shade the rest, and saliva glints.
QUANTILES = (0.55, 0.9)
#: Bounds of the shift in brightness, log, and share of that in hue which is followed: light in a
#: mouth is red, and the few pixels there are are stained by lips and gums.
SHIFT, HUE = (-0.45, 0.3), 0.5


def teeth_colour(layout: Layout, view: View, log_shading: Float) -> Float | None:
    """(3,) log linear colour of the teeth with the face's light divided out; None where the photo
    shows too few, or none."""
    opening = look_between_lips(view.small_photo, view.landmarks)
    if opening is None:
        return None
    count = int(opening.teeth.sum())
    if count < max(FEWEST, LEAST_SHARE * len(opening.teeth)):
        return None
    light = log_shading[layout.regions.core > 0.5].mean(axis=0)
    return middle_colour(opening.colours[opening.teeth], *QUANTILES) - light


def tint_teeth(base: Float, model: FaceModel, colour: NDArray) -> None:
    """Shift the teeth of ``base`` (T, T, 3), log linear, towards the ``colour`` (3,) measured."""
    if "teeth" not in model.mask_names:
        return
    teeth = model.uv_mask("teeth")
    if not (teeth > 0.95).any():
        return
    shift = colour - np.median(base[teeth > 0.95], axis=0)
    brightness = shift.mean()
    shift = np.clip(brightness, *SHIFT) + HUE * (shift - brightness)
    base += teeth[..., None] * shift.astype(base.dtype)
