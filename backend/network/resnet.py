"""The networks of :mod:`.architecture` in torch, to train them and to run them with CUDA."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .architecture import STAGES, WIDTHS

M = TypeVar("M", bound=nn.Module)

#: The head starts near zero, so that a fresh network answers the mean of the training labels.
_HEAD_SIGMA = 0.001


def _unit(inside: int, outside: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution and batch norm."""
    return nn.Sequential(
        nn.Conv2d(inside, outside, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outside),
    )


class Basic(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut."""

    growth = 1

    def __init__(self, inside: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = _unit(inside, width, 3, stride)
        self.last = _unit(width, width, 3)
        self.shortcut = _shortcut(inside, width, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inside, H, W) to (N, width, H / stride, W / stride)."""
        return self.relu(self.last(self.relu(self.first(x))) + self.shortcut(x))


class Bottleneck(nn.Module):
    """1 x 1 down, 3 x 3, 1 x 1 up, beside a shortcut."""

    growth = 4

    def __init__(self, inside: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = _unit(inside, width, 1)
        self.middle = _unit(width, width, 3, stride)
        self.last = _unit(width, width * self.growth, 1)
        self.shortcut = _shortcut(inside, width * self.growth, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inside, H, W) to (N, 4 width, H / stride, W / stride)."""
        inner = self.relu(self.middle(self.relu(self.first(x))))
        return self.relu(self.last(inner) + self.shortcut(x))


def _shortcut(inside: int, outside: int, stride: int) -> nn.Module:
    if stride == 1 and inside == outside:
        return nn.Identity()
    return _unit(inside, outside, 1, stride)


class ResNet(nn.Module):
    """(N, 3, S, S) RGB in [-1, 1], any S, to (N, ``outputs``)."""

    def __init__(self, architecture: str, outputs: int) -> None:
        super().__init__()
        block = Bottleneck if architecture == "resnet50" else Basic
        self.architecture = architecture
        self.stem = _unit(3, 64, 7, 2)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(3, 2, 1)
        layers: list[nn.Module] = []
        inside = 64
        for stage, (count, width) in enumerate(zip(STAGES[architecture], WIDTHS, strict=True)):
            for i in range(count):
                layers.append(block(inside, width, 2 if stage and i == 0 else 1))
                inside = width * block.growth
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(inside, outputs)
        self._initialise()

    def features(self, x: Tensor) -> Tensor:
        """(N, C) float32 means over the last stage."""
        return self.layers(self.pool(self.relu(self.stem(x)))).float().mean(dim=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """See the class; the head stays in float32, where half precision would blur a pose."""
        features = self.features(x)
        with torch.autocast(x.device.type, enabled=False):
            return self.head(features)

    def _initialise(self) -> None:
        """He et al. 2015; residual branches start as nothing (Goyal et al. 2017)."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, Basic | Bottleneck):
                norm = module.last[1]
                assert isinstance(norm, nn.BatchNorm2d)
                nn.init.zeros_(norm.weight)
        nn.init.normal_(self.head.weight, std=_HEAD_SIGMA)
        nn.init.zeros_(self.head.bias)


def build_network(architecture: str, outputs: int) -> ResNet:
    """A fresh network in channels-last memory; ``architecture`` is a key of :data:`STAGES`."""
    if architecture not in STAGES:
        raise ValueError(f"architecture is {architecture!r}; give one of {', '.join(STAGES)}.")
    return channels_last(ResNet(architecture, outputs))


def channels_last(network: M) -> M:
    """``network`` with its kernels in the order that convolutions are fastest in."""
    nn.utils.convert_conv2d_weight_memory_format(network, torch.channels_last)
    return network


def filled_network(architecture: str, tensors: Mapping[str, NDArray]) -> ResNet:
    """The network that has ``tensors``, float32, on the CPU."""
    with torch.device("meta"):  # nothing is drawn for what is replaced, nor random numbers used up
        network = build_network(architecture, len(tensors["head.bias"]))
    state = {name: torch.from_numpy(np.array(value)) for name, value in tensors.items()}
    network.load_state_dict(state, assign=True)
    return channels_last(network.requires_grad_())


def tensors_of(network: nn.Module) -> dict[str, NDArray]:
    """The state of ``network`` as arrays of their own."""
    state = network.state_dict()
    return {name: np.array(value.detach().cpu().numpy()) for name, value in state.items()}


def fused(network: nn.Module) -> nn.Module:
    """A copy for inference, each batch norm folded into the convolution before it.

    In float32: bfloat16 is faster where the CPU has it, but blurs the landmarks.
    """
    network = deepcopy(network).eval().requires_grad_(False)
    for module in list(network.modules()):
        for name, unit in module.named_children():
            match list(unit.children()):
                case [nn.Conv2d() as convolution, nn.BatchNorm2d() as norm]:
                    setattr(module, name, fuse_conv_bn_eval(convolution, norm))
    return channels_last(network)
