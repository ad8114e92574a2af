"""What the mouth in the photo shows: lips that touch, teeth, or the dark of an open jaw.

The lips' landmarks part in the same way when somebody shows the teeth in a smile and when the jaw
drops.  The picture between the lips tells which it is.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..align.teeth import look_between_lips
from ..geometry.upright import rigid_view
from ..network.region_crops import POSE_WEIGHTS

#: Landmarks of the inner lips opposite each other, upper and lower.
FACING_LIPS = ((61, 67), (62, 66), (63, 65))
#: mm, detector's and network's opening together, below which lips touch.  Of 57 labelled pictures
#: of people (18 shut) it is at most 6.6 in 16 that are shut, 8.9 and 10.4 in the others, a
#: snarl among them, and at least 7.5 in those that are open.
TOUCHING_MM = 7.0


def lips_touch(
    marks: NDArray, points: Mapping[int, tuple[float, float]], template: NDArray
) -> bool:
    """Whether the lips of the face with landmarks ``marks`` (68, 2) are shut.

    ``points`` and ``template`` as for :func:`opening_mm`.
    """
    return opening_mm(marks, points, template) < TOUCHING_MM


def opening_mm(
    marks: NDArray, points: Mapping[int, tuple[float, float]], template: NDArray
) -> float:
    """How far the inner lips are apart by the detector and by the network, added up, in mm.

    ``marks`` (68, 2) are the face's landmarks; ``points`` the same in pixels as the mouth's
    network tells them (:attr:`~..network.regions.RegionReading.points`), ``template`` (68, 3) mm
    the mean head's.
    """
    marks = np.asarray(marks, np.float64)
    scale = rigid_view(marks[None], template, POSE_WEIGHTS)[0][0]
    seen = np.array([[points[a], points[b]] for a, b in FACING_LIPS])
    marked = marks[np.array(FACING_LIPS)]
    apart = sum(np.linalg.norm(at[:, 0] - at[:, 1], axis=1).mean() for at in (seen, marked))
    return float(apart / max(float(scale), 1e-9))


def visible_teeth(pixels: NDArray[np.uint8], landmarks: NDArray) -> float:
    """Share (0..1) of the opening between the lips that looks like teeth.

    ``pixels`` (H, W, 3) uint8 sRGB, ``landmarks`` (68, 2) in its pixels.  0 for a closed mouth.
    """
    opening = look_between_lips(pixels, landmarks)
    return 0.0 if opening is None else float(np.mean(opening.teeth))
