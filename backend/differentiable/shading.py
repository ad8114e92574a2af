"""Spherical-harmonics shading as tensors; the numpy one is :mod:`..raster.shading`."""

from __future__ import annotations

import torch
from torch import Tensor

from ..exchange.harmonics import sh_terms


def sh_basis(normals: Tensor) -> Tensor:
    """(..., 9) real spherical harmonics of unit ``normals`` (..., 3), bands 0 to 2."""
    return torch.stack(sh_terms(*normals.unbind(-1)), -1)


def shade(normals: Tensor, sh_light: Tensor) -> Tensor:
    """(B, ..., 3) factor of the albedo under ``sh_light`` (B, 9, 3), never below 0."""
    basis = sh_basis(normals)
    return (basis.flatten(1, -2) @ sh_light).clamp_min(0).view(*basis.shape[:-1], 3)
