"""A z-buffer in plain torch: many meshes at once on any GPU, with nothing to install.

Every triangle is tried at the pixel centres within its bounding box, all of them in parallel, and
the nearest wins (an atomic minimum of depth and number).  Edge functions as in Pineda 1988, "A
parallel algorithm for polygon rasterization"; a shared edge has the same value with the other sign
in both of its triangles, so there are no cracks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .fragments import Fragments

#: mm; triangles that come nearer to the camera are left out.
NEAR = 1.0
_NOTHING = torch.iinfo(torch.int64).max


class TorchRasterizer:
    """On CUDA, or on the CPU, where Embree is faster."""

    def rasterize(
        self, vertices_camera: Tensor, faces: Tensor, camera_matrix: Tensor, size: tuple[int, int]
    ) -> Fragments:
        """See :class:`~.rasterizer.Rasterizer`."""
        batch, count = vertices_camera.shape[:2]
        device = vertices_camera.device
        seen = vertices_camera.detach().float() @ camera_matrix.detach().float().transpose(1, 2)
        number = torch.arange(batch, device=device)
        every = (faces + (number * count)[:, None, None]).flatten(0, 1)
        picture = number.repeat_interleave(len(faces))
        found = rasterize_meshes(seen.flatten(0, 1), every, picture, batch, size, cull=True)
        face = torch.where(found.face_id >= 0, found.face_id % len(faces), -1)
        return Fragments(face, found.barycentric.to(vertices_camera.dtype))


@torch.no_grad()
def rasterize_meshes(
    points: Tensor,
    faces: Tensor,
    picture: Tensor,
    pictures: int,
    size: tuple[int, int],
    *,
    cull: bool,
) -> Fragments:
    """The nearest triangle at every pixel centre of B = ``pictures`` pictures of different meshes.

    Args:
        points: (P, 3) float32: camera matrix times a point in camera coordinates (x z, y z, z), z
            in mm, pixel (0, 0) the centre of the top-left one.
        faces: (F, 3) int64, places in ``points``.
        picture: (F,) int64, in which picture a triangle lies.
        pictures: B.
        size: (width, height).
        cull: leave out triangles that turn their inward side to the camera.

    Returns fragments whose ``face_id`` are places in ``faces``.
    """
    width, height = size
    triangles = points[faces]
    depth = triangles[..., 2]
    corners = triangles[..., :2] / depth.clamp_min(NEAR)[..., None]
    wanted = (depth > NEAR).all(1)
    if cull:
        # In pixels, y down, an outward triangle runs clockwise: its area is negative.
        wanted &= _cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) < 0
    last = corners.new_tensor([width - 1, height - 1])
    low = corners.amin(1).ceil().clamp_min(0).minimum(last + 1).long()
    high = corners.amax(1).floor().minimum(last).clamp_min(-1).long()
    extent = (high - low + 1).clamp_min(0)
    counts = extent.prod(1) * wanted
    touched = counts.nonzero()[:, 0]
    counts, extent, low = counts[touched], extent[touched], low[touched]

    # One line per triangle and pixel of its box.
    line = torch.arange(len(touched), device=points.device).repeat_interleave(counts)
    offset = torch.arange(len(line), device=points.device) - (counts.cumsum(0) - counts)[line]
    wide = extent[:, 0][line]
    x, y = low[:, 0][line] + offset % wide, low[:, 1][line] + offset // wide
    face = touched[line]
    inside, weights = _weights(corners[face], depth[face], torch.stack([x, y], 1))
    face, weights = face[inside], weights[inside]
    z = (1 / weights.sum(1)).float()
    place = (picture[face] * height + y[inside]) * width + x[inside]
    # The bits of positive floats are ordered as the floats are.
    key = (z.view(torch.int32).long() << 32) | face
    nearest = torch.full((pictures * height * width,), _NOTHING, device=points.device)
    nearest.scatter_reduce_(0, place, key, "amin")

    seen = (nearest != _NOTHING).nonzero()[:, 0]
    face_id = torch.full_like(nearest, -1)
    winner = nearest[seen] & 0xFFFFFFFF
    face_id[seen] = winner
    at = torch.stack([seen % width, seen // width % height], 1)
    weights = _weights(corners[winner], depth[winner], at)[1]
    barycentric = weights.new_zeros(len(nearest), 3)
    barycentric[seen] = weights / weights.sum(1, keepdim=True)
    shape = (pictures, height, width)
    return Fragments(face_id.view(shape), barycentric.view(*shape, 3))


def _weights(corners: Tensor, depth: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """(N,) whether pixel centres (N, 2) lie in triangles (N, 3, 2), and (N, 3) weights over z.

    The weights are barycentric on the screen, each over its corner's ``depth`` (N, 3): their sum
    is 1 / z, and over it they are perspective-correct (Blinn 1992, "Hyperbolic interpolation").
    """
    a, b, c = (corners - pixels[:, None]).unbind(1)
    edges = torch.stack([_cross(b, c), _cross(c, a), _cross(a, b)], 1)
    area = edges.sum(1, keepdim=True)
    inside = ((edges >= 0).all(1) | (edges <= 0).all(1)) & (area[:, 0] != 0)
    return inside, edges / torch.where(area == 0, 1.0, area) / depth


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
