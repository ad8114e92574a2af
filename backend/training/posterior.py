"""How far the network errs, measured on held-out pictures: what refinement starts from.

The covariance of its errors is kept with the weights; refinement takes the network's estimate as
the mean and this as the covariance of a Gaussian prior.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..network.layout import Layout
from .augment import Pictures
from .data import to_input
from .losses import LabelLosses

#: Of a covariance's off-diagonal part, which some hundred pictures leave uncertain (Ledoit and
#: Wolf 2004).
SHRINKAGE = 0.2
#: Least standard deviation of a coefficient's error.
FLOOR = 0.02


@torch.inference_mode()
def error_covariances(
    network: nn.Module, losses: LabelLosses, layout: Layout, pictures: Pictures, batch_size: int
) -> dict[str, NDArray[np.float32]]:
    """``shape_covariance`` (K + E, K + E) and ``albedo_covariance`` (A, A), float32.

    Second moments of estimate minus truth, identity and expression together.
    """
    device = losses.label_mean.device
    errors = []
    for at in range(0, len(pictures.images), batch_size):
        images = to_input(pictures.images[at : at + batch_size], device)
        found, _ = losses.labels_of(network(images).float())
        errors.append((found.cpu() - pictures.labels[at : at + batch_size]).double().numpy())
    error = np.concatenate(errors)
    s = layout.slices
    shape = error[:, s["identity"].start : s["expression"].stop]
    moments = {"shape_covariance": shape, "albedo_covariance": error[:, s["albedo"]]}
    return {name: _shrunk(part).astype(np.float32) for name, part in moments.items()}


def _shrunk(error: NDArray) -> NDArray[np.float64]:
    moment = error.T @ error / len(error)
    moment = (1 - SHRINKAGE) * moment + SHRINKAGE * np.diag(np.diag(moment))
    return moment + FLOOR**2 * np.eye(len(moment))
