"""Lens, sensor, camera and file for many pictures at once: :mod:`..develop` in torch.

Everything that is linear along rows and columns (blur, small pictures blown up, coarse noise) is a
matrix from the left and from the right, which is what a GPU does best.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from ....differentiable import srgb
from ....geometry.srgb import LUMINANCE
from ..develop import (
    GROWING,
    SEPIA,
    SHRINKING,
    Development,
    streak_kernel,
)
from .jpeg import jpeg


class Developments(NamedTuple):
    """:class:`~..develop.Development` of B pictures; its fields, float32 if not said otherwise."""

    blur: Tensor  #: (B,)
    streak: Tensor  #: (B, N, N) kernels; 0 for none
    small: Tensor  #: (B,) int64
    scaling: Tensor  #: (B, 2) int64
    balance: Tensor  #: (B, 3)
    vignette: Tensor  #: (B, 3)
    noise: Tensor  #: (B,)
    noise_cells: Tensor  #: (B,) int64
    noise_grey: Tensor  #: (B,) bool
    tone: Tensor  #: (B, 5) reach, knee, contrast, black, white
    saturation: Tensor  #: (B,)
    sepia: Tensor  #: (B,) bool
    quality: Tensor  #: (B,)


def pack_developments(hows: Sequence[Development]) -> Developments:
    """Tensors of ``hows``."""
    streaks = [streak_kernel(*how.streak) if how.streak[0] else np.zeros((1, 1)) for how in hows]
    widest = max(len(kernel) for kernel in streaks)
    return Developments(
        blur=torch.tensor([how.blur for how in hows]),
        streak=torch.from_numpy(
            np.stack([np.pad(k, (widest - len(k)) // 2) for k in streaks]).astype(np.float32)
        ),
        small=torch.tensor([how.small for how in hows]),
        scaling=torch.tensor([how.scaling for how in hows]),
        balance=torch.tensor([how.balance for how in hows]),
        vignette=torch.tensor([how.vignette for how in hows]).float(),
        noise=torch.tensor([how.noise for how in hows]).float(),
        noise_cells=torch.tensor([how.noise_cells for how in hows]),
        noise_grey=torch.tensor([how.noise_grey for how in hows]),
        tone=torch.tensor([(h.reach, h.knee, h.contrast, h.black, h.white) for h in hows]).float(),
        saturation=torch.tensor([how.saturation for how in hows]).float(),
        sepia=torch.tensor([how.sepia for how in hows]),
        quality=torch.tensor([how.quality for how in hows]).float(),
    )


class Developer:
    """Develops pictures of ``size`` pixels on ``device``."""

    def __init__(self, size: int, device: torch.device | str) -> None:
        self.size = size
        shrunk = range(8, size)
        none = np.eye(size, dtype=np.float32)
        table = [none] * (6 * 8) + [
            _grow(small, size, grow) @ _shrink(size, small, shrink)
            for small in shrunk
            for shrink in SHRINKING
            for grow in GROWING
        ]
        self._scalings = torch.from_numpy(np.stack([*table, *[none] * 6])).to(device)
        grains = [np.zeros_like(none), *(_grains(cells, size) for cells in range(1, size)), none]
        self._grains = torch.from_numpy(np.stack(grains)).to(device)

    @torch.no_grad()
    def __call__(self, linear: Tensor, how: Developments, generator: torch.Generator) -> Tensor:
        """(B, 3, S, S) uint8 sRGB of the light ``linear`` (B, 3, S, S) float32.

        ``generator``, of the device, makes the noise.
        """
        image = _streaked(linear, how.streak)
        lens = blur_matrix(how.blur, self.size)
        scaling = self._scalings[6 * how.small + 3 * how.scaling[:, 0] + how.scaling[:, 1]]
        image = _both_ways(scaling @ lens, image).clamp_min(0)
        image = image * how.balance[:, :, None, None] * self._vignette(how.vignette)
        image = self._sensed(image, how, generator)
        image = _coloured(_tone_curve(image, how.tone), how)
        image = (image * 255).round().clamp(0, 255)
        lossy = how.quality.nonzero()[:, 0]
        image[lossy] = jpeg(image[lossy], how.quality[lossy])
        return image.to(torch.uint8)

    def _vignette(self, vignette: Tensor) -> Tensor:
        axis = torch.linspace(-1, 1, self.size, device=vignette.device)
        x, y, strength = vignette[:, :, None].unbind(1)
        squared = ((axis - x) ** 2)[:, None] + ((axis - y) ** 2)[:, :, None]
        return (1 / (1 + strength[..., None] * squared) ** 2)[:, None]

    def _sensed(self, image: Tensor, how: Developments, generator: torch.Generator) -> Tensor:
        level = how.noise[:, None, None, None]
        noise = torch.randn(image.shape, generator=generator, device=image.device)
        noise = torch.where(
            how.noise_grey[:, None, None, None], 0.85 * noise[:, :1] + 0.3 * noise, noise
        )
        noise = _both_ways(self._grains[how.noise_cells], noise)
        return image + noise * (image.clamp_min(0) * level**2 + (0.12 * level) ** 2).sqrt()


def _shrink(size: int, small: int, how: int) -> np.ndarray:
    """(small, size) what OpenCV's resizing does to a column."""
    return cv2.resize(np.eye(size, dtype=np.float32), (size, small), interpolation=how)


def _grow(small: int, size: int, how: int) -> np.ndarray:
    """(size, small), likewise."""
    return cv2.resize(np.eye(small, dtype=np.float32), (small, size), interpolation=how)


def _grains(cells: int, size: int) -> np.ndarray:
    """(size, size) from the first ``cells`` rows to all, 1.2 times (in both ways) as strong."""
    grown = _grow(cells, size, cv2.INTER_CUBIC) * np.float32(1.2**0.5)
    return np.pad(grown, ((0, 0), (0, size - cells)))


def blur_matrix(sigma: Tensor, size: int) -> Tensor:
    """(B, size, size) Gaussian blur of columns by ``sigma`` (B,) pixels; 0 leaves them."""
    place = torch.arange(size, device=sigma.device)
    away = (place - place[:, None]).float()
    weight = torch.exp(-0.5 * (away / sigma.clamp_min(0.05)[:, None, None]) ** 2)
    return weight / weight.sum(-1, keepdim=True)


def _both_ways(matrix: Tensor, image: Tensor) -> Tensor:
    """``matrix`` (B, S, S) along columns and rows of ``image`` (B, C, S, S)."""
    matrix = matrix[:, None]
    return matrix @ image @ matrix.transpose(2, 3)


def _streaked(image: Tensor, kernels: Tensor) -> Tensor:
    chosen = (kernels.sum((1, 2)) > 0).nonzero()[:, 0]
    if not len(chosen):
        return image
    height, width = image.shape[-2:]
    half = kernels.shape[-1] // 2
    part = pad(image[chosen], (half, half, half, half), mode="replicate")
    weights = kernels[chosen].repeat_interleave(3, 0)[:, None]
    found = conv2d(part.flatten(0, 1)[None], weights, groups=len(weights))
    return image.index_copy(0, chosen, found.view(len(chosen), 3, height, width))


def _tone_curve(image: Tensor, tone: Tensor) -> Tensor:
    """Display values 0..1, as :func:`..develop.developed` makes them."""
    reach, knee, contrast, black, white = tone[:, :, None, None, None].unbind(1)
    light = image.clamp_min(0).minimum(reach)
    rolled = _rolled(light, knee) / _rolled(reach, knee).sqrt()
    light = torch.where(knee > 0, rolled, light)
    curve = srgb.encode(light)
    curve = curve + contrast * (curve * curve * (3 - 2 * curve) - curve)
    return (black + curve * (white - black)).clamp(0, 1)


def _rolled(light: Tensor, knee: Tensor) -> Tensor:
    over = (light - knee).clamp_min(0) / (1 - knee)
    return light.minimum(knee) + (1 - knee) * over / (1 + over)


def _coloured(image: Tensor, how: Developments) -> Tensor:
    luminance = image.new_tensor(LUMINANCE)[:, None, None]
    grey = (image * luminance).sum(1, keepdim=True)
    image = grey + how.saturation[:, None, None, None] * (image - grey)
    sepia = image * image.new_tensor(SEPIA)[:, None, None]
    return torch.where(how.sepia[:, None, None, None], sepia, image)
