"""Which samples show the face that the model describes: hair, glasses and hands are left out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .photometric import NOISE
from .surface import Samples

Float = NDArray[np.float32]

#: Largest typical residual of skin: shadows and marks that the model does not know.
WORST = 0.25
#: Residuals are outliers from about this many times the typical one.
CUT = 2.0
#: The same for residuals averaged over a neighbourhood, in which noise averages out.
REGION_CUT = 1.5
#: Radius of the neighbourhood as a part of the grid's larger side.
REGION = 0.02


def typical(error: NDArray, weight: NDArray) -> float:
    """The scale of ``error`` (N,) by its weighted median absolute value, within reason.

    At least ``NOISE``; no more than ``WORST``, or a face that is mostly covered would count.
    """
    order = np.argsort(error)
    running = np.cumsum(weight[order])
    if not len(error) or running[-1] <= 0:
        return NOISE
    median = error[order[np.searchsorted(running, running[-1] / 2)]]
    return float(np.clip(1.4826 * median, NOISE, WORST))


def belief(error: NDArray, samples: Samples, scale: float) -> Float:
    """(N,) 0..1 weight of samples with root-mean-square log ``error`` (N,) (Geman-McClure).

    What covers a face covers more than a point: a sample is also judged by its neighbours.
    """
    own = 1 / (1 + (error / (CUT * scale)) ** 2) ** 2
    near = np.sqrt(_smoothed(error**2, samples))
    return (own / (1 + (near / (REGION_CUT * CUT * scale)) ** 4)).astype(np.float32)


def _smoothed(values: NDArray, samples: Samples) -> Float:
    """(N,) means of ``values`` over each sample's neighbourhood on the grid."""
    total, count = (np.zeros(samples.grid, np.float32) for _ in range(2))
    row, column = samples.cell.T
    total[row, column], count[row, column] = values * samples.weight, samples.weight
    sigma = max(1.0, REGION * max(samples.grid))
    total, count = (cv2.GaussianBlur(x, (0, 0), sigma) for x in (total, count))
    return total[row, column] / np.maximum(count[row, column], 1e-6)


def picture(weights: NDArray, samples: Samples, side: int) -> Float:
    """(side, side) the samples' ``weights`` (N,) as a picture of the crop; 0 elsewhere."""
    grid = np.zeros(samples.grid, np.float32)
    grid[samples.cell[:, 0], samples.cell[:, 1]] = weights
    return cv2.resize(grid, (side, side), interpolation=cv2.INTER_LINEAR)
