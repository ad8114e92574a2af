"""Normals and spherical-harmonics shading as tensors; in numpy, :mod:`..geometry`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..geometry.harmonics import sh_terms


def sh_basis(normals: Tensor) -> Tensor:
    """(..., 9) real spherical harmonics of unit ``normals`` (..., 3), bands 0 to 2."""
    return torch.stack(sh_terms(*normals.unbind(-1)), -1)


def shade(normals: Tensor, sh_light: Tensor) -> Tensor:
    """(B, ..., 3) factor of the albedo under ``sh_light`` (B, 9, 3), never below 0."""
    basis = sh_basis(normals)
    return (basis.flatten(1, -2) @ sh_light).clamp_min(0).view(*basis.shape[:-1], 3)


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """(..., V, 3) unit outward normals, area-weighted means of the faces around a vertex.

    ``vertices`` (..., V, 3), ``faces`` (F, 3) int64.
    """
    a, b, c = vertices[..., faces, :].unbind(-2)
    area = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(vertices)
    for corner in faces.unbind(1):
        total = total.index_add(-2, corner, area)
    return normalize(total, dim=-1, eps=1e-12)
