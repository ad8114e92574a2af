"""The crop's camera in torch, for batches: see :mod:`backend.network.crop_camera`.

Everything is in half sides of the crop and mm, relative to the head's anchor.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..differentiable import rotation_of_6d
from ..network.layout import REFERENCE_DISTANCE_MM, REFERENCE_LENGTH_MM

#: A head is never nearer than 150 mm nor further than 20 m: keeps exp() sane early in training.
_DISTANCE = (-1.8, 3.1)
_SCALE = (-2.5, 2.5)


def pose_vector(rotation: Tensor, shift: Tensor, scale: Tensor, distance: Tensor) -> Tensor:
    """(N, 10) as in the layout; the inverse of what the others take apart."""
    upright = rotation * rotation.new_tensor([1.0, -1.0, -1.0])[:, None]
    return torch.cat([upright[:, :, 0], upright[:, :, 1], shift, scale, distance], dim=1)


def project(pose: Tensor, points: Tensor) -> Tensor:
    """(N, P, 2) half sides from the crop's centre, of ``points`` (N, P, 3) mm from the anchor.

    ``pose`` (N, 10).  The pinhole of ``CropPose.camera``, with the depth divided out.
    """
    turned = points @ rotation_of_6d(pose[:, :6]).transpose(1, 2)
    scale = pose[:, 8].clamp(*_SCALE).exp()[:, None, None] / REFERENCE_LENGTH_MM
    depth = pose[:, 9].clamp(*_DISTANCE).exp()[:, None, None] * REFERENCE_DISTANCE_MM
    nearer = (1 + turned[:, :, 2:] / depth).clamp_min(0.2)
    return (scale * turned[:, :, :2] + pose[:, None, 6:8]) / nearer


def focal_length(pose: Tensor) -> Tensor:
    """(N,) of the crop's camera, in half sides."""
    return (pose[:, 8] + pose[:, 9]).exp() * (REFERENCE_DISTANCE_MM / REFERENCE_LENGTH_MM)


def turned_pose(pose: Tensor, turn: Tensor, zoom: Tensor) -> Tensor:
    """(N, 10) ``pose`` after the camera turned by ``turn`` (N, 3, 3) and zoomed by ``zoom`` (N,).

    Exact: a camera that turns about its centre sees a homography of the same picture.
    """
    focal = focal_length(pose)
    depth = pose[:, 9].exp() * REFERENCE_DISTANCE_MM
    at = torch.cat([pose[:, 6:8] * (depth / focal)[:, None], depth[:, None]], dim=1)
    at = (turn @ at[:, :, None])[:, :, 0]
    focal = (focal * zoom)[:, None]
    return pose_vector(
        turn @ rotation_of_6d(pose[:, :6]),
        focal * at[:, :2] / at[:, 2:],
        (focal * REFERENCE_LENGTH_MM / at[:, 2:]).log(),
        (at[:, 2:] / REFERENCE_DISTANCE_MM).log(),
    )


def looking_turn(centre: Tensor, focal: Tensor, roll: Tensor) -> Tensor:
    """(N, 3, 3) the turn after which the picture's point ``centre`` (N, 2) is its middle.

    And the picture lies ``roll`` (N,) radians further clockwise; ``focal`` (N,); half sides.
    """
    ray = torch.cat([centre / focal[:, None], torch.ones_like(centre[:, :1])], dim=1)
    z = torch.nn.functional.normalize(ray, dim=1)
    # Rodrigues: the smallest turn that takes z to the optical axis.
    zero = torch.zeros_like(roll)
    x, y = z[:, 0], z[:, 1]
    cross = torch.stack([zero, zero, -x, zero, zero, -y, x, y, zero], dim=1).view(-1, 3, 3)
    turn = (
        torch.eye(3, dtype=z.dtype, device=z.device)
        + cross
        + cross @ cross / (1 + z[:, 2])[:, None, None]
    )
    c, s, one = roll.cos(), roll.sin(), torch.ones_like(roll)
    spin = torch.stack([c, -s, zero, s, c, zero, zero, zero, one], dim=1).view(-1, 3, 3)
    return spin @ turn
