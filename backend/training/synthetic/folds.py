"""Folds of the skin that come with an expression, a person's own, in a training picture.

Where skin folds, and across what, :mod:`...texture.wrinkles` says; how deep, how wide and just
where is each person's, so that no network learns one pattern.  Amounts are set by eye, beside crops
of people of 20 to 70 years: young skin hardly folds, old skin has lines at rest too.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ...exchange.wrinkles import DEEPEST_MM, GROUPS
from ...model import FaceModel
from ...texture.wrinkles import wrinkle_maps

Float = NDArray[np.float32]
Rng = np.random.Generator

#: Side of the maps: a texel is 0.66 mm of the face.
SIZE = 512
#: Share of the people whose skin does not fold; the greatest depth of the others' folds, in
#: ``DEEPEST_MM``, and how the depths up to that are spread (the beta distribution's two numbers).
SMOOTH_SHARE, DEEPEST, DEPTHS = 0.3, 1.9, (1.1, 1.7)
#: Standard deviation of the logarithm of how deep one group of folds is beside the others.
_UNEVEN = 0.35
#: The part of a person's folds that stays at rest, at most, and of what depth on.
_AT_REST, _AT_REST_FROM = 0.5, 0.65
#: Texels by which a person's lines lie elsewhere, standard deviation, and places along a side
#: between which that is interpolated.
_ASTRAY, _PLACES = 7.0, 11
#: Texels, the standard deviation by which folds are wider than the maps' lines: from, to.
_WIDTHS = (0.3, 1.3)
#: How much darker the ground of a fold is than the skin, as a logarithm for each ``DEEPEST_MM``.
_DARKER = (0.05, 0.2)


def sample_folds(model: FaceModel, expression: NDArray, rng: Rng) -> Float | None:
    """(SIZE, SIZE, 3) of one person's skin at the weights ``expression`` (E,).

    How its depth in mm rises with u and with v, from 0 to 1 each, and by how much it is darker, as
    a logarithm; row 0 at v = 1.  None where it is smooth, or the ``model`` has not ARKit's shapes.
    """
    maps = _maps(model)
    if maps is None or rng.random() < SMOOTH_SHARE:
        return None
    deepest = DEEPEST * rng.beta(*DEPTHS)
    at_rest = rng.uniform(0, _AT_REST) * float(np.clip(deepest / _AT_REST_FROM - 1, 0, 1))
    weights = dict(zip(model.expression_names, np.asarray(expression).tolist(), strict=True))
    depth = np.zeros((SIZE, SIZE), np.float32)
    for row, group in enumerate(GROUPS):
        own = deepest * np.exp(rng.normal(0, _UNEVEN))
        for half, names in zip(maps, group.expressions, strict=True):
            bent = max(weights[name] for name in names)
            depth += np.float32(own * (at_rest + (1 - at_rest) * bent)) * half[row]
    depth = _own_lines(depth, rng)
    along = SIZE * cv2.Sobel(depth, -1, 1, 0, None, 3, DEEPEST_MM / 8)
    up = -SIZE * cv2.Sobel(depth, -1, 0, 1, None, 3, DEEPEST_MM / 8)
    return cv2.merge([along, up, np.float32(rng.uniform(*_DARKER)) * depth])


def _own_lines(depth: Float, rng: Rng) -> Float:
    """``depth`` (SIZE, SIZE) with its lines elsewhere, of other width, here deep and there not."""
    places = rng.normal(size=(3, _PLACES, _PLACES)).astype(np.float32)
    astray = [cv2.resize(one, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC) for one in places]
    row, column = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    moved = cv2.remap(
        depth, column + _ASTRAY * astray[0], row + _ASTRAY * astray[1], cv2.INTER_LINEAR
    )
    width = rng.uniform(*_WIDTHS)
    moved = cv2.GaussianBlur(moved, (0, 0), width) * np.float32(1 + 0.5 * width)
    return moved * np.clip(1 + 0.5 * astray[2], 0, 2)


@lru_cache(maxsize=2)
def _maps(model: FaceModel) -> tuple[Float, Float] | None:
    """(3, SIZE, SIZE) 0..1 of the right and of the left half, a map for each of ``GROUPS``."""
    halves = wrinkle_maps(model, 2 * SIZE)
    if halves is None:
        return None
    right, left = (
        cv2.resize(half, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        for half in halves
    )
    return right.transpose(2, 0, 1).copy(), left.transpose(2, 0, 1).copy()


def tilted(normals: Float, corners: Float, uv: Float, slopes: Float) -> Float:
    """(N, 3) unit ``normals`` of points in triangles ``corners`` (N, 3, 3) mm, with relief.

    ``uv`` (N, 3, 2) are the corners' places in the texture, ``slopes`` (N, 2) how the depth in mm
    rises there with u and v (Blinn 1978, "Simulation of Wrinkled Surfaces").
    """
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    across = np.cross(first, second)
    twice = np.maximum((across**2).sum(axis=1, keepdims=True), 1e-9)
    # How fast the weights of the second and of the third corner rise.
    rise = np.cross(second, across) / twice, np.cross(across, first) / twice
    steps = uv[:, 1:] - uv[:, :1]
    by = (steps * slopes[:, None]).sum(axis=2)
    out = normals + by[:, :1] * rise[0] + by[:, 1:] * rise[1]
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)
