"""Teeth between the lips: which pixels of an open mouth look like them.

What one takes for teeth decides how far the jaw is open, and which colour the head's teeth get.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

INNER_LIPS = slice(60, 68)

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


class Opening(NamedTuple):
    """The N pixels of what is seen between the lips."""

    colours: NDArray[np.uint8]  #: (N, 3) sRGB
    teeth: NDArray[np.bool_]  #: (N,) whether it looks like a tooth


def look_between_lips(pixels: NDArray[np.uint8], landmarks: NDArray) -> Opening | None:
    """What the mouth with ``landmarks`` (68, 2) pixels shows in ``pixels`` (H, W, 3) uint8 sRGB.

    Teeth are about as light as the skin around and far less coloured than lips, gums and tongue.
    None for a mouth that is closed, too small, or not in the picture.
    """
    inner = np.asarray(landmarks, np.float64)[INNER_LIPS]
    width = float(np.linalg.norm(inner[4] - inner[0]))
    height = float(np.linalg.norm(inner[[1, 2, 3]] - inner[[7, 6, 5]], axis=1).mean())
    if width < NARROWEST_PX or height < THINNEST * width:
        return None
    mouth, inner, skin = _cut_out(pixels, landmarks, MOUTH_WIDTH / width)
    opening = np.zeros(mouth.shape[:2], np.uint8)
    cv2.fillPoly(opening, [np.round(inner).astype(np.int32)], 1)
    # The lips' own edge is not part of what is seen between them.
    opening = cv2.erode(opening, np.ones((3, 3), np.uint8)) > 0
    if not opening.any() or skin <= 0:
        return None
    colours = mouth[opening]
    seen = colours.astype(np.float64)
    light = seen @ LUMA
    colour = (seen.max(axis=1) - seen.min(axis=1)) / np.maximum(seen.max(axis=1), 1.0)
    return Opening(colours, (light > LEAST_LIGHT * skin) & (colour < MOST_COLOUR))


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
