"""The last steps on the expressions: strengths, the tongue's way out, the mouth's shapes that are
moved together, crossings, the neck's edge.

Nothing but the expression basis changes, and all else has been made with the shapes before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from .crossings import Surface
from .head_mesh import MATERIALS
from .mouth_shapes import softened
from .regions import smooth_step
from .strengths import scaled
from .tongue import tongue_out
from .uncross import Straightener

if TYPE_CHECKING:
    from .assembly import FaceModel

NECK_MM = (11.0, 36.0)
"""From the neck's edge: up to where nothing moves, and from where all does. The first ring is 10 to
15 mm away."""
MIDDLE_MM = 8.0
"""From the middle, over which what both sides need goes over from one side's shape to the
other's."""
HEADS, SEED = 7, 20_261_130
"""The mean head and random ones, on whose teeth and eyes expressions are looked at."""
ON_TOP = {"mouthClose": "jawOpen"}
"""Shapes that correct another, and are looked at with it."""
LEFT_ALONE = ("eyeBlink", "tongueOut", "mouthRight", "jawRight")
"""Shapes that get no correction: each head has blinks of its own, where lids touch; the tongue's
way out is clear; the last two are mirror images."""


def with_late_steps(model: FaceModel) -> FaceModel:
    """The finished ``model`` with finished expressions."""
    names, mean = model.expression_names, model.mean
    shapes = scaled(model.expression_basis, names, mean)
    shapes[names.index("tongueOut")] = tongue_out(shapes, names, mean, model.topology.part)
    kinds = np.array(MATERIALS)[model.polygon_material]
    shapes = softened(shapes, names, mean, model.topology.polygons, kinds, model.lip_rings)
    surface = Surface.of(model.topology.polygons, kinds, model.lid_rings)
    rng = np.random.default_rng(SEED)
    identity = rng.normal(size=(HEADS, len(model.identity.basis)))
    identity[0] = 0.0
    heads = mean + np.tensordot(identity, model.identity.basis, 1)
    straightener = Straightener(heads, surface, model.topology.symmetry)
    shapes = uncrossed(shapes, names, straightener)
    shapes *= off_the_neck(mean, model.topology.neck_loop)[:, None]
    return replace(model, expression_basis=shapes)


def uncrossed(shapes: np.ndarray, names: Sequence[str], straightener: Straightener) -> np.ndarray:
    """``shapes`` (E, V, 3) that cross as little as may be, each at 1, and both sides' at once."""
    found = shapes.copy()
    to_left = smooth_step(straightener.heads[0, :, 0], -MIDDLE_MM, MIDDLE_MM)[:, None]
    mirror = straightener.symmetry
    for number, name in enumerate(names):
        if name.endswith("Right") or name.startswith(LEFT_ALONE):
            continue
        other = name.removesuffix("Left") + "Right"
        shape = shapes[number]
        if name in ("mouthLeft", "jawLeft"):
            change = straightener.correction(shape, symmetric=False)
            found[names.index(other)] += change[mirror] * [-1, 1, 1]
            found[number] += change
            continue
        if name.endswith("Left"):
            shape = shape + shapes[names.index(other)]
        if name in ON_TOP:
            shape = shape + found[names.index(ON_TOP[name])]
        change = straightener.correction(shape, symmetric=True)
        if name.endswith("Left"):
            found[number] += to_left * change
            found[names.index(other)] += (1 - to_left) * change
        else:
            found[number] += change
    return found


def off_the_neck(mean: np.ndarray, loop: np.ndarray) -> np.ndarray:
    """(V,) how much of an expression is left near the neck's edge ``loop`` (N,): nothing on it, so
    that a body can be joined there."""
    away = cKDTree(mean[loop]).query(mean)[0]
    return smooth_step(away, *NECK_MM)
