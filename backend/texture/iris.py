"""The colour of the irises, where the photo shows them large enough."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..model import FaceModel
from .layout import Float, Layout
from .trust import log_linear
from .view import View

#: An eye must be this many analysis pixels wide for its iris to be measured.
_SMALLEST_EYE = 26.0
#: The iris is 11.7 mm of the 30 mm between the corners of an eye.
_RADIUS = 0.5 * 11.7 / 30.0


def iris_colour(model: FaceModel, layout: Layout, view: View, log_shading: Float) -> Float | None:
    """(3,) log linear colour of the irises, light divided out, or None where it cannot be told.

    The iris is the darkest disk of its size between the lids; pupil, highlights and the shade of
    the upper lid are left out by taking the middle of the colours in its lower ring.
    """
    if "iris" not in model.mask_names:
        return None
    found = [
        colour
        for corners in (range(36, 42), range(42, 48))
        if (colour := _measure(view, list(corners))) is not None
    ]
    if not found:
        return None
    front = layout.regions.core > 0.5
    return np.mean(found, axis=0) - log_shading[front].mean(axis=0)


def tint_iris(base: Float, model: FaceModel, colour: Float) -> None:
    """Shift the irises of ``base`` (T, T, 3), log linear, so that their middle is ``colour``."""
    mask = model.uv_mask("iris")
    whole = mask > 0.95
    if not whole.any():
        return
    # The pupil is much darker than the iris and would pull the middle down.
    iris = base[whole]
    bright = iris.mean(axis=1)
    middle = np.median(iris[bright > np.median(bright) - 0.7], axis=0)
    base += mask[..., None] * np.clip(colour - middle, -1.2, 1.2)


def _measure(view: View, corners: list[int]) -> NDArray | None:
    """(3,) median log colour of the iris of the eye with these landmarks."""
    marks = view.landmarks[corners]
    width = float(np.linalg.norm(marks[0] - marks[3]))
    opening = float(np.linalg.norm(marks[[1, 2]] - marks[[5, 4]], axis=1).mean())
    if width < _SMALLEST_EYE or opening < 0.2 * width:
        return None
    lens = np.zeros(view.small_photo.shape[:2], np.uint8)
    cv2.fillPoly(lens, [np.round(marks * 16).astype(np.int32)], 1, shift=4)
    radius = _RADIUS * width
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(radius) + 1,) * 2)
    disk = disk.astype(np.float32)
    brightness = np.minimum(view.small_photo.max(axis=2), 200).astype(np.float32)
    inside = lens.astype(np.float32)
    count = cv2.filter2D(inside, -1, disk)
    darkness = cv2.filter2D((255 - brightness) * inside, -1, disk) / np.maximum(count, 1)
    enough = (lens > 0) & (count > 0.55 * disk.sum())
    if not enough.any():
        return None
    row, column = np.unravel_index(np.argmax(np.where(enough, darkness, -1)), lens.shape)
    y, x = np.mgrid[: lens.shape[0], : lens.shape[1]]
    away = np.hypot(x - column, y - row) / radius
    ring = (away > 0.45) & (away < 0.85) & (y > row - 0.3 * radius) & (lens > 0)
    if ring.sum() < 12:
        return None
    colours = log_linear(view.small_photo[ring])
    # Under a quarter is pupil and lashes, over three quarters highlight and the white.
    order = np.argsort(colours.mean(axis=1))
    middle = order[len(order) // 4 : max(len(order) // 4 + 1, 3 * len(order) // 4)]
    return np.median(colours[middle], axis=0)
