"""The sRGB curve as a function of tensors; see :mod:`..geometry.srgb`."""

from __future__ import annotations

import torch
from torch import Tensor

from ..geometry.srgb import EXPONENT, LINEAR_END, OFFSET, SLOPE


def encode(linear: Tensor) -> Tensor:
    """Linear light as sRGB values, cut to 0..1, with finite slopes."""
    linear = linear.clamp(0.0, 1.0)
    curve = (1 + OFFSET) * linear.clamp_min(LINEAR_END) ** (1 / EXPONENT) - OFFSET
    return torch.where(linear <= LINEAR_END, SLOPE * linear, curve)
