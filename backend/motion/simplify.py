"""Fewer keys for a curve, within a tolerance: so that an animator can edit it.

Ramer 1972, Douglas and Peucker 1973, with the distance measured along the value axis: keys are a
subset of the frames joined by straight lines, so a peak is off by no more than the tolerance and
never moved in time.  Curves of Bezier segments (Schneider 1990) have fewer keys, but bring values
into frames that were never seen; Blender's own decimation needs an editor and one call a curve.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def simplify(
    times: NDArray[np.float64], values: NDArray[np.floating], tolerance: float
) -> NDArray[np.int64]:
    """Indices of the frames to keep of ``values`` (N,) at ``times`` (N,), first and last included.

    Straight lines between the kept frames are within ``tolerance`` of every value.  A tolerance of
    zero keeps what a straight line does not give; a curve that never moves keeps one frame.
    """
    count = len(values)
    x, y = np.asarray(times, np.float64), np.asarray(values, np.float64)
    if count <= 1 or np.ptp(y) <= tolerance:
        return np.zeros(min(count, 1), np.int64) if count <= 1 else _held(y)
    keep = np.array([0, count - 1])
    while True:  # each round splits every stretch that is off, where it is off most
        gap = np.abs(y - np.interp(x, x[keep], y[keep]))
        gap[keep] = 0.0
        worst = np.repeat(np.maximum.reduceat(gap[:-1], keep[:-1]), np.diff(keep))
        found = np.flatnonzero((gap[:-1] > tolerance) & (gap[:-1] == worst))
        if not len(found):
            return keep
        _, first = np.unique(np.searchsorted(keep, found), return_index=True)
        keep = np.union1d(keep, found[first])


def _held(y: NDArray[np.float64]) -> NDArray[np.int64]:
    """One frame for a curve within the tolerance: the one nearest to the middle of its values."""
    return np.array([int(np.argmin(np.abs(y - (y.min() + y.max()) / 2)))], np.int64)
