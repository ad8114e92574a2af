"""What a detector is, and the geometry every detector needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Float = NDArray[np.float32]


@dataclass(frozen=True)
class Detection:
    """One face of a photo."""

    #: (4,) x0, y0, x1, y1: the edges of the box in pixels of the upright photo as given, where
    #: (0, 0) is the centre of the top-left pixel.  Framed as dlib's HOG detector frames faces (brow
    #: to chin, ear to ear), which the landmark predictor expects; may reach out of the photo.
    box: Float
    score: float  #: as the method gives it; comparable within a method only
    method: str  #: "hog", "hog_upsampled" or "mmod"
    quarter_turns: int = 0  #: numpy.rot90(pixels, quarter_turns) makes the face stand upright

    @property
    def area(self) -> float:
        """Square pixels of the photo."""
        return float((self.box[2] - self.box[0]) * (self.box[3] - self.box[1]))


class Detector(Protocol):
    """Finds faces; any detector that frames its boxes as :class:`Detection` says fits."""

    def detect(
        self, pixels: Bytes, *, every: bool = False, thorough: bool = True
    ) -> list[Detection]:
        """The faces in ``pixels`` (H, W, 3) uint8 sRGB, largest first; empty when there is none.

        By default it stops at the first method that finds a face; ``every`` looks for small and
        turned faces beside the prominent ones too, unless it shall not be ``thorough``, which
        takes seconds: then for small ones only.
        """
        ...


def largest_first(detections: Iterable[Detection]) -> list[Detection]:
    """By area, then from left to right, so that face numbers stay the same between runs."""
    return sorted(detections, key=lambda d: (-d.area, float(d.box[0]), float(d.box[1])))


def overlap(a: Float, b: Float) -> float:
    """Shared area over the smaller box's area: 1 when one box lies in the other."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    if (sides <= 0).any():
        return 0.0
    smaller = min(np.prod(a[2:] - a[:2]), np.prod(b[2:] - b[:2]))
    return float(np.prod(sides) / smaller)


def without_doubles(detections: Iterable[Detection], limit: float = 0.5) -> list[Detection]:
    """Non-maximum suppression in the order given: what overlaps an earlier one is dropped."""
    kept: list[Detection] = []
    for detection in detections:
        if all(overlap(detection.box, other.box) <= limit for other in kept):
            kept.append(detection)
    return kept


def turned_back(box: Float, quarter_turns: int, width: int, height: int) -> Float:
    """A box found in ``numpy.rot90(pixels, quarter_turns)``, in ``pixels`` (``width``, ``height``).

    Boxes hold edges with (0, 0) at a pixel's centre, so the far edge is at ``width - 0.5``.
    One counter-clockwise turn takes (x, y) to (y, width - 1 - x).
    """
    x0, y0, x1, y1 = (float(value) for value in box)
    sides = (width, height) if quarter_turns % 2 == 0 else (height, width)
    for _ in range(quarter_turns % 4):
        # Undo one turn; the picture before it is as high as this one is wide.
        before_width = sides[1]
        x0, y0, x1, y1 = before_width - 1 - y1, x0, before_width - 1 - y0, x1
        sides = (sides[1], sides[0])
    return np.array([x0, y0, x1, y1], dtype=np.float32)
