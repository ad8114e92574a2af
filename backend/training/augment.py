"""Changes of a batch of pictures, with their labels changed exactly along."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..model import FaceModel
from ..network.layout import Layout
from ..network.mirror import mirror_matrix
from .config import Augmentation
from .geometry import focal_length, looking_turn, turned_pose

#: Pictures this much larger than wanted are averaged down before they are resampled.
_REDUCE_FROM = 1.5


class Pictures(NamedTuple):
    """A batch as the network trains on it."""

    images: Tensor  #: (N, 3, T, T) uint8 sRGB
    labels: Tensor  #: (N, label_size) float32
    jaw: Tensor  #: (N, 17) int64


@dataclass
class Augmenter:
    """Makes :class:`Pictures` of ``size`` pixels; random where a generator is given."""

    model: FaceModel
    size: int
    settings: Augmentation

    def __post_init__(self) -> None:
        count = Layout.of(self.model).label_size
        mirror = mirror_matrix(self.model)[:count, :count]
        self._mirror = torch.from_numpy(mirror.astype(np.float32))
        self._symmetry = torch.from_numpy(self.model.symmetry.astype(np.int64))

    def __call__(
        self, images: Tensor, labels: Tensor, jaw: Tensor, generator: torch.Generator | None
    ) -> Pictures:
        """``images`` (N, S, S, 3) uint8; None as ``generator`` only resizes.

        All on one device, the generator too.
        """
        pixels = images.permute(0, 3, 1, 2).float() / 255
        if generator is None:
            return Pictures(_as_bytes(resized(pixels, self.size)), labels, jaw)
        if pixels.shape[-1] >= _REDUCE_FROM * self.size:
            pixels = resized(pixels, self.size)
        flip = _uniform(generator, len(pixels)) < self.settings.flip
        labels, jaw = self._mirrored(labels, jaw, flip)
        pixels, labels = self._moved(pixels, labels, flip, generator)
        pixels = self._blurred(pixels, generator)
        pixels = self._coloured(pixels, generator)
        pixels = self._erased(pixels, generator)
        return Pictures(_as_bytes(pixels), labels, jaw)

    def _mirrored(self, labels: Tensor, jaw: Tensor, flip: Tensor) -> tuple[Tensor, Tensor]:
        other = labels @ self._mirror.to(labels).T
        turned = self._symmetry.to(jaw.device)[jaw].flip(1)
        return torch.where(flip[:, None], other, labels), torch.where(flip[:, None], turned, jaw)

    def _moved(
        self, pixels: Tensor, labels: Tensor, flip: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Another crop of the same view: the camera turned, rolled and zoomed."""
        n, s = len(pixels), self.settings
        box = _uniform(generator, n) < s.box_share
        roll, zoom, right, down = _uniform(generator, 4, n) * 2 - 1
        roll = roll * torch.where(box, s.box_rotation, s.rotation) * (math.pi / 180)
        zoom = (zoom * torch.where(box, s.box_scale, s.scale)).exp()
        centre = torch.stack([right, down], 1) * torch.where(box, s.box_shift, s.shift)[:, None]
        pose = labels[:, :10]
        focal = focal_length(pose)
        turn = looking_turn(centre.to(pose.dtype), focal, roll.to(pose.dtype))
        moved = torch.cat([turned_pose(pose, turn, zoom.to(pose.dtype)), labels[:, 10:]], dim=1)
        # Where each new pixel is seen in the old picture, in half sides: grid_sample's own unit.
        axis = (
            torch.arange(self.size, dtype=pose.dtype, device=pose.device) + 0.5
        ) / self.size * 2 - 1
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        ray = torch.stack([x, y, torch.ones_like(x)], dim=-1).view(1, -1, 3)
        lens = torch.stack([focal * zoom, focal * zoom, torch.ones_like(focal)], dim=1)
        old = (ray / lens[:, None]) @ turn  # the inverse turn, applied to rows
        grid = old[:, :, :2] / old[:, :, 2:] * focal[:, None, None]
        grid[:, :, 0] *= torch.where(flip, -1.0, 1.0)[:, None]
        grid = grid.view(n, self.size, self.size, 2).to(pixels.dtype)
        return (
            functional.grid_sample(
                pixels, grid, mode="bilinear", padding_mode="reflection", align_corners=False
            ),
            moved,
        )

    def _blurred(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """A share of the batch as from a picture 1.3 to 4 times smaller."""
        chosen = (_uniform(generator, len(pixels)) < self.settings.blur).nonzero()[:, 0]
        factor = 1.3 * (4 / 1.3) ** float(_uniform(generator, 1))
        if len(chosen):
            small = resized(pixels[chosen], max(8, round(self.size / factor)))
            pixels[chosen] = functional.interpolate(
                small, size=(self.size, self.size), mode="bilinear", align_corners=False
            )
        return pixels

    def _coloured(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """Gain per channel, gamma, contrast; a share grey."""
        n, sigma = len(pixels), self.settings.colour
        draw = torch.randn(n, 5, generator=generator, device=pixels.device) * sigma
        gain, gamma = draw[:, :3].exp()[:, :, None, None], draw[:, 3].exp()[:, None, None, None]
        contrast = draw[:, 4].exp()[:, None, None, None]
        mean = pixels.mean(dim=(1, 2, 3), keepdim=True)
        pixels = ((pixels - mean) * contrast + mean).clamp_(0, 1).pow_(gamma).mul_(gain)
        grey = _uniform(generator, n) < self.settings.grey
        if grey.any():
            weights = pixels.new_tensor([0.299, 0.587, 0.114])[:, None, None]  # ITU-R BT.601
            pixels[grey] = (pixels[grey] * weights).sum(1, keepdim=True)
        return pixels

    def _erased(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """A rectangle of one colour (Zhong et al. 2020) in a share of the pictures."""
        n, t = len(pixels), self.size
        chosen = _uniform(generator, n) < self.settings.erase
        side = (0.08 + 0.3 * _uniform(generator, 2, n)) * t
        start = _uniform(generator, 2, n) * (t - side)
        line = torch.arange(t, device=pixels.device)[None]
        inside = (line >= start[..., None]) & (line < (start + side)[..., None])
        mask = inside[1][:, :, None] & inside[0][:, None, :] & chosen[:, None, None]
        colour = _uniform(generator, n, 3)
        return torch.where(mask[:, None], colour[:, :, None, None], pixels)


def _uniform(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=generator, device=generator.device)


def resized(pixels: Tensor, size: int) -> Tensor:
    """By area (``cv2.INTER_AREA``) where the sizes divide, else bilinear without aliasing."""
    old, new = pixels.shape[-1], (size, size)
    if old % size == 0:
        return functional.adaptive_avg_pool2d(pixels, new) if old != size else pixels
    return functional.interpolate(
        pixels, size=new, mode="bilinear", align_corners=False, antialias=old > size
    )


def _as_bytes(pixels: Tensor) -> Tensor:
    return pixels.mul(255).round_().clamp_(0, 255).to(torch.uint8)
