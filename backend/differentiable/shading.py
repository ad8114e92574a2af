"""Spherical-harmonics shading as tensors: :mod:`..raster.shading` says where the constants are."""

from __future__ import annotations

import torch
from torch import Tensor

from ..raster.shading import SH_CONSTANT


def sh_basis(normals: Tensor) -> Tensor:
    """(..., 9) real spherical harmonics of unit ``normals`` (..., 3), bands 0 to 2."""
    x, y, z = normals.unbind(-1)
    return torch.stack(
        [
            torch.full_like(x, SH_CONSTANT),
            0.488603 * y,
            0.488603 * z,
            0.488603 * x,
            1.092548 * x * y,
            1.092548 * y * z,
            0.315392 * (3 * z * z - 1),
            1.092548 * x * z,
            0.546274 * (x * x - y * y),
        ],
        -1,
    )


def shade(normals: Tensor, sh_light: Tensor) -> Tensor:
    """(B, ..., 3) factor of the albedo under ``sh_light`` (B, 9, 3), never below 0."""
    basis = sh_basis(normals)
    return (basis.flatten(1, -2) @ sh_light).clamp_min(0).view(*basis.shape[:-1], 3)
