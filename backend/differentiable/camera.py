"""Pinhole cameras and rotations as tensors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..network.layout import REFERENCE_DISTANCE_MM, REFERENCE_LENGTH_MM


@dataclass(frozen=True, eq=False)
class Cameras:
    """B pinhole cameras: ``pixel ~ matrix @ (rotation @ x_head + translation)``.

    As :class:`~..geometry.camera.Camera`, but ``matrix`` may be any invertible one whose last row
    is (0, 0, 1): the camera of a turned crop is ``inv(to_photo) @ camera_matrix``.
    """

    matrix: Tensor  #: (B, 3, 3) pixels
    rotation: Tensor  #: (B, 3, 3)
    translation: Tensor  #: (B, 3) mm

    def to_camera(self, points: Tensor) -> Tensor:
        """(B, N, 3) head coordinates in mm to camera coordinates in mm."""
        return points @ self.rotation.transpose(1, 2) + self.translation[:, None]

    def project(self, points: Tensor) -> Tensor:
        """(B, N, 2) pixels of ``points`` (B, N, 3) in head coordinates."""
        return project(self.to_camera(points), self.matrix)

    @classmethod
    def of_crop_poses(cls, pose: Tensor, anchor: Tensor, size: int) -> Cameras:
        """Of the network's pose entries (B, 10) for crops of ``size`` pixels.

        ``anchor`` (3,) mm; the same as :meth:`~..network.crop_camera.CropPose.camera`.
        """
        rotation = rotation_of_6d(pose[:, :6])
        depth = REFERENCE_DISTANCE_MM * torch.exp(pose[:, 9])
        focal = torch.exp(pose[:, 8]) / REFERENCE_LENGTH_MM * depth  # half sides
        at = torch.cat([pose[:, 6:8] / focal[:, None], torch.ones_like(pose[:, :1])], 1)
        middle = torch.full_like(focal, (size - 1) / 2)
        zero, one = torch.zeros_like(focal), torch.ones_like(focal)
        scaled = focal * (size / 2)
        matrix = torch.stack([scaled, zero, middle, zero, scaled, middle, zero, zero, one], 1)
        translation = at * depth[:, None] - rotation @ anchor.to(pose)
        return cls(matrix.unflatten(1, (3, 3)), rotation, translation)


def project(points_camera: Tensor, matrix: Tensor) -> Tensor:
    """(..., N, 2) pixels of ``points_camera`` (..., N, 3) through ``matrix`` (..., 3, 3)."""
    homogeneous = points_camera @ matrix.transpose(-1, -2)
    return homogeneous[..., :2] / homogeneous[..., 2:]


def rotation_of_6d(vector: Tensor) -> Tensor:
    """(B, 3, 3) head to camera, of the first two columns of ``FACING^T @ R`` one after the other.

    Made orthonormal by Gram and Schmidt (Zhou et al. 2019, "On the Continuity of Rotation
    Representations in Neural Networks").
    """
    x = functional.normalize(vector[:, :3], dim=1, eps=1e-9)
    y = vector[:, 3:6] - (x * vector[:, 3:6]).sum(1, keepdim=True) * x
    y = functional.normalize(y, dim=1, eps=1e-9)
    upright = torch.stack([x, y, torch.linalg.cross(x, y)], 2)
    return torch.stack([upright[:, 0], -upright[:, 1], -upright[:, 2]], 1)


def rotation_of_axis_angle(vector: Tensor) -> Tensor:
    """(B, 3, 3) ``exp([vector]x)`` of ``vector`` (B, 3) in radians."""
    zero = torch.zeros_like(vector[:, 0])
    x, y, z = vector.unbind(1)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).unflatten(1, (3, 3))
    return torch.linalg.matrix_exp(cross)
