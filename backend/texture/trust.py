"""Which pixels of the photo show the person's skin and features."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..raster import interpolate
from .layout import Float, Int, Layout, smoothstep
from .view import SRGB_TO_LINEAR, View, edge_distance, sample

#: Facing angles between which a texel's weight falls from 1 to 0.
FACING_FULL = np.cos(np.radians(52.0))
FACING_NONE = np.cos(np.radians(78.0))
#: A texel this much behind the nearest surface (mm) is hidden.
DEPTH_BIAS = 3.0

_LOG_FLOOR = 0.002


@dataclass(frozen=True, eq=False)
class Trust:
    """What is believed of the photo, in analysis pixels."""

    weight: Float  #: (h, w) 0..1, apart from the facing angle
    clear: Float  #: (h, w) 0..1 the same whatever the photo shows there: geometry alone
    like: Float  #: (h, w) 0..1 how much like the face's skin
    ratio: Float  #: (h, w, 3) log of photo over model, smoothed
    flat: Float  #: (h, w, 3) log of the photo with the light divided out, smoothed
    dark: Float  #: (3,) the darkest of the face, brows and lashes, as in ``flat``


def log_linear(picture: NDArray[np.uint8]) -> Float:
    """Natural log of linear light of sRGB bytes, floored so that black stays finite."""
    table = np.log(np.maximum(SRGB_TO_LINEAR, _LOG_FLOOR)).astype(np.float32)
    return table[picture]


def judge(
    view: View, layout: Layout, faces: Int, log_model: Float, log_shading: Float, grey: bool
) -> Trust:
    """Compare the photo with the fitted model (V, 3), the log of shaded skin."""
    regions = layout.regions
    floor = np.maximum(np.maximum(regions.core, regions.forehead), regions.scalp)
    fields = np.column_stack(
        [log_model, log_shading, floor, regions.bare_skin * regions.core]
    ).astype(np.float32)
    seen = interpolate(view.raster, faces, fields)
    observed = log_linear(view.small_photo)
    model, shading, floor_px, sure = seen[..., :3], seen[..., 3:6], seen[..., 6], seen[..., 7]
    ratio = observed - model
    if grey:
        ratio = np.repeat(ratio.mean(axis=2, keepdims=True), 3, axis=2)
    outline, opening = edge_distance(view, layout.skin_face)
    ratio = _masked_blur(ratio, view.raster.mask & (opening > 0), 0.012 * view.face_size)
    like = _skin_likeness(ratio, sure * outline * opening, view.face_size)
    flat = ratio + model - shading
    skin = flat[sure > 0.5]
    dark = np.quantile(skin, 0.02, axis=0) if len(skin) else np.full(3, -3.0)
    clear = outline * opening
    weight = clear * np.maximum(floor_px, like)
    return Trust(weight.astype(np.float32), clear, like, ratio, flat, dark.astype(np.float32))


def photo_weight(view: View, trust: Float, pixels: Float, depth: Float, facing: Float) -> Float:
    """(N,) 0..1 how far the photo is believed at surface points: seen, facing, trusted.

    ``trust`` (h, w) in analysis pixels, ``pixels`` (N, 2) in ``view.photo``, ``depth`` (N,) mm, ``facing`` (N,) cosine.
    """
    small = view.to_small(pixels)
    front = sample(np.where(view.raster.mask, view.raster.depth, 0), small)
    weight = sample(trust, small)
    # A tilted surface changes depth within one analysis pixel, so it gets more room.
    room = DEPTH_BIAS + 110.0 / view.face_size / np.maximum(facing, 0.1)
    weight *= 1 - smoothstep(1.0, 2.0, (depth - front) / room)
    return weight * smoothstep(FACING_NONE, FACING_FULL, facing)


def _masked_blur(values: Float, mask: NDArray[np.bool_], sigma: float) -> Float:
    """Gaussian blur that neither reads nor leaks across the mask's border."""
    sigma = max(sigma, 0.5)
    weight = mask.astype(np.float32)
    total = cv2.GaussianBlur(weight, (0, 0), sigma)
    blurred = cv2.GaussianBlur(values * weight[..., None], (0, 0), sigma)
    return blurred / np.maximum(total, 1e-3)[..., None]


def _features(ratio: Float) -> Float:
    """(..., 3) brightness and two chromaticities of a log colour ratio."""
    middle = ratio.mean(axis=-1)
    return np.stack([middle, ratio[..., 0] - ratio[..., 1], ratio[..., 2] - ratio[..., 1]], axis=-1)


def _skin_likeness(ratio: Float, sure: Float, face_size: float) -> Float:
    """(h, w) 0..1 against the spread of the colours on the middle of the face."""
    features = _features(ratio)
    skin = features[sure > 0.5]
    if len(skin) < 50:
        return np.ones(ratio.shape[:2], np.float32)
    centre = np.median(skin, axis=0)
    spread = 1.48 * np.median(np.abs(skin - centre), axis=0)
    spread = np.clip(spread, [0.15, 0.05, 0.06], [0.35, 0.14, 0.16])
    distance = np.sqrt((((features - centre) / spread) ** 2).sum(axis=-1))
    like = 1 - smoothstep(2.2, 4.0, distance)
    return cv2.GaussianBlur(like, (0, 0), max(0.5, 0.012 * face_size))
