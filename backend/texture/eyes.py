"""Colours and pattern of the eyes, where the photo shows them large enough."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ..model import FaceModel
from .iris_photo import TURNS, IrisPattern, iris_pattern
from .layout import Float, Layout
from .trust import log_linear
from .view import View

#: An eye must be this many analysis pixels wide, and open by this part of its width.
_SMALLEST_EYE = 14.0
_LEAST_OPEN = 0.17
#: A few pixels across are too coarse for rings, so the eye is enlarged by this.  Fewer pixels of it
#: than the second tell no colour.
_FINER, _FEWEST = 4, 40
#: The iris is 11.7 mm of the 30 mm between the corners of an eye.
_RADIUS = 0.5 * 11.7 / 30.0
#: Between these parts of the iris' radius its colour is measured: pupil and rim are darker.  Its
#: upper part, above this part of the radius over its centre, lies in the lid's shade.
IRIS_RING, UPPER_PART = (0.42, 0.85), 0.25
#: From this part of the radius on there is white.
WHITE_FROM = 1.15
#: Quantiles of brightness whose mean is taken: lashes are darker, highlights brighter.
IRIS_QUANTILES, WHITE_QUANTILES = (0.3, 0.7), (0.5, 0.9)
#: Bounds of the shift of the white of the eye, log: lids shade it, nothing brightens it.
WHITE_SHIFT = (-0.9, 0.05)
#: Share of its colour that is followed: red lids and blurred lashes stain the few pixels there are.
WHITE_COLOUR = 0.25
#: Largest shift of the iris, log; pupils are texels darker than its median by more than the second.
MOST_IRIS_SHIFT, _PUPIL = 1.2, 0.7


@dataclass(frozen=True)
class EyeColours:
    """Log linear colours with the face's light divided out, each (3,), and the irises' patterns."""

    iris: NDArray
    white: NDArray
    patterns: tuple[IrisPattern | None, IrisPattern | None] = (None, None)  #: right and left


def eye_colours(
    model: FaceModel, layout: Layout, view: View, log_shading: Float
) -> EyeColours | None:
    """What the photo tells of the eyes, or None where they are too small, closed or hidden."""
    if "iris" not in model.mask_names:
        return None
    eyes = [_measure(view, list(corners)) for corners in (range(36, 42), range(42, 48))]
    found = [colours for colours, _ in eyes if colours is not None]
    if not found:
        return None
    front = layout.regions.core > 0.5
    light = log_shading[front].mean(axis=0)
    iris, white = np.mean(found, axis=0) - light
    right, left = (pattern for _, pattern in eyes)
    # Both are much alike, and one may be hidden.
    return EyeColours(iris, white, (right or _mirrored(left), left or _mirrored(right)))


def _mirrored(pattern: IrisPattern | None) -> IrisPattern | None:
    """That of the other eye: left and right changed."""
    if pattern is None:
        return None
    # Turn t becomes pi - t.
    order = (TURNS // 2 - 1 - np.arange(TURNS)) % TURNS
    return replace(pattern, colour=pattern.colour[:, order], weight=pattern.weight[:, order])


def tint_eyes(base: Float, model: FaceModel, eyes: EyeColours) -> None:
    """Shift irises and whites of ``base`` (T, T, 3), log linear, to the colours measured."""
    iris = model.uv_mask("iris")
    if (iris > 0.95).any():
        # The pupil is much darker than the iris and would pull the middle down.
        colours = base[iris > 0.95]
        bright = colours.mean(axis=1)
        middle = np.median(colours[bright > np.median(bright) - _PUPIL], axis=0)
        base += iris[..., None] * np.clip(eyes.iris - middle, -MOST_IRIS_SHIFT, MOST_IRIS_SHIFT)
    if "sclera" in model.mask_names:
        white = model.uv_mask("sclera")
        if (white > 0.95).any():
            shift = np.clip(eyes.white - np.median(base[white > 0.95], axis=0), *WHITE_SHIFT)
            shift = (1 - WHITE_COLOUR) * shift.mean() + WHITE_COLOUR * shift
            base += white[..., None] * shift


def _measure(view: View, corners: list[int]) -> tuple[NDArray | None, IrisPattern | None]:
    """(2, 3) log colours of iris and white of the eye with these landmarks, and the iris' pattern.

    The iris is the darkest disk of its size between the lids.  Of its lower ring the middle
    colours are taken: pupil, lashes, highlights and the shade of the upper lid fall away.
    """
    marks = view.landmarks[corners]
    width = float(np.linalg.norm(marks[0] - marks[3]))
    opening = float(np.linalg.norm(marks[[1, 2]] - marks[[5, 4]], axis=1).mean())
    if width < _SMALLEST_EYE or opening < _LEAST_OPEN * width:
        return None, None
    low = np.floor(marks.min(axis=0) - 2).astype(int)
    high = np.ceil(marks.max(axis=0) + 3).astype(int)
    if (low < 0).any() or (high > view.small_photo.shape[1::-1]).any():
        return None, None
    patch = view.small_photo[low[1] : high[1], low[0] : high[0]]
    patch = cv2.resize(patch, None, fx=_FINER, fy=_FINER, interpolation=cv2.INTER_CUBIC)
    lens = np.zeros(patch.shape[:2], np.uint8)
    outline = (marks - low + 0.5) * _FINER - 0.5
    cv2.fillPoly(lens, [np.round(outline * 16).astype(np.int32)], 1, shift=4)
    radius = _FINER * _RADIUS * width
    centre = _iris_centre(patch, lens, radius)
    y, x = np.mgrid[: lens.shape[0], : lens.shape[1]]
    away = np.hypot(x - centre[0], y - centre[1]) / radius
    inner, outer = IRIS_RING
    low_part = y > centre[1] - UPPER_PART * radius
    ring = (away > inner) & (away < outer) & low_part & (lens > 0)
    side = (away > WHITE_FROM) & (cv2.erode(lens, np.ones((5, 5), np.uint8)) > 0)
    if min(ring.sum(), side.sum()) < _FEWEST:
        return None, None
    colours = np.stack(
        [middle_colour(patch[ring], *IRIS_QUANTILES), middle_colour(patch[side], *WHITE_QUANTILES)]
    )

    def in_photo(pixels: NDArray) -> NDArray:
        return (pixels + 0.5) / view.small_scale - 0.5

    middle = in_photo(low + (centre + 0.5) / _FINER - 0.5)
    size = radius / _FINER / view.small_scale
    lids = in_photo(marks)
    return colours, iris_pattern(view.photo, middle, size, lids[3] - lids[0], lids)


def _iris_centre(patch: NDArray[np.uint8], lens: NDArray[np.uint8], radius: float) -> NDArray:
    """(2,) x, y of the darkest disk that lies well between the lids."""
    span = 2 * round(radius) + 1
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (span, span)).astype(np.float32)
    inside = lens.astype(np.float32)
    dark = (200.0 - np.minimum(patch.max(axis=2), 200)).astype(np.float32) * inside
    count = cv2.filter2D(inside, -1, disk, borderType=cv2.BORDER_CONSTANT)
    darkness = cv2.filter2D(dark, -1, disk, borderType=cv2.BORDER_CONSTANT)
    score = np.where(lens > 0, darkness / np.maximum(count, 0.4 * disk.sum()), -1)
    row, column = np.unravel_index(np.argmax(score), score.shape)
    return np.array([column, row])


def middle_colour(colours: NDArray[np.uint8], low: float, high: float) -> NDArray:
    """(3,) mean log colour of the ``low`` to ``high`` quantiles of brightness."""
    values = log_linear(colours)
    order = np.argsort(values.mean(axis=1))
    first = int(low * len(order))
    return values[order[first : max(first + 1, int(high * len(order)))]].mean(axis=0)
