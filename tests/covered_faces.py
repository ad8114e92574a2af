"""The sample photo with something over the mouth, or half of the face in a hard shadow."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

# dlib's landmarks of the sample photo, to a pixel; numbers as in iBUG's 68.
JAW = np.array(
    [[179, 105], [180, 116], [181, 127], [181, 139], [185, 150], [191, 160], [199, 168], [209, 176],
     [220, 178], [232, 177], [243, 171], [253, 163], [260, 154], [265, 143], [268, 131], [270, 120],
     [272, 108]], float,
)  # fmt: skip
NOSE_TOP, NOSE_TIP, CHIN = np.array([226.0, 102.0]), np.array([225.0, 127.0]), JAW[8]
MOUTH = np.array([222.0, 145.0])


def bar(pixels: Picture) -> Picture:
    """A black bar over the mouth, as wide as the face and a little more."""
    out = pixels.copy()
    cv2.rectangle(out, (168, 130), (278, 162), (0, 0, 0), -1)
    return out


def mask(pixels: Picture) -> Picture:
    """A light blue medical mask with folds, from the ridge of the nose to under the chin."""
    out = pixels.copy()
    outline = np.vstack([JAW[1:16] + 0.03 * (JAW[1:16] - MOUTH), NOSE_TOP + [0, 12]])
    cv2.fillPoly(out, [np.round(outline).astype(np.int32)], (150, 190, 215), cv2.LINE_AA)
    for k in (0.25, 0.5, 0.75):
        lines = ((JAW[2], JAW[5]), (NOSE_TIP, CHIN), (JAW[14], JAW[11]))
        fold = np.round([(1 - k) * a + k * b for a, b in lines]).astype(np.int32)
        cv2.polylines(out, [fold], False, (120, 160, 190), 1, cv2.LINE_AA)
    return cv2.GaussianBlur(out, (0, 0), 0.6)


def half_shadow(pixels: Picture, share: float = 0.35) -> Picture:
    """All beyond the ridge of the nose, on her left, at ``share`` of its pixels' values."""
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    beyond = x > NOSE_TOP[0] + (CHIN[0] - NOSE_TOP[0]) * (y - NOSE_TOP[1]) / (CHIN[1] - NOSE_TOP[1])
    out = pixels.astype(float)
    out[beyond] *= share
    return np.round(out).astype(np.uint8)
