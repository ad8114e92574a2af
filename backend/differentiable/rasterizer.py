"""Which triangle each pixel shows, behind one interface for CPU and CUDA.

Both see only the outward side of a triangle: inside a mouth or behind an ear there is nothing to
see, and two thirds of the work falls away.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..raster import rasterize
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
            front = np.flatnonzero(_faces_camera(points, triangles))
            raster = rasterize(points, triangles[front], matrix, size)
            # The background's -1 picks the entry appended last.
            face_id[i] = np.append(front, -1)[raster.face_id]
            barycentric[i] = raster.barycentric
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


def _faces_camera(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F,) True for triangles whose outward side faces the camera at the origin.

    For ``vertices`` with OpenCV axes.  The triple product a . (b x c) tells, taken as
    a . ((b - a) x (c - a)), in which nothing large cancels.
    """
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    b, c = b - a, c - a
    normal_x = b[:, 1] * c[:, 2] - b[:, 2] * c[:, 1]
    normal_y = b[:, 2] * c[:, 0] - b[:, 0] * c[:, 2]
    normal_z = b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0]
    return a[:, 0] * normal_x + a[:, 1] * normal_y + a[:, 2] * normal_z < 0
