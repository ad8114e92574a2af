"""``tongueOut`` with a mouth that lets the tongue pass: lips and teeth part, the tongue flattens.

The source moves the tongue alone, through closed lips and teeth.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .mouth import rigid_motion
from .regions import smooth_step

PARTED = {"jawOpen": 0.3, "mouthLowerDown": 0.4, "mouthUpperUp": 0.05}
"""How far other shapes are in ``tongueOut``, both sides. By a search over jaw (0.2 to 0.35), lips,
``WITH_JAW``, ``THIN`` and ``LIFT``: the least jaw at which the tongue meets neither lips nor teeth
on the mean head."""
WITH_JAW = 0.75
"""How far the tongue goes down with that jaw: it lies on the lower teeth."""
THIN, LIFT = 0.6, -0.5
"""Share of its height that the tongue keeps between the teeth, and mm by which it is raised."""
FORWARD = 5.0
"""mm that the tongue comes out further, as the jaw takes it back by 4."""
FORWARD_MM = (80.0, 98.0)
"""z from where on it does, and where all of it: before the teeth, so that no thicker part comes
between them."""
THIN_MM = (62.0, 80.0)
"""z of the tongue put out: from where on it grows thin, and where it is."""
WINDOW_MM = 9.0
"""Along z, in which the tongue's upper and lower sides are looked for."""


def tongue_out(
    shapes: np.ndarray, names: Sequence[str], mean: np.ndarray, part: np.ndarray
) -> np.ndarray:
    """(V, 3) mm, ``tongueOut`` at weight 1.

    Args:
        shapes: (E, V, 3) mm at weight 1, by ``names``.
        mean: (V, 3) mm.
        part: (V,) str, the part of each vertex.
    """
    tongue = np.flatnonzero(part == "tongue")
    lower = np.flatnonzero(np.isin(part, ("teeth_lower", "gums_lower")))
    shape = np.zeros_like(mean)
    for name, weight in PARTED.items():
        for one in (name, name + "Left", name + "Right"):
            if one in names:
                shape += weight * shapes[names.index(one)]
    # A part of a turn shrinks what it turns.
    shape[lower] = rigid_motion(mean[lower], shape[lower], mean[lower])
    shape[tongue] *= WITH_JAW
    shape[tongue] += shapes[names.index("tongueOut"), tongue]
    out = mean[tongue] + shape[tongue]
    along = np.arange(out[:, 2].min(), out[:, 2].max() + 1, 2.0)
    near = [out[np.abs(out[:, 2] - z) < WINDOW_MM, 1] for z in along]
    middle = [(heights.max() + heights.min()) / 2 for heights in near]
    off = out[:, 1] - np.interp(out[:, 2], along, middle)
    thin = smooth_step(out[:, 2], *THIN_MM)
    shape[tongue, 1] += thin * ((THIN - 1) * off + LIFT)
    shape[tongue, 2] += smooth_step(out[:, 2], *FORWARD_MM) * FORWARD
    return shape
