"""Which pixels of the photo show the person's skin and features."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.srgb import SRGB_TO_LINEAR
from ..model import FaceModel
from ..raster import interpolate
from .channels import tripled
from .diffuse import diffuse
from .layout import Float, Layout, sample, smoothstep
from .view import FACE_MM, View, edge_distance

# Set by eye.  On 12 drawn heads with true geometry
# (tools/measure_sensitivity) 0.7 and 1.4 times each changes the error of the face's log albedo
# (0.26) by at most 1 %, those of the hair's cover (0.22) and log colour (0.40) by at most 4 %; more
# is said where it shows.  Stains, collars and the soft borders of real hair, which many of them are
# for, are not drawn.

#: Facing angles between which a texel's weight falls from 1 to 0.
FACING_FULL = np.cos(np.radians(56.0))
FACING_NONE = np.cos(np.radians(80.0))
#: A texel this much behind the nearest surface (mm) is hidden.
DEPTH_BIAS = 3.0
#: In units of that room, between which a texel's weight falls from 1 to 0.
HIDDEN = (1.0, 2.0)
#: Facing cosine between which pixels of a part that is always believed rise to that belief: where
#: the surface turns away, they may be the hair in front of it.
BELIEVED_FACING = (0.3, 0.6)

# What is skin, in logarithms of linear light.
#: Linear light below this is black.
_LOG_FLOOR = 0.002
_LOG_LINEAR = np.log(np.maximum(SRGB_TO_LINEAR, _LOG_FLOOR)).astype(np.float32)
#: Least and largest standard deviation of skin in brightness and in two chromaticities.  The error
#: of the cover rises by 5 % with 0.7 times the least and falls by 9 % with 1.4 times, each +- as
#: much, so neither is told apart from chance.
SPREAD_LOW = np.array([0.13, 0.05, 0.06])
SPREAD_HIGH = np.array([0.32, 0.13, 0.15])
#: Standard deviations from the skin's colour between which a pixel stops being skin; as SPREAD_LOW.
SKIN_LIKE = (2.2, 4.0)
#: Log brightness against the skin's between which a pixel of the forehead stops being a lock of
#: hair: lines are down to -0.2.
LOCKS = (-0.45, -0.2)
#: How often skin is grown from what was skin before.  Set by eye, not measured.
_ROUNDS = 6
#: Photo and model differ by no more, at a vertex and in the field that is made of them.
_MOST_RATIO, _MOST_CORRECTION = 2.0, 1.6
#: Quantile of the face's pixels, feature by feature, that is called its darkest.
_DARKEST = 0.03

# Standard deviations and widths in faces (brows to chin).
#: Of what is compared with the model: pores and noise are no difference.
SMOOTHING = 0.012
_LIKE_SMOOTHING = 0.01
#: What is not skin is kept clear of by half this width, softly: collars and strands of hair have
#: soft borders.
BORDER, _BORDER_SMOOTHING = 0.06, 0.02


@dataclass(frozen=True, eq=False)
class Trust:
    """What is believed of the photo, in analysis pixels."""

    weight: Float  #: (h, w) 0..1, apart from the facing angle
    clear: Float  #: (h, w) 0..1 the same whatever the photo shows there: geometry alone
    outline: Float  #: (h, w) 0..1 away from silhouettes
    like: Float  #: (h, w) 0..1 how much like the face's skin
    ratio: Float  #: (h, w, 3) log of photo over model, smoothed
    flat: Float  #: (h, w, 3) log of the photo with the light divided out, smoothed
    correction: Float  #: (V, 3) log ratio of photo to model, smooth over all of the skin
    dark: Float  #: (3,) the darkest of the face, brows and lashes, as in ``flat``


def log_linear(picture: NDArray[np.uint8]) -> Float:
    """Natural log of linear light of sRGB bytes, floored so that black stays finite."""
    return cv2.LUT(picture, _LOG_LINEAR) if picture.size else np.zeros(picture.shape, np.float32)


def judge(
    view: View,
    model: FaceModel,
    layout: Layout,
    log_model: Float,
    log_shading: Float,
    grey: bool,
    under_hair: NDArray | None = None,
) -> Trust:
    """Compare the photo with the fitted model (V, 3), the log of shaded skin.

    Where ``under_hair`` (V,) 0..1 says so nothing is believed.
    """
    regions = layout.regions
    floor = np.maximum(np.maximum(regions.believed, regions.forehead), regions.hairable)
    floor = floor * smoothstep(*BELIEVED_FACING, view.facing)
    # Hair that is painted may lie anywhere; else a dark pixel over the brows is a lock.
    hair, locks = np.zeros_like(floor), np.zeros_like(floor)
    if under_hair is not None:
        brows = model.mask("brows") if "brows" in model.mask_names else 0
        hair, locks = under_hair, np.maximum(regions.forehead, regions.hairable) * (1 - brows)
    fields = np.column_stack([log_model, log_shading, floor, hair, locks]).astype(np.float32)
    seen = interpolate(view.raster, model.faces, fields)
    expected, shading = seen[..., :3], seen[..., 3:6]
    floor_px, hair_px, locks_px = seen[..., 6], seen[..., 7], seen[..., 8]
    ratio = log_linear(view.small_photo) - expected
    if grey:
        ratio = np.repeat(ratio.mean(axis=2, keepdims=True), 3, axis=2)
    outline, opening = edge_distance(view, layout.skin_face)
    clear = outline * opening
    ratio = _masked_blur(ratio, view.raster.mask & (opening > 0), SMOOTHING * view.face_size)
    correction, spread = _grow(view, model, layout, clear * (1 - hair_px), ratio)
    apart = ratio - interpolate(view.raster, model.faces, correction)
    like = _likeness(apart, spread)
    like = cv2.GaussianBlur(like, (0, 0), max(0.5, _LIKE_SMOOTHING * view.face_size))
    flat = ratio + expected - shading
    face = flat[(interpolate(view.raster, model.faces, regions.core[:, None])[..., 0] > 0.5)]
    dark = np.quantile(face, _DARKEST, axis=0) if len(face) else np.full(3, -3.0)
    floor_px = floor_px * (1 - locks_px * (1 - smoothstep(*LOCKS, apart.mean(axis=2))))
    weight = clear * (1 - hair_px) * np.maximum(floor_px, _shrunk(like, view.face_size))
    return Trust(weight, clear, outline, like, ratio, flat, correction, dark)


def _grow(
    view: View, model: FaceModel, layout: Layout, clear: Float, ratio: Float
) -> tuple[Float, NDArray]:
    """(V, 3) smooth log ratio of photo to model on all of the skin, and the spread about it.

    Skin is grown over the mesh from the middle of the face: what differs little from the field
    carried there from its neighbours is skin and carries the field on, so it follows a soft shadow
    over a cheek but stops where hair or a collar begins.
    """
    regions = layout.regions
    values = np.clip(sample(ratio, view.to_small(view.pixels)), -_MOST_RATIO, _MOST_RATIO)
    seen = photo_weight(view, clear, view.pixels, view.depth, view.facing)
    seen = seen * regions.bare_skin * layout.skin_vertex
    sure = seen * regions.sure
    spread = SPREAD_HIGH
    if sure.sum() < 3:
        return np.zeros_like(values), spread
    field = np.broadcast_to(weighted_median(values, sure), values.shape)
    for _ in range(_ROUNDS):
        gap = np.abs(_features(values - field))
        spread = np.clip(1.48 * weighted_median(gap, sure), SPREAD_LOW, SPREAD_HIGH)
        like = _likeness(values - field, spread)
        # Grazing views are darkened and stained by what lies behind them.
        known = seen**2 * like
        resting = weighted_median(values, known)
        field = diffuse(layout.graph, values, known, resting, model.symmetry)
    return np.clip(field, -_MOST_CORRECTION, _MOST_CORRECTION).astype(np.float32), spread


def weighted_median(values: NDArray, weights: NDArray) -> NDArray:
    """(C,) weighted median of each column of ``values`` (N, C)."""
    counting = weights > 0
    if counting.any():  # what does not count need not be sorted
        values, weights = values[counting], weights[counting]
    order = np.argsort(values, axis=0)
    running = np.cumsum(weights[order], axis=0)
    middle = (running < weights.sum() / 2).sum(axis=0)
    columns = np.arange(values.shape[1])
    return values[order[np.minimum(middle, len(values) - 1), columns], columns]


def photo_weight(view: View, trust: Float, pixels: Float, depth: Float, facing: Float) -> Float:
    """(N,) 0..1 how far the photo is believed at surface points: seen, facing, trusted.

    ``trust`` (h, w) in analysis pixels, ``pixels`` (N, 2) in ``view.photo``, ``depth`` (N,) mm,
    ``facing`` (N,) cosine.
    """
    small = view.to_small(pixels)
    front = sample(view.raster.depth, small)
    weight = sample(trust, small)
    # A tilted surface changes depth within one analysis pixel, so it gets more room.
    room = DEPTH_BIAS + FACE_MM / view.face_size / np.maximum(facing, 0.1)
    weight *= 1 - smoothstep(*HIDDEN, (depth - front) / room)
    return weight * smoothstep(FACING_NONE, FACING_FULL, facing)


def _masked_blur(values: Float, mask: NDArray[np.bool_], sigma: float) -> Float:
    """Gaussian blur that neither reads nor leaks across the mask's border."""
    sigma = max(sigma, 0.5)
    weight = mask.astype(np.float32)
    total = cv2.GaussianBlur(weight, (0, 0), sigma)
    blurred = cv2.GaussianBlur(values * tripled(weight), (0, 0), sigma)
    return blurred / tripled(np.maximum(total, 1e-3))


def _shrunk(like: Float, face_size: float) -> Float:
    """``like`` kept clear of what is not skin."""
    width = max(1, round(BORDER * face_size))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    return cv2.GaussianBlur(
        cv2.erode(like, kernel), (0, 0), max(0.5, _BORDER_SMOOTHING * face_size)
    )


def _features(ratio: Float) -> Float:
    """(..., 3) brightness and two chromaticities of a log colour ratio."""
    red, green, blue = (ratio[..., k] for k in range(3))
    middle = (red + green + blue) / 3
    return np.stack([middle, red - green, blue - green], axis=-1)


def _likeness(apart: Float, spread: NDArray) -> Float:
    """(...) 0..1 for log colour ratios (..., 3) apart from the skin's, in units of its spread."""
    squares = (_features(apart) / spread) ** 2
    return 1 - smoothstep(*SKIN_LIKE, np.sqrt(squares[..., 0] + squares[..., 1] + squares[..., 2]))
