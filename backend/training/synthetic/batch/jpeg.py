"""What a JPEG file leaves of a picture (ITU-T T.81; JFIF 1.02), for batches.

As libjpeg does it by default: YCbCr, colour at half the resolution, blocks of 8 x 8.  The lossless
part, the entropy code, is left out.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

# T.81, Annex K: how coarse each frequency of lightness and of colour is, at quality 50.
_LIGHTNESS = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_COLOUR = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *4 * ((99, 99, 99, 99, 99, 99, 99, 99),),
)
_TO_YCBCR = (
    (0.299, 0.587, 0.114),
    (-0.168736, -0.331264, 0.5),
    (0.5, -0.418688, -0.081312),
)
_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


def jpeg(images: Tensor, quality: Tensor) -> Tensor:
    """(B, 3, S, S) float32, whole numbers 0..255, of such ``images`` at ``quality`` (B,) 1..100.

    Raises ValueError unless S is a multiple of 16.
    """
    if images.shape[-1] % 16 or images.shape[-2] % 16:
        raise ValueError(f"Pictures of {tuple(images.shape[-2:])} are no multiple of 16.")
    scale = torch.where(quality < 50, 5000 / quality.clamp_min(1), 200 - 2.0 * quality)
    ycc = torch.einsum("ij,bjhw->bihw", images.new_tensor(_TO_YCBCR), images)
    lightness = _coded(ycc[:, :1].round() - 128, _LIGHTNESS, scale) + 128
    colour = _coded(avg_pool2d(ycc[:, 1:].round(), 2).round(), _COLOUR, scale)
    colour = interpolate(colour, scale_factor=2, mode="bilinear", align_corners=False)
    ycc = torch.cat([lightness, colour], dim=1)
    return torch.einsum("ij,bjhw->bihw", images.new_tensor(_TO_RGB), ycc).round().clamp_(0, 255)


def _coded(planes: Tensor, table: tuple[tuple[int, ...], ...], scale: Tensor) -> Tensor:
    """``planes`` (B, C, H, W) around 0, with their frequencies rounded."""
    batch, channels, height, width = planes.shape
    wave = _cosines(planes)
    coarse = (planes.new_tensor(table) * scale[:, None, None] / 100 + 0.5).floor().clamp_(1, 255)
    blocks = planes.view(batch, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    coarse = coarse[:, None, None, None]
    found = ((wave @ blocks @ wave.T) / coarse).round() * coarse
    found = (wave.T @ found @ wave).transpose(3, 4).reshape(batch, channels, height, width)
    return found.round().clamp_(-128, 127)


def _cosines(like: Tensor) -> Tensor:
    """(8, 8) orthonormal discrete cosine transform."""
    k = torch.arange(8, dtype=like.dtype, device=like.device)
    wave = torch.cos(math.pi / 8 * (k + 0.5) * k[:, None]) / 2
    wave[0] /= math.sqrt(2)
    return wave
