"""A pair of spectacles' frame, taken off the skin.

The photo shows it before the face, so that it would be painted on.  It is known by what nothing on
a face has: a bar across the bridge of the nose, and below an eye an even dark line all the way from
one side to the other, a finger's width from the lids.  That line is the best closed path around the
eye (dynamic programming over angle and distance, as Amini, Weymouth and Jain 1990 find active
contours).  The lenses' tint and reflections stay.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..kept import kept
from ..model import FaceModel
from ..raster.atlas import texel_coordinates
from .channels import mean_of, tripled
from .evening import settle, weighted_mean
from .eyelids import EDGE
from .layout import Box, Float, Layout

# Found on 28 photos and 15 frames of films, one of them with a frame, and 200 drawn heads, of which
# a sixth wear one; the numbers are those of the other pictures and of these.

#: Log brightness of the bar under the skin around: from 0.49 with a frame.  Frowns and fringes have
#: up to 0.94, so this only spares the next, which takes time.
_BAR = 0.4
#: The same of the line below an eye: what all but 15 % of it have, at most 0.18 where there is such
#: a bar but no frame (0.35 where there is none either), and from 0.44 on one side with a frame.
_LINE, _ALL_BUT = 0.3, 0.15
#: Part of that line that has to be seen.
_SEEN_PART = 0.6
#: mm: what is narrower is a frame.
_NARROW_MM = 9.0
#: mm from the middle of the nose, and above and below the eyes' middle, that the bar lies in.
_BRIDGE_MM, _BRIDGE_HIGH_MM = 1.5, 14.0
#: mm from the middle of an eye that its line lies in, and from the lids' edge at least.
_REACH_MM, _OFF_LIDS_MM = (8.0, 36.0), 5.0
#: Directions around an eye, what the path pays for a step aside, as log brightness, and the most of
#: it that counts: else it would leave its way for a darker place.
_ANGLES, _ASIDE, _MOST = 240, 0.03, 0.6
#: Height, as a sine, above which the line is not asked: there are brows.
_BESIDE = 0.25
#: mm from the path, or from the bar's and the temples' rows, that are looked at for the frame, and
#: log brightness from which a texel there is its.
_AROUND_MM, _DARK = 4.5, 0.1
#: mm by which the frame is wider: its edge is blurred, and sharpening has set a bright line beside.
_WIDER_MM = 1.8
#: Brows keep what is not this close to the path, mm.
_BROW_MM = 1.2
#: Standard deviation in mm of the skin that comes in its place, and how far that may differ.
_SKIN_MM, _FINE = 5.0, 0.04
_SEEN, _LEAST = 0.3, 1e-3


@dataclass(frozen=True, eq=False)
class _Eye:
    """Where the line around an eye may be, in texels of the small atlas."""

    x: Float  #: (A, R) by direction and distance
    y: Float  #: (A, R)
    close: NDArray[np.bool_]  #: (A, R) on the lids
    low: NDArray[np.bool_]  #: (A,) directions that are asked
    middle: NDArray[np.float64]  #: (2,)


def without_frame(
    model: FaceModel,
    layout: Layout,
    shown: tuple[Float, Float],
    weight: Float,
    colour: Float,
    plain: Float,
    box: Box,
    texel_mm: float,
) -> Float:
    """Take a frame out of ``shown``: log over the ground (H, W, 3) and the photo's weight (H, W),
    both in place; gives ``colour`` without it.

    ``weight`` (h, w) and ``colour`` (h, w, 3), log over the ground times it, are the same averaged
    down to texels of ``texel_mm``, the part ``box`` of the small atlas; ``plain`` (h, w) 0..1 is
    skin of even colour, which comes in its place.
    """
    found = find_frame(model, layout, weight, colour, box, texel_mm)
    if found is None:
        return colour
    bare = (1 - found) * np.maximum(plain, _LEAST)
    skin = weighted_mean(colour, weight * bare, bare, _SKIN_MM / texel_mm)
    settle(shown, weight, found, skin, np.full_like(found, _FINE), texel_mm)
    return colour * tripled(1 - found) + skin * tripled(found * weight)


def find_frame(
    model: FaceModel, layout: Layout, weight: Float, colour: Float, box: Box, texel_mm: float
) -> Float | None:
    """(h, w) 0..1 where a frame is, None where there is none; what is given is that of
    :func:`without_frame`."""
    if model.lid_rings is None or "brows" not in model.mask_names:
        return None
    eyes = _eyes(model, layout, texel_mm)
    corner = np.array([box[1].start, box[0].start])
    bar = _bar_box(eyes, corner, weight.shape, texel_mm)
    margin = round(_NARROW_MM / texel_mm)
    wide = tuple(slice(max(one.start - margin, 0), one.stop + margin) for one in bar)
    here = _depth(weight[wide], colour[wide], texel_mm)
    inner = tuple(
        slice(one.start - out.start, one.stop - out.start)
        for one, out in zip(bar, wide, strict=True)
    )
    across = here[inner].mean(axis=1) if here[inner].size else np.zeros(1)
    if across.max() < _BAR:
        return None
    depth = _depth(weight, colour, texel_mm)
    lines = [_line(eye, corner, depth, weight) for eye in eyes]
    if max(even for even, _ in lines) < _LINE:
        return None
    height = bar[0].start + int(across.argmax())
    return _frame(model, [path for _, path in lines], height, depth, box, texel_mm)


def _depth(weight: Float, colour: Float, texel_mm: float) -> Float:
    """(h, w) log brightness by which what is narrow lies under what is around it."""
    total = np.maximum(weight, _LEAST)
    bright = np.where(weight > _SEEN, mean_of(colour) / total, -np.inf).astype(np.float32)
    side = round(_NARROW_MM / texel_mm) // 2 * 2 + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    # What is not seen is darkest to the dilation and brightest to the erosion: it counts for none.
    closed = cv2.dilate(bright, kernel)
    closed = cv2.erode(np.where(np.isfinite(closed), closed, np.inf).astype(np.float32), kernel)
    known = np.isfinite(bright) & np.isfinite(closed)
    return np.where(known, closed - np.where(known, bright, 0), 0).astype(np.float32)


@kept(maxsize=2)
def _eyes(model: FaceModel, layout: Layout, texel_mm: float) -> list[_Eye]:
    """The right and the left eye, in order of the columns."""
    assert model.lid_rings is not None
    place = np.zeros((len(model.mean), 2))
    uv = np.asarray(model.uv, np.float64)[model.uv_faces.ravel()]
    place[model.faces.ravel()] = texel_coordinates(uv, len(layout.small.mask))
    edges = [place[ring] for ring in model.lid_rings[:, EDGE]]
    return [_eye(edge, texel_mm) for edge in sorted(edges, key=lambda edge: edge[:, 0].mean())]


def _eye(edge: NDArray, texel_mm: float) -> _Eye:
    """The :class:`_Eye` whose lids end at ``edge`` (N, 2), texels."""
    middle = edge.mean(axis=0)
    angle = np.linspace(0, 2 * np.pi, _ANGLES, endpoint=False)
    low, high = (round(end / texel_mm) for end in _REACH_MM)
    away = np.arange(low, high)
    x = middle[0] + np.cos(angle)[:, None] * away
    y = middle[1] + np.sin(angle)[:, None] * away  # rows run down
    gap = cKDTree(edge).query(np.stack([x, y], axis=-1))[0] * texel_mm
    return _Eye(
        x.astype(np.float32),
        y.astype(np.float32),
        gap < _OFF_LIDS_MM,
        np.sin(angle) > -_BESIDE,
        middle,
    )


def _bar_box(eyes: list[_Eye], corner: NDArray, shape: tuple[int, ...], texel_mm: float) -> Box:
    """Rows and columns over the bridge of the nose that a bar has to cross."""
    x, y = (eyes[0].middle + eyes[1].middle) / 2 - corner
    wide, high = _BRIDGE_MM / texel_mm, _BRIDGE_HIGH_MM / texel_mm
    ends = ((y - high, y + high), (x - wide, x + wide))
    rows, columns = (
        slice(*(int(np.clip(round(end), 0, side)) for end in pair))
        for pair, side in zip(ends, shape, strict=False)
    )
    return rows, columns


def _line(eye: _Eye, corner: NDArray, depth: Float, weight: Float) -> tuple[float, NDArray]:
    """How dark the line around an ``eye`` is all along below it, 0 where too little is seen, and
    its path (A, 2) in texels of ``depth`` (h, w)."""
    x, y = (at - np.float32(start) for at, start in zip((eye.x, eye.y), corner, strict=True))
    dark, seen = (cv2.remap(field, x, y, cv2.INTER_LINEAR) for field in (depth, weight))
    dark = np.where(seen > _SEEN, np.minimum(dark, _MOST), 0)
    path = _closed_path(np.where(eye.close, -_MOST / 3, dark))
    along = np.arange(_ANGLES), path
    asked = eye.low & (seen[along] > _SEEN)
    even = 0.0
    if asked.sum() > _SEEN_PART * eye.low.sum():
        even = float(np.quantile(dark[along][asked], _ALL_BUT))
    return even, np.stack([x[along], y[along]], axis=1)


def _closed_path(gain: NDArray) -> NDArray[np.intp]:
    """(A,) the column of each row of ``gain`` (A, R) that together gain most, the first row coming
    after the last, with steps of at most two columns."""
    count = gain.shape[1]
    # Three times round: the middle one knows nothing of its ends.
    rows = np.concatenate([gain, gain, gain])
    total, came = np.zeros(count), np.empty(rows.shape, np.intp)
    steps = np.arange(-2, 3)
    sources = np.arange(count)[None] - steps[:, None]
    outside = (sources < 0) | (sources >= count)
    sources = sources.clip(0, count - 1)
    price = np.where(outside, np.inf, _ASIDE * np.abs(steps)[:, None])
    for row, values in enumerate(rows):
        offers = total[sources] - price
        best = offers.argmax(axis=0)
        came[row] = sources[best, np.arange(count)]
        total = offers[best, np.arange(count)] + values
    path, at = np.empty(len(rows), np.intp), int(total.argmax())
    for row in range(len(rows) - 1, -1, -1):
        path[row] = at
        at = came[row, at]
    return path[len(gain) : 2 * len(gain)]


def _frame(
    model: FaceModel,
    paths: list[NDArray],
    bar_row: int,
    depth: Float,
    box: Box,
    texel_mm: float,
) -> Float:
    """(h, w) 0..1 the frame: what is dark along both ``paths``, between them in the bar's rows, and
    beside them where temples begin."""
    around = round(_AROUND_MM / texel_mm)
    rims, wide = np.zeros(depth.shape, np.uint8), np.zeros(depth.shape, np.uint8)
    for path in paths:
        corners = [np.round(path).astype(np.int32)]
        cv2.polylines(rims, corners, True, 1, 2 * round(_BROW_MM / texel_mm))
        cv2.polylines(wide, corners, True, 1, 2 * around)
    left, right = (path[:, 0] for path in paths)
    rows = slice(max(bar_row - around, 0), bar_row + around)
    wide[rows, round(left.max()) : round(right.min())] = 1
    for path, side in zip(paths, (-1, 1), strict=True):
        outermost = path[(side * path[:, 0]).argmax()]
        row, column = np.round(outermost).astype(int)[::-1]
        beside = slice(0, column) if side < 0 else slice(column, None)
        wide[max(row - 2 * around, 0) : row + around, beside] = 1
    brows = model.uv_mask("brows")[box] > 0.1
    dark = (depth > _DARK) & (wide > 0) & (~brows | (rims > 0))
    # Only what hangs together with the paths: no mole beside them.
    parts = cv2.connectedComponents((dark | ((rims > 0) & (depth > 0.02))).astype(np.uint8))[1]
    held = np.unique(parts[(rims > 0) & dark])
    frame = (np.isin(parts, held[held > 0]) & dark).astype(np.uint8)
    side = 2 * round(_WIDER_MM / texel_mm) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    grown = np.where(brows & (rims == 0), 0, cv2.dilate(frame, kernel)).astype(np.float32)
    return cv2.GaussianBlur(grown, (0, 0), 0.4 * _WIDER_MM / texel_mm)
