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
from ..kept import kept
from ..model import FaceModel
from ..raster.atlas import texel_coordinates
from ..texture.channels import tripled, wide_blur
from ..texture.evening import on_texels
from ..texture.layout import Layout, box_of, sample, scaled, smoothstep
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
#: The same of the hairs' colour, and how much more darker texels count for it (log by log).
_LIKE_MM, _DARKEST = 1.5, 0.7
#: By how much (log) a brow is darker than the skin around, the darkest tenth of it: under the first
#: there is none to be seen.
_NO_BROW = 0.14
#: Of that darkness, between which a texel is none or surely brow.
_DARK = (0.3, 0.75)
#: What is darker than the face's skin by so much (log), beside the brows, hangs before it.
_COVERED = 0.8
#: How far the texture's halves may differ and still mirror each other.
_LIKE_SIDES = 0.1
#: Sine of the turn from which on the far brow is no longer believed: 20 degrees.
_TURNED = 0.34
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
    turn: float = 0.0,
) -> Strands | None:
    """Strands of the brows that the head's texture ``image`` (H, W, 3) sRGB shows; None where it
    shows none, where hair hangs over them, and of a model that names no brows.

    ``layout`` is the model's, of any size; ``neutral`` (V, 3) mm, head coordinates.  ``turn`` is
    the sine by which the photo's camera saw the head from its left; the brow on the far side of
    one that was turned is smeared in the texture, and is made like the near one.
    """
    if "brows" not in model.mask_names:
        return None
    zone, rng = _zone(model, layout), np.random.default_rng(_SEED)
    if zone is None:
        return None
    hairy, colour = _shown(zone, image, on_texels(model, layout, layout.regions.sure) > 0.5, turn)
    width = 2 * round(_TRIANGLE_MM / zone.texel_mm) + 1
    wide = cv2.dilate(hairy, np.ones((width, width), np.uint8))
    middle = zone.pixels(model.uv[model.uv_faces].mean(axis=1))
    near = sample(wide, middle) > _LEAST
    patch = patch_of(model, neutral, near, _POINTS, rng)
    if patch is None:
        return None
    at = zone.pixels(patch.uv)
    hairy, colour = sample(hairy, at), sample(colour, at)
    right = patch.points[:, 0] < 0
    parts = []
    for own, marks in ((right, range(21, 16, -1)), (~right, range(22, 27))):
        arch = np.asarray(neutral, np.float64)[model.landmarks68[list(marks)]]
        parts.append(_grown(patch, arch, np.where(own, hairy, 0), colour, rng))
    return joined([part for part in parts if part is not None])


@dataclass(frozen=True, eq=False)
class _Zone:
    """Where brows may be: a part of the texture at _SIDE texels a side, its middle column that of
    the texture."""

    box: tuple[slice, slice]
    brows: Float  #: (h, w) 0..1 the model's
    reach: Float  #: (h, w) 0..1 where a person's may be
    plain: Float  #: (h, w) 0..1 skin where none are
    texel_mm: float

    def pixels(self, uv: NDArray) -> Float:
        """(N, 2) where ``uv`` (N, 2) is in the part."""
        start = [self.box[1].start, self.box[0].start]
        return (texel_coordinates(uv, _SIDE) - start).astype(np.float32)


@kept(maxsize=2)
def _zone(model: FaceModel, layout: Layout) -> _Zone | None:
    def drawn(field: Float) -> Float:
        return cv2.resize(field, (_SIDE, _SIDE))

    texel = layout.texel_mm * layout.size / _SIDE
    brows = drawn(model.uv_mask("brows"))
    found = box_of(brows, round((_BEYOND_MM[1] + 3 * _SKIN_MM) / texel))
    if found is None:
        return None
    rows, columns = found
    left = min(columns.start, _SIDE - columns.stop)
    box = (rows, slice(left, _SIDE - left))
    away = cv2.distanceTransform((brows < 0.3).astype(np.uint8), cv2.DIST_L2, 5)[box] * texel
    reach = 1 - smoothstep(_BEYOND_MM[0], _BEYOND_MM[1], away)
    if "lids" in model.mask_names:
        reach = reach * (drawn(model.uv_mask("lids"))[box] < 0.3)
    plain = drawn(on_texels(model, layout, layout.regions.bare_skin))[box]
    return _Zone(box, brows[box].copy(), reach, plain * (away > _BEYOND_MM[1]), texel)


def _shown(
    zone: _Zone, image: NDArray[np.uint8], sure: NDArray[np.bool_], turn: float
) -> tuple[Float, Float]:
    """Where the texture shows brows, (h, w) 0..1 in the part of ``zone``, and (h, w, 3) the
    logarithm of their linear colour.

    ``sure`` (T, T) is skin of the face, whatever hangs over the forehead; ``turn`` as in
    :func:`make_brows`.
    """
    part, size = image[scaled(zone.box, len(image) / _SIDE)], zone.brows.shape[::-1]
    log, bright = _logs(cv2.resize(part, size, interpolation=cv2.INTER_AREA))
    small = cv2.resize(image, sure.shape, interpolation=cv2.INTER_AREA)
    face = float(np.median(_logs(small[sure])[1])) if sure.any() else float(np.median(bright))
    width = _SKIN_MM / zone.texel_mm
    bare = zone.plain * (bright > face - _COVERED)
    seen = wide_blur(bare, width)
    darker = wide_blur(bright * bare, width) / np.maximum(seen, 1e-3) - bright
    seen = seen / np.maximum(wide_blur(zone.plain, width), 1e-3)
    hairy = np.zeros_like(bright)
    right = np.arange(hairy.shape[1]) < hairy.shape[1] / 2
    mirrors = np.abs(zone.brows - zone.brows[:, ::-1]).max() < _LIKE_SIDES
    believed = [right, ~right]
    if mirrors and abs(turn) > _TURNED:
        believed = [~right if turn > 0 else right]
    for side in believed:
        inside = (zone.brows * side) > 0.5
        if not inside.any() or float(np.median(seen[inside])) < 0.5:
            continue
        darkest = float(np.quantile(darker[inside], 0.9))
        if darkest > _NO_BROW:
            hairy += side * zone.reach * smoothstep(_DARK[0] * darkest, _DARK[1] * darkest, darker)
    weight = hairy**2 * np.exp(_DARKEST * np.clip(darker, 0, 1.5))
    table = np.dstack([hairy, log * tripled(weight), weight]).astype(np.float32)
    # One that is hidden is like the other.
    if mirrors:
        for side in (right, ~right):
            if not hairy[:, side].any():
                table[:, side] = table[:, ::-1][:, side]
    blurred = cv2.GaussianBlur(table[..., 1:], (0, 0), _LIKE_MM / zone.texel_mm)
    colour = blurred[..., :3] / np.maximum(blurred[..., 3:], 1e-6)
    return np.ascontiguousarray(table[..., 0]), colour


def _logs(srgb: NDArray[np.uint8]) -> tuple[Float, Float]:
    """(..., 3) logarithms of the linear colours ``srgb`` (..., 3), and (...) their luminance."""
    log = np.log(np.maximum(SRGB_TO_LINEAR[srgb], 0.002)).astype(np.float32)
    return log, log @ LUMINANCE.astype(np.float32)


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
