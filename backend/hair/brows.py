"""Eyebrows as strands, where the texture shows brows: that is where the photo does."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from ..geometry.srgb import LUMINANCE, SRGB_TO_LINEAR
from ..geometry.triangles import dot, unit
from ..model import FaceModel
from ..raster.atlas import texel_coordinates
from ..texture.channels import tripled, wide_blur
from ..texture.evening import on_texels
from ..texture.layout import Layout, sample, smoothstep
from .colour import STREAKS, shader_colour
from .short import Patch, lying, patch_of
from .strands import Float, Strands, joined

#: mm beyond the model's brows to which a person's surely, and at most, reach.
_BEYOND_MM = (1.5, 5.0)
#: Points of the patch on a square mm, of which strands begin at some; hairs on a square mm where
#: a brow is as dense as can be.
_POINTS, _HAIRS = 9.0, 1.2
#: Side of the texture in which brows are looked for: 0.3 mm a texel.
_SIDE = 1024
#: mm, standard deviation of the mean of the skin around.
_SKIN_MM = 7.0
#: The same of the hairs' colour.
_LIKE_MM = 1.5
#: By how much (log) a brow is darker than the skin around, the darkest tenth of it: under the first
#: there is none to be seen.
_NO_BROW = 0.14
#: Of that darkness, between which a texel is none or surely brow.
_DARK = (0.3, 0.75)
#: What is darker than the face's skin by so much (log), beside the brows, hangs before it.
_COVERED = 0.8
#: How far the texture's halves may differ and still mirror each other.
_LIKE_SIDES = 0.1
#: mm over the skin of a strand's middle, least and most; half its thickness.
_HEIGHT_MM, _RADIUS_MM = (0.25, 0.8), 0.036
#: Of that height its points: they rise at once and come down to half, as hair does that bends.
_PROFILE = np.r_[0, np.sin(np.pi * (0.12 + 0.72 * np.arange(1, 7) / 6))]
#: Along the brow from its inner end, 0..1: the angle of its hairs to it, upwards positive, degrees;
#: how much less it is at the upper edge and more at the lower one; mm they are long.  From drawings
#: and photos of brows: inner hairs stand up, the others lie along it and meet on its ridge.
_ALONG = (0.0, 0.12, 0.3, 0.55, 0.8, 1.0)
_ANGLE = (80.0, 66.0, 40.0, 18.0, 3.0, -4.0)
_MEETING = (4.0, 14.0, 24.0, 24.0, 14.0, 8.0)
_LENGTH_MM = (6.0, 7.5, 8.5, 8.0, 6.5, 5.0)
#: mm that the mean head's brow is long; degrees by which hairs go their own way.
_ARCH_MM, _OWN_DEGREES = 54.0, 9.0
#: Of how hairy a texel is, 0..1: under it hairs end; there are none.
_ENDS, _LEAST = 0.06, 0.05
_SEED = 17
#: What stays of the texture's hue, in which hairs and skin are mixed.
_HUE = 0.55
#: mm that triangles may reach beyond their middle.
_TRIANGLE_MM = 7.0


@dataclass(frozen=True, eq=False)
class _Brow:
    """One brow's own coordinates at the N points of a patch."""

    along: NDArray[np.float64]  #: 0 at its inner end to 1
    across: NDArray[np.float64]  #: mm over its ridge
    way: NDArray[np.float64]  #: (N, 3) unit, along it outwards
    up: NDArray[np.float64]  #: (N, 3) unit, along the skin


def make_brows(
    model: FaceModel,
    layout: Layout,
    neutral: NDArray,
    image: NDArray[np.uint8],
) -> Strands | None:
    """Strands of the brows that the head's texture ``image`` (H, W, 3) sRGB shows; None where it
    shows none, where hair hangs over them, and of a model that names no brows.

    ``layout`` is the model's, of any size; ``neutral`` (V, 3) mm, head coordinates.
    """
    if "brows" not in model.mask_names:
        return None
    shown, rng = _shown(model, layout, image), np.random.default_rng(_SEED)
    middle = texel_coordinates(model.uv[model.uv_faces].mean(axis=1), _SIDE).astype(np.float32)
    width = 2 * round(_TRIANGLE_MM / shown.texel_mm) + 1
    near = sample(cv2.dilate(shown.hairy, np.ones((width, width), np.uint8)), middle) > _LEAST
    patch = patch_of(model, neutral, near, _POINTS, rng)
    if patch is None:
        return None
    at = texel_coordinates(patch.uv, _SIDE).astype(np.float32)
    hairy, colour = sample(shown.hairy, at), sample(shown.colour, at)
    right = patch.points[:, 0] < 0
    parts = []
    for own, marks in ((right, range(21, 16, -1)), (~right, range(22, 27))):
        arch = np.asarray(neutral, np.float64)[model.landmarks68[list(marks)]]
        parts.append(_grown(patch, arch, np.where(own, hairy, 0), colour, rng))
    return joined([part for part in parts if part is not None])


@dataclass(frozen=True, eq=False)
class _Shown:
    """What the texture shows of brows, at _SIDE texels a side."""

    hairy: Float  #: (S, S) 0..1
    colour: Float  #: (S, S, 3) log of the hairs' linear colour
    texel_mm: float


def _shown(model: FaceModel, layout: Layout, image: NDArray[np.uint8]) -> _Shown:
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    log = np.log(np.maximum(SRGB_TO_LINEAR[small], 0.002)).astype(np.float32)
    bright = log @ LUMINANCE.astype(np.float32)
    texel = layout.texel_mm * layout.size / _SIDE

    def drawn(field: Float) -> Float:
        return cv2.resize(field, (_SIDE, _SIDE))

    brows = drawn(model.uv_mask("brows"))
    away = cv2.distanceTransform((brows < 0.3).astype(np.uint8), cv2.DIST_L2, 5) * texel
    zone = 1 - smoothstep(_BEYOND_MM[0], _BEYOND_MM[1], away)
    if "lids" in model.mask_names:
        zone = zone * (drawn(model.uv_mask("lids")) < 0.3)
    plain = drawn(on_texels(model, layout, layout.regions.bare_skin)) * (away > _BEYOND_MM[1])
    width = _SKIN_MM / texel
    face = float(np.median(bright[drawn(on_texels(model, layout, layout.regions.sure)) > 0.5]))
    bare = plain * (bright > face - _COVERED)
    seen = wide_blur(bare, width)
    around = wide_blur(bright * bare, width) / np.maximum(seen, 1e-3)
    seen = seen / np.maximum(wide_blur(plain, width), 1e-3)
    darker, hairy = around - bright, np.zeros_like(bright)
    half = np.arange(_SIDE) < _SIDE / 2
    for side in (half, ~half):
        inside = (brows * side) > 0.5
        if not inside.any() or float(np.median(seen[inside])) < 0.5:
            continue
        darkest = float(np.quantile(darker[inside], 0.9))
        if darkest > _NO_BROW:
            hairy += side * zone * smoothstep(_DARK[0] * darkest, _DARK[1] * darkest, darker)
    weight = hairy**2 * np.exp(0.7 * np.clip(darker, 0, 1.5))
    table = np.dstack([hairy, log * weight[..., None], weight]).astype(np.float32)
    # One that is hidden is like the other.
    for side in (half, ~half):
        if not hairy[:, side].any() and np.abs(brows - brows[:, ::-1]).max() < _LIKE_SIDES:
            table[:, side] = table[:, ::-1][:, side]
    hairy = np.ascontiguousarray(table[..., 0])
    table = cv2.GaussianBlur(table[..., 1:], (0, 0), _LIKE_MM / texel)
    return _Shown(hairy, table[..., :3] / np.maximum(table[..., 3:], 1e-6), texel)


def _grown(
    patch: Patch, arch: NDArray, hairy: Float, colour: Float, rng: np.random.Generator
) -> Strands | None:
    """One brow along ``arch`` (5, 3), inner end first, where ``hairy`` (N,) 0..1 says."""
    start = np.flatnonzero(rng.random(len(hairy)) < hairy**1.5 * _HAIRS / patch.density)
    if not len(start):
        return None
    brow = _brow(patch, arch)
    over = _over_ridge(brow, hairy)
    angle = np.interp(brow.along, _ALONG, _ANGLE) - over * np.interp(brow.along, _ALONG, _MEETING)
    # Each hair its own way a little, and neighbours a little alike.
    own = rng.normal(0, _OWN_DEGREES, len(start))

    def way(here: NDArray[np.intp]) -> NDArray:
        turn = np.radians(angle[here] + own)
        return tripled(np.cos(turn)) * brow.way[here] + tripled(np.sin(turn)) * brow.up[here]

    scale = float(np.linalg.norm(np.diff(arch, axis=0), axis=1).sum()) / _ARCH_MM
    length = np.interp(brow.along[start], _ALONG, _LENGTH_MM) * scale
    length = length * np.exp(rng.normal(0, 0.18, len(start)))
    height = rng.uniform(*_HEIGHT_MM, len(start))
    points = lying(patch, start, way, length, height, hairy < _ENDS, _PROFILE)
    log = colour[start]
    bright = log.mean(axis=1, keepdims=True)
    log = bright + _HUE * (log - bright)
    shade = np.exp(log[:, None] + rng.normal(0, STREAKS, (len(start), 1, 1)))
    chosen = patch.roots.chosen(start)
    return Strands(
        points=points,
        root_triangle=chosen.triangle,
        root_weights=chosen.weights,
        colour=shader_colour(np.repeat(shade, 2, axis=1)).astype(np.float32),
        radius=np.full(len(start), _RADIUS_MM, np.float32),
    )


def _brow(patch: Patch, arch: NDArray) -> _Brow:
    ends = [2 * arch[0] - arch[1], 2 * arch[-1] - arch[-2]]
    knots = np.stack([ends[0], *arch, ends[1]])
    gone = np.r_[0, np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))]
    fine = np.linspace(0, gone[-1], 80)
    curve = np.stack([gaussian_filter1d(np.interp(fine, gone, one), 5) for one in knots.T], axis=1)
    nearest = cKDTree(curve).query(patch.points)[1]
    normal = patch.normals
    way = np.gradient(curve, axis=0)[nearest]
    way = unit(way - normal * tripled(dot(way, normal)))
    up = np.cross(normal, way)
    up = up * tripled(np.sign(up[:, 1]))
    along = (fine[nearest] - gone[1]) / (gone[-2] - gone[1])
    return _Brow(along, dot(patch.points - curve[nearest], up), way, up)


def _over_ridge(brow: _Brow, hairy: Float) -> NDArray:
    """(N,) -1 at the lower edge of what is ``hairy`` (N,) to 1 at the upper one."""
    places = np.linspace(0, 1, 12)
    middle, half = np.zeros(len(places)), np.ones(len(places))
    for k, place in enumerate(places):
        weight = hairy * np.exp(-(((brow.along - place) / 0.08) ** 2))
        total = max(float(weight.sum()), 1e-6)
        middle[k] = float(weight @ brow.across) / total
        half[k] = np.sqrt(float(weight @ (brow.across - middle[k]) ** 2) / total)
    gap = brow.across - np.interp(brow.along, places, middle)
    # Evenly spread, it would reach 1.7 standard deviations.
    return np.clip(gap / (1.7 * np.maximum(np.interp(brow.along, places, half), 0.4)), -1.2, 1.2)
