"""What is known around a ring, carried away from it: weaker and smoother with the distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def faded(ring: NDArray, depths: NDArray, spacing: float, reach: float) -> NDArray:
    """Fields (..., L, C) on a closed ring at ``depths`` (R,) away from it: (..., R, L, C).

    The ring's L places are ``spacing`` apart; all lengths are in one unit.  The fields are what
    they were at depth 0, blurred around the ring by half the depth, and 1 / e of that at ``reach``.
    """
    places = ring.shape[-2]
    spectrum = np.fft.rfft(ring, axis=-2)
    frequency = np.fft.rfftfreq(places)[:, None]
    rows = []
    for depth in depths:
        blur = np.exp(-2 * (np.pi * depth / 2 / spacing * frequency) ** 2)
        smooth = np.fft.irfft(spectrum * blur, places, axis=-2)
        rows.append(np.exp(-((depth / reach) ** 2)) * smooth)
    return np.stack(rows, axis=-3)
