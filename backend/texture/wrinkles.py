"""Wrinkles that come with an expression: the creases that a face of middle age has.

A finished texture shows the photo's lines whatever the face does; a slider moves the skin without
folding it.  Where skin creases is anatomy, since it creases across the pull of the muscle beneath:
the manual of the Facial Action Coding System (Ekman, Friesen and Hager 2002) has lines across the
forehead with raised brows (action units 1 and 2), upright ones between brows that are drawn
together (4), across the root and along the sides of a wrinkled nose (9), crow's feet with raised
cheeks (6) and the furrow from nose to mouth with a smile (12).  So each is a curve between
landmarks of the mean head that makes the expression, laid onto its surface, with the profile of a
soft groove.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..exchange.wrinkles import GROUPS, Group
from ..kept import kept
from ..model import FaceModel
from ..model.cached import cached
from ..photo.encode import encode_png
from .layout import Float, interpolate_texels, layout_of, smoothstep

Bytes = NDArray[np.uint8]
Double = NDArray[np.float64]
Rng = np.random.Generator

#: Side of the maps: a texel is 0.33 mm of the face.
SIZE = 1024
#: mm between the outer corners of the eyes of a head on which creases are as long as told below.
EYES_MM = 85.8


class Crease(NamedTuple):
    """A crease of the right half of the face, and its mirror image."""

    depth: float  #: of its deepest point, 1 being as deep as creases go
    width_mm: float  #: standard deviation of the groove
    #: Landmark, mm from it away from the middle of the face, mm upwards.
    through: tuple[tuple[int, float, float], ...]
    whole: bool = False  #: both sides are one, which begins in the middle


def _forehead(line: int, depth: float, width_mm: float, reach: int = 4) -> Crease:
    """The ``line``-th line above the brows, as far out as the first ``reach`` points."""
    through = ((27, 0, 29 + 7 * line), (21, 4, 10 + 7 * line), (20, 0, 8.5 + 6.7 * line),
               (18, 0, 8 + 6 * line), (17, 1, 11 + 5 * line))  # fmt: skip
    return Crease(depth, width_mm, through[:reach], whole=True)


#: By the name of their group in :data:`~..exchange.wrinkles.GROUPS`; places and depths by eye, on
#: the default model's mean head with the group's expressions at 1.
CREASES: dict[str, tuple[Crease, ...]] = {
    "raised brows": (
        _forehead(0, 0.8, 0.8, 5),
        _forehead(1, 1.0, 0.9, 5),
        _forehead(2, 0.9, 0.9),
        _forehead(3, 0.6, 0.8),
    ),
    "smile": (
        # The furrow, and a shallow line beside the corner of the mouth.
        Crease(
            1.0, 1.5, ((31, 3, 13), (31, 7, 6), (31, 14, -1), (48, 4, 11), (48, 9, 2), (48, 8, -9))
        ),
        Crease(0.3, 1.4, ((48, 14, 10), (48, 18, 1), (48, 16, -10))),
        # Crow's feet, and the line below the lower lid.
        Crease(0.7, 0.8, ((36, 5, 4), (36, 11, 7.5), (36, 18, 9.5))),
        Crease(0.8, 0.8, ((36, 6, -1), (36, 13, -1.5), (36, 20, -3))),
        Crease(0.7, 0.8, ((36, 4, -6), (36, 10, -10), (36, 16, -15))),
        Crease(0.5, 1.0, ((39, 3, -9), (41, -3, -9.5), (41, 4, -8.5), (36, 1, -7))),
    ),
    "frown": (
        # Upright between the brows.
        Crease(1.0, 1.1, ((21, -0.5, -6), (21, 0.5, 2), (21, 2, 10), (21, 3.5, 18))),
        # Across the root of the nose, and along its sides.
        Crease(0.7, 1.0, ((27, 0, 2), (27, 5, 2.5), (27, 9, 4.5)), whole=True),
        Crease(0.5, 0.9, ((27, 0, -4), (27, 4, -3.5), (27, 8.5, -1)), whole=True),
        Crease(0.6, 0.8, ((28, 3, 4), (28, 7, 1), (28, 10.5, -4))),
        Crease(0.5, 0.8, ((28, 3.5, -3), (28, 7.5, -7), (28, 11, -12))),
        # A raised wing of the nose begins the furrow.
        Crease(0.6, 1.3, ((31, 3, 12), (31, 7, 5), (31, 12, -4), (31, 15, -12))),
    ),
}
#: Standard deviation in mm by which a crease strays to its sides, and of how its depth varies, in
#: parts; and over how many mm along it.
_STRAYS_MM, _VARIES, _OVER_MM = 0.5, 0.2, 9.0
#: Of a groove's depth, what its shoulders have, and how much wider they are than the core.
_SHOULDERS, _WIDER = 0.4, 2.4
#: mm along a crease from point to point, and the part of it at either end where it fades.
_STEP_MM, _FADES = 0.3, 0.3


def wrinkle_maps(model: FaceModel, size: int) -> tuple[Bytes, Bytes] | None:
    """The wrinkles of the face's right and left half, (SIZE, SIZE, 3) uint8 each.

    Row 0 at v = 1; a channel for each of :data:`~..exchange.wrinkles.GROUPS`, 0 being smooth, 255
    as deep as its ``DEEPEST_MM``.  They are the same for all heads of a ``model``; ``size`` is that
    of the texture that they go with, whose layout is known already.  None for a model without
    ARKit's shapes.
    """
    known = {name for group in GROUPS for side in group.expressions for name in side}
    if not known <= set(model.expression_names):
        return None
    return _maps(model, size)


@kept(maxsize=1)
@cached
def wrinkle_pictures(model: FaceModel, size: int) -> tuple[Bytes, Bytes] | None:
    """:func:`wrinkle_maps` as PNG files (N,) uint8 each."""
    halves = wrinkle_maps(model, size)
    return None if halves is None else (encode_png(halves[0]), encode_png(halves[1]))


def _maps(model: FaceModel, size: int) -> tuple[Bytes, Bytes]:
    layout = layout_of(model, size)
    skin = layout.small.mask & layout.skin_face[np.maximum(layout.small.face_id, 0)]
    left = smoothstep(-4, 4, model.mean[:, 0])
    where = model.faces, layout.small.face_id[skin], layout.small.barycentric[skin]
    left, creasable = interpolate_texels(np.column_stack([left, _creasable(model)]), *where).T
    depths = np.empty((len(left), len(GROUPS)))
    for channel, group in enumerate(GROUPS):
        face = _wearing(model, group)
        points = interpolate_texels(face, *where)
        depths[:, channel] = creasable * _depth(face[model.landmarks68], points, group.name)
    right, left = (_picture(depths * half[:, None], skin) for half in (1 - left, left))
    return right, left


def _wearing(model: FaceModel, group: Group) -> Float:
    """(V, 3) mm: the mean head with the expressions of ``group`` at 1 on both sides."""
    names = dict.fromkeys(name for side in group.expressions for name in side)
    basis = model.expression_basis[[model.expression_names.index(name) for name in names]]
    return model.mean + basis.sum(axis=0)


def _picture(depths: Double, skin: NDArray[np.bool_]) -> Bytes:
    """(SIZE, SIZE, G) of ``depths`` (N, G) at the texels ``skin`` (T, T)."""
    small = np.zeros((*skin.shape, depths.shape[1]), np.float32)
    small[skin] = depths
    large = cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    return np.clip(255 * large + 0.5, 0, 255).astype(np.uint8)


def _creasable(model: FaceModel) -> Float:
    """(V,) 1 on skin that creases: not lips, brows, lids, ears, scalp and neck."""
    out = np.ones(len(model.mean), np.float32)
    for name in ("lips", "brows", "lids", "ears", "scalp", "neck"):
        if name in model.mask_names:
            out *= 1 - model.mask(name)
    return out


def _depth(marks: NDArray, points: NDArray, group: str) -> Double:
    """(N,) 0..1 how deep the creases of ``group`` are at ``points`` (N, 3) mm of the skin.

    ``marks`` (68, 3) mm are the landmarks of the face that has its expressions.
    """
    rng = np.random.default_rng(6)
    scale = EYES_MM / np.linalg.norm(marks[45] - marks[36])
    marks, points = scale * marks.astype(np.float64), scale * points
    places = np.flatnonzero(points[:, 2] > marks[[0, 16], 2].mean())
    from_front = cKDTree(points[places, :2])
    smooth = np.ones(len(points))
    for crease in CREASES[group]:
        for plan in _plans(marks, crease):
            curve, along = _laid(plan, rng)
            height = points[places[from_front.query(curve)[1]], 2]
            curve = np.column_stack([curve, cv2.blur(height, (1, 9))])
            reach = 3 * _WIDER * crease.width_mm
            low, high = curve.min(axis=0) - reach, curve.max(axis=0) + reach
            near = np.flatnonzero(((points > low) & (points < high)).all(axis=1))
            away, nearest = cKDTree(curve).query(points[near])
            core = np.exp(-((away / crease.width_mm) ** 2) / 2)
            shoulders = np.exp(-((away / (_WIDER * crease.width_mm)) ** 2) / 2)
            groove = (1 - _SHOULDERS) * core + _SHOULDERS * shoulders
            smooth[near] *= 1 - np.minimum(crease.depth * along[nearest], 1) * groove
    return 1 - smooth


def _plans(marks: Double, crease: Crease) -> Iterator[Double]:
    """(K, 2) x, y mm of the points that the curves of ``crease`` go through, seen from in front."""
    right = np.array([marks[mark, :2] + (-out, up) for mark, out, up in crease.through])
    left = right * (-1, 1)
    if crease.whole:
        yield np.vstack([right[:0:-1], (right[:1] + left[:1]) / 2, left[1:]])
    else:
        yield from (right, left)


def _laid(plan: Double, rng: Rng) -> tuple[Double, Double]:
    """The curve (N, 2) mm through ``plan`` (K, 2), a little astray, and (N,) how deep it is."""
    # It takes 20 MB, and the maps are kept from one process to the next.
    from scipy.interpolate import CubicSpline

    at = np.r_[0, np.cumsum(np.linalg.norm(np.diff(plan, axis=0), axis=1))]
    spline = CubicSpline(at, plan)
    places = np.arange(0, at[-1], _STEP_MM)
    curve, heading = spline(places), spline(places, 1)
    across = heading[:, ::-1] * (-1, 1) / np.linalg.norm(heading, axis=1, keepdims=True)
    stray, varied = (_slow_noise(len(places), rng) for _ in range(2))
    share = places / at[-1]
    fades = smoothstep(0, _FADES, share) * smoothstep(0, _FADES, 1 - share)
    return curve + _STRAYS_MM * stray[:, None] * across, fades * np.exp(_VARIES * varied)


def _slow_noise(count: int, rng: Rng) -> Double:
    """(count,) of standard deviation 1, which changes within :data:`_OVER_MM`."""
    width = _OVER_MM / _STEP_MM / 2
    margin = int(4 * width)
    white = rng.standard_normal(count + 2 * margin)
    slow = cv2.GaussianBlur(white[None], (0, 0), width)[0]
    return slow[margin : margin + count] * np.sqrt(2 * width * np.sqrt(np.pi))
