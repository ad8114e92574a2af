"""The pattern of an iris in the photo: its rings of colour, and fibres where there are pixels.

The iris is unrolled to rings and turns about its middle.  Lids cover its upper part, lashes and
lights lie on it: what is not seen is taken from the other half, as far as that is.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .layout import Float, smoothstep
from .trust import log_linear

#: Rings from the middle to the rim, and turns all round.
RINGS, TURNS = 32, 192
#: Parts of the radius between which an iris is looked at: pupil and rim are outside.
SEEN_RINGS = (0.36, 0.88)
#: Pixels of the radius between which the photo's rings of colour, and its fibres, are believed.
#: Under 12 the rings are a blur of pupil, iris and rim.
ENOUGH_FOR_RINGS, ENOUGH_FOR_FIBRES = (12.0, 18.0), (20.0, 40.0)
#: Radii and shifts, in parts of the radius that the eye's width tells, among which the rim is
#: sought; the turns from straight left and right at which lids leave it free; and how far inside
#: and outside of it brightness is compared.
_RADII, _ASIDE, _UPWARDS = (
    np.linspace(0.8, 1.35, 12),
    np.linspace(-0.2, 0.2, 9),
    (-0.2, -0.1, 0, 0.1),
)
_FREE, _BESIDE = np.radians(np.linspace(-40, 25, 14)), 0.08
#: Log brightness over this quantile that is a reflection; then parts of the radius that are left
#: out around one, and inside the lids.
_REFLECTED, _BRIGHT = 0.7, 0.8
_AROUND_REFLECTION, _OFF_LIDS = 0.08, 0.10
#: Less than this part of the lower half seen says too little.
_LEAST_SEEN = 0.5
#: Log, the most that ring or fibre differ from the iris' middle colour.
_MOST = 0.7
#: Radii by which hues are smoothed: photos hold them at half of the pixels.
_HUE_BLUR = 0.08


@dataclass(frozen=True, eq=False)
class IrisPattern:
    """What the photo tells of one iris; turns count from the head's left upwards."""

    colour: Float  #: (RINGS, TURNS, 3) log linear, about the middle colour
    weight: Float  #: (RINGS, TURNS) 0..1 how far that is believed
    fibres: float  #: 0..1 how much of it is fibres that need no others

    def at(self, part: NDArray, turn: NDArray) -> tuple[Float, Float]:
        """(N, 3) colour and (N,) weight at parts (N,) of the radius and turns (N,) in radians."""
        rows = part * RINGS - 0.5
        columns = np.mod(turn / (2 * np.pi), 1) * TURNS - 0.5
        table = np.dstack([self.colour, self.weight])
        table = np.concatenate([table[:, -1:], table, table[:, :1]], axis=1)
        width = 4096  # cv2 takes no list longer than 32,767
        count = len(rows)
        padded = [
            np.resize(v.astype(np.float32), (-(-count // width), width))
            for v in (columns + 1, rows)
        ]
        found = cv2.remap(table, *padded, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        found = found.reshape(-1, 4)[:count]
        return found[:, :3], found[:, 3]


def iris_pattern(
    photo: NDArray[np.uint8], centre: NDArray, radius: float, across: NDArray, lids: NDArray
) -> IrisPattern | None:
    """The pattern of the iris near ``centre`` (2,) in ``photo`` (h, w, 3) sRGB.

    ``radius`` is what the eye's width tells; ``across`` (2,) points to the head's left, ``lids``
    (6, 2) are the eye's outline, all in pixels.  None where it is too small, not whole in the
    picture, or too much covered.
    """
    if radius < ENOUGH_FOR_RINGS[0]:
        return None
    left = across / np.linalg.norm(across)
    axes = np.stack([left, (left[1], -left[0])])  # the second upwards
    depth = _depth_in_lids(photo, lids)
    centre, radius = _rim(photo, depth, centre, radius, axes)
    part = (np.arange(RINGS) + 0.5)[:, None] / RINGS
    turn = (np.arange(TURNS) + 0.5) * 2 * np.pi / TURNS
    steps = part[..., None] * np.stack([np.cos(turn), np.sin(turn)], axis=1) @ axes
    pixels = centre + radius * steps
    unrolled = _at(photo, pixels)
    colour = log_linear(unrolled.reshape(-1, 3)).reshape(RINGS, TURNS, 3).astype(np.float32)
    inside = (_at(depth, pixels) > _OFF_LIDS * radius) & _between(part, *SEEN_RINGS)
    seen = inside & ~_reflections(colour.mean(axis=2), inside)
    half = np.sin(turn) < 0
    if seen[:, half].sum() < _LEAST_SEEN * RINGS * half.sum() * np.diff(SEEN_RINGS)[0]:
        return None
    colour -= _shade(colour.mean(axis=2), seen, part * np.sin(turn))[..., None]
    colour -= np.median(colour[seen], axis=0)
    return _completed(colour, seen, radius)


def _between(part: NDArray, low: float, high: float) -> NDArray[np.bool_]:
    return (part > low) & (part < high)


def _at(picture: NDArray, pixels: NDArray) -> NDArray:
    """``picture`` (h, w[, 3]) at ``pixels`` (..., n, 2), bilinear, black outside."""
    flat = pixels.reshape(-1, pixels.shape[-2], 2).astype(np.float32)
    found = cv2.remap(picture, flat[..., 0], flat[..., 1], cv2.INTER_LINEAR)
    return found.reshape(*pixels.shape[:-1], *picture.shape[2:])


def _depth_in_lids(photo: NDArray, lids: NDArray) -> Float:
    """(h, w) pixels from the outline ``lids`` (6, 2), 0 outside."""
    mask = np.zeros(photo.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(lids * 16).astype(np.int32)], 1, shift=4)
    return cv2.distanceTransform(mask, cv2.DIST_L2, 3)


def _rim(
    photo: NDArray[np.uint8], depth: Float, centre: NDArray, radius: float, axes: NDArray
) -> tuple[NDArray, float]:
    """Middle and radius of the circle over whose sides brightness rises most.

    Daugman 1993, "High confidence visual recognition of persons by a test of statistical
    independence", eq. 1, on the arcs that lids leave free.
    """
    turns = np.concatenate([_FREE, np.pi - _FREE])
    ways = np.stack([np.cos(turns), np.sin(turns)], axis=1) @ axes
    shifts = np.array([(x, y) for x in _ASIDE for y in _UPWARDS]) @ axes
    middles = centre + radius * shifts
    radii = radius * _RADII
    grey = photo.max(axis=2).astype(np.float32)
    rise, known = 0.0, 1.0
    for sign in (1, -1):
        reach = radii * (1 + sign * _BESIDE)
        pixels = middles[:, None, None] + reach[:, None, None] * ways
        rise = rise + sign * _at(grey, pixels)
        known = known * (_at(depth, pixels) > 0)
    score = (rise * known).sum(axis=2) / np.maximum(known.sum(axis=2), len(turns) / 3)
    shift, size = np.unravel_index(np.argmax(score), score.shape)
    return middles[shift], float(radii[size])


def _reflections(brightness: Float, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(RINGS, TURNS) lights on the eye, and a little around."""
    usual = np.quantile(brightness[inside], _BRIGHT) if inside.any() else 0.0
    bright = (brightness > usual + _REFLECTED).astype(np.uint8)
    rings = 2 * round(_AROUND_REFLECTION * RINGS) + 1
    turns = 2 * round(_AROUND_REFLECTION * TURNS / np.pi) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (turns, rings))
    round_about = np.concatenate([bright, bright, bright], axis=1)
    return cv2.dilate(round_about, kernel)[:, TURNS : 2 * TURNS] > 0


def _shade(brightness: Float, seen: NDArray[np.bool_], height: NDArray) -> Float:
    """(RINGS, TURNS) log brightness that grows evenly with ``height``: the upper lid's shade."""
    table = np.column_stack([height[seen], np.ones(seen.sum())])
    (slope, _), *_ = np.linalg.lstsq(table, brightness[seen], rcond=None)
    return (slope * height).astype(np.float32)


def _completed(colour: Float, seen: NDArray[np.bool_], radius: float) -> IrisPattern:
    """The pattern with what lids hide from the other half, and soft towards what is not known."""
    weight = seen.astype(np.float32)
    rings = _filled_rings(colour, seen)
    fibres = float(smoothstep(*ENOUGH_FOR_FIBRES, np.array(radius)))
    # Hues have fewer pixels than brightness.
    grey = colour.mean(axis=2, keepdims=True)
    hue = (
        _smooth((colour - grey) * weight[..., None]) / np.maximum(_smooth(weight), 1e-3)[..., None]
    )
    detail = (grey + hue - rings) * weight[..., None]
    other, other_weight = detail[:, ::-1], weight[:, ::-1]  # the turn's sign changed: up and down
    soft = np.minimum(_smooth(weight), weight)
    detail = soft[..., None] * detail + (1 - soft[..., None]) * other
    known = np.maximum(soft, _smooth(other_weight) * other_weight)
    total = np.clip(rings + fibres * known[..., None] * detail, -_MOST, _MOST)
    believed = smoothstep(*ENOUGH_FOR_RINGS, np.array(radius))
    part = (np.arange(RINGS) + 0.5)[:, None] / RINGS
    inner, outer = SEEN_RINGS
    edge = smoothstep(inner - 0.08, inner + 0.04, part) * (
        1 - smoothstep(outer - 0.06, outer + 0.04, part)
    )
    weight = (believed * edge * np.ones(TURNS)).astype(np.float32)
    return IrisPattern(total.astype(np.float32), weight, fibres)


def _filled_rings(colour: Float, seen: NDArray[np.bool_]) -> Float:
    """(RINGS, 1, 3) the median of each ring, of the nearest known one where none is seen."""
    known = np.flatnonzero(seen.sum(axis=1) > TURNS // 12)
    medians = np.array([np.median(colour[ring][seen[ring]], axis=0) for ring in known])
    rows = np.arange(RINGS)
    filled = np.stack([np.interp(rows, known, channel) for channel in medians.T], axis=1)
    return filled[:, None].astype(np.float32)


def _smooth(values: Float) -> Float:
    """Blurred by a few hundredths of the radius, all round."""
    three = np.concatenate([values, values, values], axis=1)
    across, along = _HUE_BLUR * RINGS, _HUE_BLUR * TURNS / np.pi
    blurred = cv2.GaussianBlur(three, (0, 0), sigmaX=along, sigmaY=across)
    return blurred[:, TURNS : 2 * TURNS]
