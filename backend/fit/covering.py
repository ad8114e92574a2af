"""What covers the mouth: a mask, a bar, a scarf; found by its colour, in the upright crop.

A covered mouth still gets landmarks and an expression, from a detector and a network that never say
"I don't see it".  Both are guesses, and so is everything that its pixels tell of skin.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..align import Crop
from ..geometry.srgb import SRGB_TO_LINEAR

Double = NDArray[np.float64]

#: Log of linear light under the skin between the eyes below which a pixel is neither skin nor lip
#: nor beard in the same light, and over it.
DARKER, LIGHTER = -2.0, 1.2
#: Log of red, and of blue, over green, against that skin's: less red, or bluer, is neither.
LESS_RED, BLUER = -0.45, 0.6
#: Share of the mouth and its surroundings, and of the lips alone, that must be neither.  All 29
#: photos tried, with beards and bared teeth among them, and five with half of the face in shadow,
#: have at most 0.41 and 0.42; bars and masks that were drawn over five of them have 1.
LEAST_SHARE = 0.85
#: The lips' outline is enlarged so much for their surroundings.
SURROUNDINGS = 1.4
#: Landmarks so near to what covers, in parts of the distance between the eyes, are guesses too.
NEAR = 0.12
#: Beginnings of the names of expressions that cannot be told when the mouth is covered.
UNSEEN_EXPRESSIONS = ("jaw", "mouth", "tongue", "cheekPuff")
#: Linear light under which a pixel is black: it has no hue.
_BLACK = 0.01
_BROWS, _LIPS = slice(17, 27), slice(48, 60)


@dataclass(frozen=True, eq=False)
class Covering:
    """What covers the lower part of a face."""

    crop: NDArray[np.bool_]  #: (S, S) True in the crop's pixels where it lies
    photo: NDArray[np.bool_]  #: (H, W) the same in the photo's
    landmarks: NDArray[np.bool_]  #: (68,) True for those that lie under it

    @property
    def share(self) -> float:
        """Of the landmarks, 0..1."""
        return float(self.landmarks.mean())


def find_covering(crop: Crop, marks: NDArray, photo_size: tuple[int, int]) -> Covering | None:
    """What covers the mouth in ``crop``, or None where it is seen.

    ``marks`` (68, 2) are the landmarks in pixels of the photo, of ``photo_size`` (width, height).
    """
    to_crop = np.linalg.inv(crop.to_photo)
    points = np.asarray(marks, np.float64) @ to_crop[:2, :2].T + to_crop[:2, 2]
    foreign = _foreign(crop.image, points)
    if foreign is None:
        return None
    lips = points[_LIPS]
    around = lips.mean(axis=0) + SURROUNDINGS * (lips - lips.mean(axis=0))
    inside = [_filled(foreign.shape, outline) for outline in (lips, around)]
    if any(not area.any() or foreign[area].mean() < LEAST_SHARE for area in inside):
        return None
    side = len(crop.image)
    reach = max(1.0, NEAR * float(np.linalg.norm(points[36:42].mean(0) - points[42:48].mean(0))))
    covered = _connected(foreign | inside[1], inside[1])
    # Hair, and what is behind, may touch it: nothing above the eyes' lower lids covers the mouth.
    covered &= np.arange(side)[:, None] > points[[40, 41, 46, 47], 1].mean()
    wide = cv2.dilate(covered.astype(np.uint8), _disc(reach)) > 0
    columns, rows = np.clip(np.round(points).astype(int), 0, side - 1).T
    under = wide[rows, columns]
    under[_BROWS] = under[36:48] = False
    under[48:68] = True
    in_photo = cv2.warpAffine(
        cv2.dilate(covered.astype(np.uint8), _disc(reach / 4)) * 255,
        crop.to_photo[:2],
        photo_size,
        flags=cv2.INTER_LINEAR,
    )
    return Covering(covered, in_photo > 127, under)


def _foreign(image: NDArray[np.uint8], points: Double) -> NDArray[np.bool_] | None:
    """(S, S) True where ``image`` is neither skin nor lip nor beard; None where no skin is seen.

    Compared with the skin between the eyes and just below them, which masks leave free.
    """
    linear = cv2.GaussianBlur(SRGB_TO_LINEAR[image], (0, 0), 1.0)
    log = np.log(np.maximum(linear, _BLACK / 4))
    bridge = points[[39, 27, 42, 28]]
    below = points[[41, 46]] + 0.35 * (points[[41, 46]] - points[[19, 24]])
    skin = _filled(log.shape[:2], bridge) | _filled(
        log.shape[:2], np.vstack([points[[36, 41, 40, 39]], below[:1]])
    )
    skin |= _filled(log.shape[:2], np.vstack([points[[42, 47, 46, 45]], below[1:]]))
    if not skin.any():
        return None
    middle = np.median(log[skin], axis=0)
    apart = log - middle
    bright = apart.mean(axis=2)
    red, blue = apart[..., 0] - apart[..., 1], apart[..., 2] - apart[..., 1]
    hued = linear.max(axis=2) > _BLACK
    return (bright < DARKER) | (bright > LIGHTER) | (hued & ((red < LESS_RED) | (blue > BLUER)))


def _filled(shape: tuple[int, ...], outline: Double) -> NDArray[np.bool_]:
    """(S, S) True within the convex hull of ``outline`` (N, 2)."""
    area = np.zeros(shape[:2], np.uint8)
    cv2.fillConvexPoly(area, cv2.convexHull(np.round(outline).astype(np.int32)), 1)
    return area > 0


def _connected(mask: NDArray[np.bool_], seed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What of ``mask`` hangs together with ``seed``."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    return np.isin(labels, np.unique(labels[seed & mask])) & mask


def _disc(radius: float) -> NDArray[np.uint8]:
    side = 2 * max(1, round(radius)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
