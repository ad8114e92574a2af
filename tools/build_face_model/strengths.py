"""How far the shapes go at weight 1: as far as ICT-FaceKit's of the same names, 0.9 to 1.1 of them.

ICT-FaceKit (MIT licence) was measured, nothing of it is in the model. A weight from Apple's face
tracking, or of a viseme made for other heads, then says about the same here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .regions import smooth_step

SCALE = {
    "noseSneer": 1.89,
    "mouthLeft": 1.54,
    "mouthRight": 1.54,
    "mouthRollLower": 1.72,
    "mouthPress": 0.48,
    "cheekSquint": 0.62,
    "mouthPucker": 1.35,
    "browInnerUp": 1.25,
}
"""Shape, without its side -> factor on the source's. The first six are the inverse of the ratio of
the largest displacements, source over ICT, in units of the face's height (0.53, 0.65, 0.65, 0.58,
2.1, 1.6). The last two by the rms displacement of the 68 landmarks, heads scaled to the same
distance between landmarks 8 and 27: 0.72 and 0.76 before, by the largest displacement 0.74 and
0.85."""
BROW_SCALE = {"noseSneer": 1.0}
"""Factor above ``BROW_MM``, where the whole one would lower the brows more than ``browDown`` does
(7.4 against 5.7 mm); between the two heights it passes over."""
BROW_MM = (14.0, 34.0)
"""y on the mean head: under the inner corners of the eyes (19), and the inner brows (35)."""
ASIDE_LIDS = 2.2
"""Factor on how the lids follow ``eyeLookIn`` and ``eyeLookOut``: 0.45 of ICT's before."""
DOWN_LIDS, UP_LIDS = 0.7, 0.4
"""How much of ``eyeLookUp``'s lids, turned round, ``eyeLookDown`` gets, and of ``eyeWide``'s
``eyeLookUp``. The source's lower lid hardly follows a look down (0.5 mm, the opening falls from 8.3
to 5.5 mm) and its upper one a look up (1.3 mm, the opening falls to 7.2 mm). People's openings lose
a third at 40 degrees down (Read et al. 2006), so a fifth at 25. More of ``eyeWide`` would open an
eye that blinks while it looks up."""


def expression_scale(names: Sequence[str]) -> dict[str, float]:
    """Those of ``names`` that were scaled, with their factors."""
    return _by_name(SCALE, names)


def _by_name(table: dict[str, float], names: Sequence[str]) -> dict[str, float]:
    found = {}
    for name in names:
        for key in (name, name.removesuffix("Left").removesuffix("Right")):
            if key in table:
                found[name] = table[key]
    return found


def scaled(shapes: np.ndarray, names: Sequence[str], mean: np.ndarray) -> np.ndarray:
    """(E, V, 3) mm at weight 1: ``shapes`` (E, V, 3) by their factors; ``mean`` (V, 3) mm."""
    factors = np.ones(shapes.shape[:2])
    high = smooth_step(mean[:, 1], *BROW_MM)
    whole, at_brows = _by_name(SCALE, names), _by_name(BROW_SCALE, names)
    for number, name in enumerate(names):
        factor = whole.get(name, 1.0)
        factors[number] = factor + high * (at_brows.get(name, factor) - factor)
    return shapes * factors[..., None]


def with_lids_following(shapes: np.ndarray, names: Sequence[str], skin: np.ndarray) -> np.ndarray:
    """``shapes`` (E, V, 3) whose lids follow the eyes further; ``skin`` (V,) bool is what may."""
    found = shapes.copy()
    at = {name: shapes[number] * skin[:, None] for number, name in enumerate(names)}
    for number, name in enumerate(names):
        side = "Left" if name.endswith("Left") else "Right"
        if name.startswith(("eyeLookIn", "eyeLookOut")):
            found[number] += (ASIDE_LIDS - 1) * at[name]
        elif name.startswith("eyeLookDown"):
            found[number] -= DOWN_LIDS * at["eyeLookUp" + side]
        elif name.startswith("eyeLookUp"):
            found[number] += UP_LIDS * at["eyeWide" + side]
    return found
