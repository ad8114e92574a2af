"""A picture of heads, differentiable in every coefficient.

The rasteriser says which triangle a pixel shows, once and without gradients; where in the triangle
the pixel's ray meets it is then worked out in torch, so that colours follow the moving surface.
What a silhouette uncovers carries no gradient (as in Deng et al. 2019); the landmarks see to that.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .camera import Cameras
from .face_model import TorchFaceModel
from .rasterizer import Rasterizer
from .shading import shade


def render(
    model: TorchFaceModel,
    cameras: Cameras,
    identity: Tensor,
    expression: Tensor,
    albedo: Tensor,
    sh_light: Tensor,
    size: tuple[int, int],
    rasterizer: Rasterizer,
) -> tuple[Tensor, Tensor]:
    """Linear-light RGB (B, h, w, 3), 0 in the background, and the heads' mask (B, h, w) bool.

    ``identity`` (B, K), ``expression`` (B, E), ``albedo`` (B, A), ``sh_light`` (B, 9, 3) in head
    coordinates, ``size`` (width, height).
    """
    vertices = model.vertices(identity, expression)
    return render_vertices(model, cameras, vertices, albedo, sh_light, size, rasterizer)


def render_vertices(
    model: TorchFaceModel,
    cameras: Cameras,
    vertices: Tensor,
    albedo: Tensor,
    sh_light: Tensor,
    size: tuple[int, int],
    rasterizer: Rasterizer,
) -> tuple[Tensor, Tensor]:
    """As :func:`render`, for ``vertices`` (B, V, 3) mm that are known already."""
    seen_from = cameras.to_camera(vertices)
    fragments = rasterizer.rasterize(seen_from, model.faces, cameras.matrix, size)
    mask = fragments.face_id >= 0
    face = fragments.face_id.clamp_min(0)
    corners = model.faces[face]
    weights = pixel_barycentric(at_corners(seen_from, corners), cameras.matrix, mask)
    normals = (at_corners(model.normals(vertices), corners) * weights[..., None]).sum(-2)
    normals = functional.normalize(normals, dim=-1, eps=1e-9)
    colour = model.albedo(albedo, face, weights) * shade(normals, sh_light)
    return torch.where(mask[..., None], colour, 0.0), mask


def at_corners(values: Tensor, corners: Tensor) -> Tensor:
    """(B, ..., 3, C) of ``values`` (B, V, C) at vertex ids ``corners`` (B, ..., 3)."""
    flat = corners.flatten(1)
    taken = values.gather(1, flat[..., None].expand(-1, -1, values.shape[-1]))
    return taken.view(*corners.shape, values.shape[-1])


def pixel_barycentric(triangles: Tensor, camera_matrix: Tensor, mask: Tensor) -> Tensor:
    """(B, h, w, 3) weights of the corners where each pixel's ray meets its triangle's plane.

    ``triangles`` (B, h, w, 3, 3) mm in camera coordinates, one for each pixel in ``mask``
    (B, h, w); the rest of the pixels gets weights that mean nothing but are finite, gradients too.
    Moeller and Trumbore 1997, so perspective-correct.
    """
    batch, height, width = mask.shape
    like = {"dtype": triangles.dtype, "device": triangles.device}
    y, x = torch.meshgrid(torch.arange(height, **like), torch.arange(width, **like), indexing="ij")
    pixels = torch.stack([x, y, torch.ones_like(x)], -1)
    rays = torch.linalg.solve(camera_matrix, pixels.reshape(1, -1, 3).transpose(1, 2))
    rays = rays.transpose(1, 2).reshape(batch, height, width, 3)
    a, b, c = triangles.unbind(-2)
    ab, ac = b - a, c - a
    p = torch.linalg.cross(rays, ac)
    q = torch.linalg.cross(ab, a)  # (-a) x ab
    determinant = (ab * p).sum(-1)
    inverse = 1 / torch.where(mask & (determinant.abs() > 1e-9), determinant, 1.0)
    # A grazing ray of a background pixel may lie anywhere in its triangle's plane.
    u = torch.where(mask, -(a * p).sum(-1) * inverse, 0.0)
    v = torch.where(mask, (rays * q).sum(-1) * inverse, 0.0)
    return torch.stack([1 - u - v, u, v], -1)
