"""Which triangle each pixel shows, behind one interface for CPU and CUDA.

Both see only the outward side of a triangle: inside a mouth or behind an ear there is nothing to
see, and two thirds of the work falls away.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..raster import rasterize_front
from .fragments import Fragments


class Rasterizer(Protocol):
    """Anything that finds the nearest outward triangle at every pixel centre."""

    def rasterize(
        self, vertices_camera: Tensor, faces: Tensor, camera_matrix: Tensor, size: tuple[int, int]
    ) -> Fragments:
        """``vertices_camera`` (B, V, 3) mm, OpenCV axes; ``faces`` (F, 3) int64;
        ``camera_matrix`` (B, 3, 3), pixel (0, 0) the centre of the top-left one, last row
        (0, 0, 1); ``size`` (width, height)."""
        ...


class EmbreeRasterizer:
    """On the CPU: one ray per pixel, cast with Intel Embree (:mod:`..raster.visibility`)."""

    def rasterize(
        self, vertices_camera: Tensor, faces: Tensor, camera_matrix: Tensor, size: tuple[int, int]
    ) -> Fragments:
        """See :class:`Rasterizer`."""
        vertices = vertices_camera.detach().cpu().numpy().astype(np.float32)
        matrices = camera_matrix.detach().cpu().numpy().astype(np.float64)
        triangles = faces.cpu().numpy().astype(np.int32)
        device, kind = vertices_camera.device, vertices_camera.dtype
        face_id = np.empty((len(vertices), size[1], size[0]), np.int64)
        barycentric = np.empty((*face_id.shape, 3), np.float32)
        for i, (points, matrix) in enumerate(zip(vertices, matrices, strict=True)):
            raster = rasterize_front(points, triangles, matrix, size)
            face_id[i], barycentric[i] = raster.face_id, raster.barycentric
        return Fragments(
            torch.as_tensor(face_id, device=device),
            torch.as_tensor(barycentric, device=device, dtype=kind),
        )


def best_rasterizer(device: torch.device | str) -> Rasterizer:
    """On CUDA PyTorch3D's where it is installed, else our own; Embree's on the CPU."""
    if torch.device(device).type == "cuda":
        from .pytorch3d_rasterizer import PyTorch3DRasterizer, available
        from .torch_rasterizer import TorchRasterizer

        return PyTorch3DRasterizer() if available() else TorchRasterizer()
    return EmbreeRasterizer()
