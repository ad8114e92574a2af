"""Where a face's eyes and mouth lie in a photo, and their pictures for the networks of regions.

The crops are upright and of a fixed size in millimetres of the mean head, so that a raised brow is
not taken for a small eye; the left eye's is mirrored, so that one network reads both.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.upright import levelling, rigid_view

Bytes = NDArray[np.uint8]
Double = NDArray[np.float64]
Float = NDArray[np.float32]

#: Pixels, the side of a crop.
SIZE = 96
#: Numbers about the pose that a network gets beside a crop.
HINTS = 4


@dataclass(frozen=True)
class Region:
    """A part of the face and its crop."""

    network: str  #: "eye" or "mouth": which one reads it
    side_mm: float  #: of the crop
    around: tuple[int, ...]  #: the landmarks whose mean it lies about ...
    rise_mm: float  #: ... so much higher
    mirrored: bool
    points: tuple[int, ...]  #: the landmarks on its contours, as the network tells them


_BROW_RISE = 12.0
RIGHT_EYE = Region(
    "eye", 72.0, (36, 39), _BROW_RISE, False, (17, 18, 19, 20, 21, 36, 37, 38, 39, 40, 41)
)
LEFT_EYE = Region(
    "eye", 72.0, (42, 45), _BROW_RISE, True, (26, 25, 24, 23, 22, 45, 44, 43, 42, 47, 46)
)
MOUTH = Region("mouth", 84.0, (48, 54, 33), -8.0, False, tuple(range(48, 68)))
REGIONS = (RIGHT_EYE, LEFT_EYE, MOUTH)

#: How much the landmarks count for the pose: the nose and the eyes' corners hardly move with an
#: expression; the jaw's upper ends tell how far the head is turned.
POSE_WEIGHTS = np.zeros(68)
POSE_WEIGHTS[27:36] = 1.0
POSE_WEIGHTS[[36, 39, 42, 45]] = 1.5
POSE_WEIGHTS[[0, 1, 2, 14, 15, 16]] = 0.15
#: Pixels per mm: marks that all lie in one place would have none.
_LEAST_SCALE = 1e-2
#: Photo pixels per crop pixel from which on the photo is smoothed before it is sampled, the
#: standard deviation of that in crop pixels, and from which on it is shrunk first.
_SMOOTHED, _SMOOTHING, _SHRUNK = 1.2, 0.45, 4.0


@dataclass(frozen=True, eq=False)
class Placement:
    """The crops of one face, in the order of :data:`REGIONS`."""

    to_crop: Double  #: (3, 2, 3) photo pixels to crop pixels
    hints: Float  #: (3, 4) how the head is turned, mirrored where the crop is

    def to_photo(self, points: NDArray, region: int) -> Double:
        """(P, 2) photo pixels of ``points`` (P, 2) of a crop."""
        matrix = self.to_crop[region]
        return np.linalg.solve(matrix[:, :2], (np.asarray(points) - matrix[:, 2]).T).T


def placed(marks: NDArray, template: NDArray) -> Placement:
    """By landmarks ``marks`` (68, 2) pixels; ``template`` (68, 3) mm are the mean head's."""
    marks = np.asarray(marks, np.float64)
    scales, turns = rigid_view(marks[None], template, POSE_WEIGHTS)
    scale, level = max(float(scales[0]), _LEAST_SCALE), levelling(turns)[0]
    seen = level @ turns[0]
    matrices = [_matrix(region, marks, scale, level) for region in REGIONS]
    hints = [_hints(seen, region.mirrored) for region in REGIONS]
    return Placement(np.stack(matrices), np.array(hints, np.float32))


def _matrix(region: Region, marks: Double, scale: float, level: Double) -> Double:
    """(2, 3) photo pixels to crop pixels."""
    up = -level[1]  # of the head, in the photo
    centre = marks[list(region.around)].mean(axis=0) + up * scale * region.rise_mm
    linear = SIZE / (region.side_mm * scale) * level
    matrix = np.c_[linear, (SIZE - 1) / 2 - linear @ centre]
    if region.mirrored:
        matrix[0] *= -1
        matrix[0, 2] += SIZE - 1
    return matrix


def _hints(seen: Double, mirrored: bool) -> tuple[float, float, float, float]:
    """Of the upright head's first two rows of rotation: about sin(yaw), sin(pitch)."""
    aside = -seen[0, 2] if mirrored else seen[0, 2]
    return aside, seen[1, 2], aside**2, seen[0, 0]


def crops(pixels: Bytes, placement: Placement) -> Bytes:
    """(3, S, S, 3) uint8 of ``pixels`` (H, W, 3); beyond the photo its edge goes on."""
    return np.stack([sampled(pixels, matrix, SIZE) for matrix in placement.to_crop])


def sampled(pixels: Bytes, matrix: Double, size: int) -> Bytes:
    """(size, size, 3) uint8 of ``pixels`` (H, W, 3), without aliases of pixels that it leaves out.

    ``matrix`` (2, 3) takes photo pixels to the crop's; beyond the photo its edge goes on.
    """
    step = 1 / np.sqrt(abs(np.linalg.det(matrix[:, :2])))  # photo pixels per crop pixel
    pixels, corner = _around(pixels, matrix, size, 3 * step)
    matrix = matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ corner
    variance = (_SMOOTHING * step) ** 2
    if step > _SHRUNK:
        pixels, matrix, step, variance = _shrunk(pixels, matrix, step, variance)
    if step > _SMOOTHED:
        pixels = cv2.GaussianBlur(pixels, (0, 0), np.sqrt(variance))
    return cv2.warpAffine(
        pixels, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _around(pixels: Bytes, matrix: Double, size: int, margin: float) -> tuple[Bytes, Double]:
    """What of ``pixels`` a crop needs, and the place (x, y) of its first pixel."""
    ends = np.array([(x, y) for x in (0, size - 1) for y in (0, size - 1)], np.float64)
    seen = np.linalg.solve(matrix[:, :2], (ends - matrix[:, 2]).T).T
    last = np.array(pixels.shape[1::-1]) - 1
    low = np.clip(np.floor(seen.min(axis=0) - margin), 0, last).astype(int)
    high = np.clip(np.ceil(seen.max(axis=0) + margin), 0, last).astype(int)
    part = pixels[low[1] : high[1] + 1, low[0] : high[0] + 1]
    return part, low.astype(np.float64)


def _shrunk(
    pixels: Bytes, matrix: Double, step: float, variance: float
) -> tuple[Bytes, Double, float, float]:
    """All four after blocks of pixels became one: a large photo's smoothing would take long."""
    height, width = pixels.shape[:2]
    block = min(int(step / 2), height, width)
    if block < 2:
        return pixels, matrix, step, variance
    height, width = height // block, width // block
    # What is left over at the ends is beyond the margin, or a strip at the photo's edge.
    whole = pixels[: height * block, : width * block]
    small = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
    middle = matrix[:, 2] + matrix[:, :2] @ np.full(2, (block - 1) / 2)
    left = variance - (block**2 - 1) / 12  # a block's mean has smoothed by so much
    return small, np.c_[matrix[:, :2] * block, middle], step / block, left / block**2
