"""What the mouth in the photo shows: lips that touch, teeth, or the dark of an open jaw.

The lips' landmarks part in the same way when somebody shows the teeth in a smile and when the jaw
drops.  The picture between the lips tells which it is.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.upright import rigid_view
from ..network.region_crops import POSE_WEIGHTS

INNER_LIPS = slice(60, 68)
#: Landmarks of the inner lips opposite each other, upper and lower.
FACING_LIPS = ((61, 67), (62, 66), (63, 65))
#: mm, detector's and network's opening together, below which lips touch.  Of 57 labelled pictures
#: of people (18 shut) it is at most 6.6 in 16 that are shut, 8.9 and 10.4 in the others, a
#: snarl among them, and at least 7.5 in those that are open.
TOUCHING_MM = 7.0

# Set by eye; measured since on 28 photos, eleven of them with teeth, and on 48 drawn mouths
# (tools/measure_sensitivity), whose teeth are darker than people's: 0.22 of an opening shows them,
# 0.09 is found, the mean error is 0.17.  Where nothing is said, 0.7 and 1.4 times each changes the
# share by at most 0.03 on a photo and the error by at most 1 % on drawn mouths.

#: Pixels between the corners of the inner lips below which nothing is told.
NARROWEST_PX = 8.0
#: An opening lower than this part of its width is too thin to look into.  Of the photos 1.4 times
#: as much loses two of the eleven; on drawn mouths both 0.7 and 1.4 times are 12 % worse (+- 10 %).
THINNEST = 0.08
#: Pixels to which the inner lips' width is scaled: enough to tell teeth, quick for any photo.
MOUTH_WIDTH = 120.0
#: Teeth have at least this part of the luma of the skin around, in sRGB.  On the photos 0.25 to 0.6
#: is within 0.08, with 0.65 shaded teeth are lost (0.19); drawn ones are told better the lower it
#: is, by 19 % (+- 6 %) with 0.25.
LEAST_LIGHT = 0.55
#: Teeth have at most this saturation, (most - least) / most of the channels, in sRGB.  It matters
#: most: on the photos 0.3 takes 0.14 away and 0.4 adds 0.30 where teeth are yellow; on drawn mouths
#: 0.3 to 0.4 is within 7 %, 0.2 and 0.5 are 18 and 38 % worse.
MOST_COLOUR = 0.35
#: Red, green and blue of luma (ITU-R BT.601).
LUMA = (0.299, 0.587, 0.114)
#: Pixels kept around the lips that are cut out.
_MARGIN_PX = 8


def lips_touch(
    marks: NDArray, points: Mapping[int, tuple[float, float]], template: NDArray
) -> bool:
    """Whether the lips of the face with landmarks ``marks`` (68, 2) are shut.

    ``points`` are the same landmarks in pixels as the mouth's network tells them
    (:attr:`~..network.regions.RegionReading.points`), ``template`` (68, 3) mm the mean head's.
    """
    marks = np.asarray(marks, np.float64)
    scale = rigid_view(marks[None], template, POSE_WEIGHTS)[0][0]
    seen = np.array([[points[a], points[b]] for a, b in FACING_LIPS])
    marked = marks[np.array(FACING_LIPS)]
    apart = sum(np.linalg.norm(at[:, 0] - at[:, 1], axis=1).mean() for at in (seen, marked))
    return bool(apart < TOUCHING_MM * scale)


def visible_teeth(pixels: NDArray[np.uint8], landmarks: NDArray) -> float:
    """Share (0..1) of the opening between the lips that looks like teeth.

    ``pixels`` (H, W, 3) uint8 sRGB, ``landmarks`` (68, 2) in its pixels.  Teeth are about as light
    as the skin around and far less coloured than lips, gums and tongue.  0 for a closed mouth.
    """
    inner = np.asarray(landmarks, np.float64)[INNER_LIPS]
    width = float(np.linalg.norm(inner[4] - inner[0]))
    height = float(np.linalg.norm(inner[[1, 2, 3]] - inner[[7, 6, 5]], axis=1).mean())
    if width < NARROWEST_PX or height < THINNEST * width:
        return 0.0
    mouth, inner, skin = _cut_out(pixels, landmarks, MOUTH_WIDTH / width)
    opening = np.zeros(mouth.shape[:2], np.uint8)
    cv2.fillPoly(opening, [np.round(inner).astype(np.int32)], 1)
    # The lips' own edge is not part of what is seen between them.
    opening = cv2.erode(opening, np.ones((3, 3), np.uint8)) > 0
    if not opening.any() or skin <= 0:
        return 0.0
    seen = mouth[opening].astype(np.float64)
    light = seen @ LUMA
    colour = (seen.max(axis=1) - seen.min(axis=1)) / np.maximum(seen.max(axis=1), 1.0)
    return float(np.mean((light > LEAST_LIGHT * skin) & (colour < MOST_COLOUR)))


def _cut_out(
    pixels: NDArray[np.uint8], landmarks: NDArray, scale: float
) -> tuple[NDArray[np.uint8], NDArray, float]:
    """The mouth scaled by ``scale``, its inner lips there, and the luma of the skin around."""
    points = np.asarray(landmarks, np.float64)
    low = np.floor(points[48:68].min(axis=0) - _MARGIN_PX).astype(int)
    high = np.ceil(points[48:68].max(axis=0) + _MARGIN_PX + 1).astype(int)
    low, high = np.maximum(low, 0), np.minimum(high, pixels.shape[1::-1])
    if (high - low < 4).any():
        return np.zeros((4, 4, 3), np.uint8), points[INNER_LIPS], 0.0
    patch = pixels[low[1] : high[1], low[0] : high[0]]
    patch = cv2.resize(patch, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    # Skin: halfway between the nose's wings and the mouth's corners, left and right.
    cheeks = 0.5 * (points[[31, 35]] + points[[48, 54]])
    columns, rows = np.clip(np.round(cheeks).astype(int), 0, np.array(pixels.shape[1::-1]) - 1).T
    skin = pixels[rows, columns].astype(np.float64).mean(axis=0) @ LUMA
    return patch, (points[INNER_LIPS] - low) * scale, float(skin)
