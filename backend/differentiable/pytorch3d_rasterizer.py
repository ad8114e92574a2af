"""PyTorch3D's rasteriser (Ravi et al. 2020) behind our interface, for CUDA.

Not a requirement of the package: see ``docs`` for how to install it.  PyTorch3D's conventions are
met here and nowhere else:

- its view axes are x *left*, y *up*, z forward, so x and y of OpenCV's change sign;
- its screen origin is the *corner* of the top-left pixel, ours that pixel's centre: half a pixel.
"""

from __future__ import annotations

from importlib.util import find_spec

import torch
from torch import Tensor

from .fragments import Fragments


def available() -> bool:
    """Whether PyTorch3D can be imported."""
    return find_spec("pytorch3d") is not None


class PyTorch3DRasterizer:
    """On CUDA (or, slowly, on the CPU): ``MeshRasterizer``, one face per pixel, no blur."""

    def rasterize(
        self, vertices_camera: Tensor, faces: Tensor, camera_matrix: Tensor, size: tuple[int, int]
    ) -> Fragments:
        """See :class:`~.rasterizer.Rasterizer`."""
        from pytorch3d.renderer import (  # pyright: ignore[reportMissingImports]
            MeshRasterizer,
            PerspectiveCameras,
            RasterizationSettings,
        )
        from pytorch3d.structures import Meshes  # pyright: ignore[reportMissingImports]

        batch, (width, height) = len(vertices_camera), size
        device = vertices_camera.device
        # M X is x z, y z, z in pixels: what a camera of focal length 1 and principal point 0 sees.
        # So any matrix will do, also a turned crop's; barycentrics do not mind a linear map.
        points = vertices_camera.detach().float() @ camera_matrix.detach().float().transpose(1, 2)
        points = points * points.new_tensor([-1.0, -1.0, 1.0])
        cameras = PerspectiveCameras(
            focal_length=1.0,
            principal_point=((0.5, 0.5),) * batch,
            in_ndc=False,
            image_size=((height, width),) * batch,
            device=device,
        )
        settings = RasterizationSettings(
            image_size=(height, width), perspective_correct=True, cull_backfaces=True
        )
        with torch.no_grad():
            found = MeshRasterizer(cameras, settings)(Meshes(points, faces.expand(batch, -1, -1)))
        seen = found.pix_to_face[..., 0] >= 0
        # Faces are numbered through the whole batch.
        first = torch.arange(batch, device=device)[:, None, None] * len(faces)
        face_id = torch.where(seen, found.pix_to_face[..., 0] - first, -1)
        barycentric = found.bary_coords[..., 0, :] * seen[..., None]
        return Fragments(face_id, barycentric.to(vertices_camera.dtype))
