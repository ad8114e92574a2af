"""What the open mouth in the photo shows: teeth, or the dark of an open jaw.

The lips' landmarks part in the same way when somebody shows the teeth in a smile and when the jaw
drops.  The picture between the lips tells which it is.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

INNER_LIPS = slice(60, 68)
#: An opening lower than this part of its width is too thin to look into.
THINNEST = 0.08
#: Side in pixels to which the mouth is scaled: enough to tell teeth, quick for any photo.
MOUTH_WIDTH = 120.0


def visible_teeth(pixels: NDArray[np.uint8], landmarks: NDArray) -> float:
    """Share (0..1) of the opening between the lips that looks like teeth.

    ``pixels`` (H, W, 3) uint8 sRGB, ``landmarks`` (68, 2) in its pixels.  Teeth are about as light
    as the skin around and far less coloured than lips, gums and tongue.  0 for a closed mouth.
    """
    inner = np.asarray(landmarks, np.float64)[INNER_LIPS]
    width = float(np.linalg.norm(inner[4] - inner[0]))
    height = float(np.linalg.norm(inner[[1, 2, 3]] - inner[[7, 6, 5]], axis=1).mean())
    if width < 8.0 or height < THINNEST * width:
        return 0.0
    mouth, inner, skin = _cut_out(pixels, landmarks, MOUTH_WIDTH / width)
    opening = np.zeros(mouth.shape[:2], np.uint8)
    cv2.fillPoly(opening, [np.round(inner).astype(np.int32)], 1)
    # The lips' own edge is not part of what is seen between them.
    opening = cv2.erode(opening, np.ones((3, 3), np.uint8)) > 0
    if not opening.any() or skin <= 0:
        return 0.0
    seen = mouth[opening].astype(np.float64)
    light = seen @ (0.299, 0.587, 0.114)
    colour = (seen.max(axis=1) - seen.min(axis=1)) / np.maximum(seen.max(axis=1), 1.0)
    return float(np.mean((light > 0.55 * skin) & (colour < 0.35)))


def _cut_out(
    pixels: NDArray[np.uint8], landmarks: NDArray, scale: float
) -> tuple[NDArray[np.uint8], NDArray, float]:
    """The mouth scaled by ``scale``, its inner lips there, and the luma of the skin around."""
    points = np.asarray(landmarks, np.float64)
    low = np.floor(points[48:68].min(axis=0) - 8).astype(int)
    high = np.ceil(points[48:68].max(axis=0) + 9).astype(int)
    low, high = np.maximum(low, 0), np.minimum(high, pixels.shape[1::-1])
    if (high - low < 4).any():
        return np.zeros((4, 4, 3), np.uint8), points[INNER_LIPS], 0.0
    patch = pixels[low[1] : high[1], low[0] : high[0]]
    patch = cv2.resize(patch, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    # Skin: halfway between the nose's wings and the mouth's corners, left and right.
    cheeks = 0.5 * (points[[31, 35]] + points[[48, 54]])
    columns, rows = np.clip(np.round(cheeks).astype(int), 0, np.array(pixels.shape[1::-1]) - 1).T
    skin = pixels[rows, columns].astype(np.float64).mean(axis=0) @ (0.299, 0.587, 0.114)
    return patch, (points[INNER_LIPS] - low) * scale, float(skin)
