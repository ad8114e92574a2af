"""A region's network in torch, and what becomes of it when it has learnt.

The names of its parts are those of the checkpoints: they stay.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ...network.region_crops import HINTS, SIZE
from ...network.regions import HALVINGS, LOG_SIGMA, RegionNetwork

#: Channels after the first convolution and after each halving.
CHANNELS = (24, 40, 64, 96, 128)
HIDDEN = 160
#: Share of the convolutions' features that is left out in training.
DROPPED = 0.2


class Residual(nn.Module):
    """A convolution beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.a = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.n = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) of the same."""
        return nn.functional.silu(x + self.n(self.a(x)))


class Network(nn.Module):
    """Convolutions, then two linear layers that get numbers about the pose as well."""

    def __init__(self, weights: int, points: int) -> None:
        super().__init__()
        self.weights, self.points = weights, points
        layers = [nn.Conv2d(3, CHANNELS[0], 5, 2, 2, bias=False), nn.BatchNorm2d(CHANNELS[0])]
        layers.append(nn.SiLU())
        for inside, outside in zip(CHANNELS[:-1], CHANNELS[1:], strict=True):
            layers += [nn.Conv2d(inside, outside, 3, 2, 1, bias=False), nn.BatchNorm2d(outside)]
            layers += [nn.SiLU(), Residual(outside)]
        self.body = nn.Sequential(*layers)
        features = CHANNELS[-1] * (SIZE >> (HALVINGS + 1)) ** 2
        self.fc = nn.Linear(features + HINTS, HIDDEN)
        self.out = nn.Linear(HIDDEN, 2 * weights + 2 * points)

    def forward(self, pictures: Tensor, hints: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Means and log sigmas (N, W), and points (N, P, 2) in half sides from the middle.

        ``pictures`` (N, 3, S, S) in -1..1, ``hints`` (N, 4).
        """
        seen = nn.functional.dropout(self.body(pictures).flatten(1), DROPPED, self.training)
        features = torch.cat([seen, hints], dim=1)
        values = self.out(nn.functional.silu(self.fc(features)))
        count = self.weights
        means, logs, points = values.split([count, count, 2 * self.points], dim=1)
        return means, logs.clamp(*LOG_SIGMA), points.view(-1, self.points, 2)


def finished(network: Network, weights: tuple[str, ...]) -> RegionNetwork:
    """``network``, which tells ``weights``, as it runs: batch norm folded, float32."""
    pairs = tuple(_folded(*pair) for pair in _normed(network))
    hidden, last = (
        (one.weight.detach().numpy(), one.bias.detach().numpy())
        for one in (network.fc, network.out)
    )
    return RegionNetwork(weights, network.points, pairs, hidden, last)


def _normed(network: Network) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Its convolutions, each with the batch norm that follows."""
    pairs, layers = [], list(network.body)
    for layer, after in zip(layers, [*layers[1:], None], strict=True):
        if isinstance(layer, nn.Conv2d):
            assert isinstance(after, nn.BatchNorm2d)
            pairs.append((layer, after))
        elif isinstance(layer, Residual):
            pairs.append((layer.a, layer.n))
    return pairs


@torch.no_grad()
def take_up(network: Network, known: RegionNetwork, pictures: Tensor, hints: Tensor) -> None:
    """Make ``network`` compute what ``known``, a finished one, does, so that it can go on learning.

    Batch norm, which ``known`` has none of, begins with the means and variances that ``pictures``
    (N, 3, S, S) in -1..1 with ``hints`` (N, 4) have there, and undoes itself.  Raises ValueError:
    of other sizes.
    """
    layers = _normed(network)
    linear = ((network.fc, known.hidden), (network.out, known.last))
    pairs = zip([one for one, _ in layers] + [one for one, _ in linear],
                [*known.kernels, known.hidden, known.last], strict=True)  # fmt: skip
    for layer, (weight, _) in pairs:
        if layer.weight.shape != weight.shape:
            raise ValueError(f"{weight.shape} where {tuple(layer.weight.shape)} are learnt")
        layer.weight.copy_(torch.from_numpy(weight.astype(np.float32)))
    for layer, (_, offset) in linear:
        layer.bias.copy_(torch.from_numpy(offset.astype(np.float32)))
    network.eval()
    for (convolution, norm), (_, offset) in zip(layers, known.kernels, strict=True):
        seen = _made(network, convolution, pictures, hints)
        assert norm.running_mean is not None and norm.running_var is not None
        norm.running_mean.copy_(seen.mean(dim=(0, 2, 3)))
        norm.running_var.copy_(seen.var(dim=(0, 2, 3)))
        norm.weight.copy_(torch.sqrt(norm.running_var + norm.eps))
        norm.bias.copy_(torch.from_numpy(offset.astype(np.float32)) + norm.running_mean)


def _made(network: Network, layer: nn.Module, pictures: Tensor, hints: Tensor) -> Tensor:
    """(N, C, H, W) what ``layer`` makes of ``pictures``."""
    found: list[Tensor] = []

    def keep(_layer: nn.Module, _given: object, made: Tensor) -> None:
        found.append(made)

    hook = layer.register_forward_hook(keep)
    network(pictures, hints)
    hook.remove()
    return found[0]


def _folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple:
    """Kernel and bias of both together (Jacob et al. 2018, eq. 14)."""
    assert norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    kernel = convolution.weight.double() * scale[:, None, None, None]
    bias = norm.bias.double() - norm.running_mean.double() * scale
    return kernel.float().detach().contiguous().numpy(), bias.float().detach().numpy()
