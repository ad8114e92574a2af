"""The original's ResNet-18, as TensorFlow computes it.

It differs from :mod:`..network.resnet`: a 1 x 1 projection beside the first block of every stage,
TensorFlow's "same" padding, which is longer at the bottom and right where a stride of 2 leaves an
odd rest, and outputs that are in standard deviations of ``stats_80k.npz``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

OUTPUTS = 240
SIZE = 224  #: pixels


@dataclass(frozen=True)
class Convolution:
    """One of the network's, by the original's name."""

    name: str
    size: int
    stride: int
    inside: int
    outside: int

    @property
    def kind(self) -> tuple[int, int, int, int]:
        """Kernel size, stride, channels in and out."""
        return self.size, self.stride, self.inside, self.outside


def _convolutions() -> tuple[Convolution, ...]:
    out = [Convolution("conv1/7x7_s2", 7, 2, 3, 64)]
    inside = 64
    for stage, width in zip((2, 3, 4, 5), (64, 128, 256, 512), strict=True):
        stride = 1 if stage == 2 else 2
        out += [
            Convolution(f"conv{stage}_1_3x3_1", 3, stride, inside, width),
            Convolution(f"conv{stage}_1_3x3_2", 3, 1, width, width),
            Convolution(f"conv{stage}_1_3x3_proj", 1, stride, inside, width),
            Convolution(f"conv{stage}_2_3x3_1", 3, 1, width, width),
            Convolution(f"conv{stage}_2_3x3_2", 3, 1, width, width),
        ]
        inside = width
    return tuple(out)


CONVOLUTIONS = _convolutions()


class OriginalNetwork(nn.Module):
    """(N, 3, S, S) float32 RGB in [-1, 1] to (N, 240), normalised coefficients.

    Batch norm is folded into the convolutions, which therefore have biases.
    """

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleDict(
            {
                one.name: nn.Conv2d(one.inside, one.outside, one.size, one.stride)
                for one in CONVOLUTIONS
            }
        )
        self.fc = nn.Linear(CONVOLUTIONS[-1].outside, OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x = functional.relu(self._convolved("conv1/7x7_s2", x))
        x = functional.max_pool2d(pad_same(x, 3, 2, -torch.inf), 3, 2)
        for stage in (2, 3, 4, 5):
            for block in (1, 2):
                name = f"conv{stage}_{block}_3x3"
                inner = functional.relu(self._convolved(f"{name}_1", x))
                beside = self._convolved(f"{name}_proj", x) if block == 1 else x
                x = functional.relu(self._convolved(f"{name}_2", inner) + beside)
        return self.fc(x.mean(dim=(2, 3)))

    def _convolved(self, name: str, x: Tensor) -> Tensor:
        convolution = self.convolutions[name]
        assert isinstance(convolution, nn.Conv2d)
        return convolution(pad_same(x, convolution.kernel_size[0], convolution.stride[0]))


def pad_same(x: Tensor, kernel: int, stride: int, value: float = 0.0) -> Tensor:
    """``x`` (N, C, H, W) padded as TensorFlow's "same" does: the odd pixel at the bottom and right.

    The result has ceil(side / stride) pixels: (ceil(side / stride) - 1) stride + kernel - side are
    added, where that is positive.
    """
    pad: list[int] = []
    for side in (x.shape[3], x.shape[2]):
        total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        pad += [total // 2, total - total // 2]
    return functional.pad(x, pad, value=value) if any(pad) else x


def run_network(module: nn.Module, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """(N, 240) the normalised outputs for ``crops``, each (224, 224, 3) uint8 sRGB."""
    batch = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 127.5 - 1.0
    with torch.inference_mode():
        return module(batch).double().numpy()
