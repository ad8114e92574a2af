"""Rows of points, such as strands of hair."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def of_count(points: NDArray, count: int) -> NDArray[np.float32]:
    """(S, ``count``, 3) the polylines ``points`` (S, P, 3) with more points, or fewer, evenly; or
    colours along strands."""
    if points.shape[1] == count:
        return points
    at = np.linspace(0, points.shape[1] - 1, count)
    low = np.minimum(at.astype(int), points.shape[1] - 2)
    share = (at - low)[:, None]
    return (points[:, low] * (1 - share) + points[:, low + 1] * share).astype(np.float32)
