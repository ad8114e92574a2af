"""The original's ResNet-18, as TensorFlow computes it.

It differs from :mod:`..network.architecture`: a 1 x 1 projection beside the first block of every
stage, TensorFlow's "same" padding, which is longer at the bottom and right where a stride of 2
leaves an odd rest, and outputs that are in standard deviations of ``stats_80k.npz``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..network.runners import Runner, to_input

if TYPE_CHECKING:
    from ..network.graph import OnnxModel

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


def tensor_shapes() -> dict[str, tuple[int, ...]]:
    """The network's tensors by name; batch norm is folded into the convolutions."""
    shapes: dict[str, tuple[int, ...]] = {}
    for one in CONVOLUTIONS:
        name = f"convolutions.{one.name}"
        shapes[f"{name}.weight"] = (one.outside, one.inside, one.size, one.size)
        shapes[f"{name}.bias"] = (one.outside,)
    width = CONVOLUTIONS[-1].outside
    return shapes | {"fc.weight": (OUTPUTS, width), "fc.bias": (OUTPUTS,)}


def original_graph(tensors: Mapping[str, NDArray]) -> OnnxModel:
    """The network as ONNX: (N, 3, S, S) RGB in [-1, 1] to (N, 240) normalised coefficients.

    ``tensors`` are those of :func:`tensor_shapes`.
    """
    from ..network.graph import Graph

    graph = Graph()
    strides = {one.name: one.stride for one in CONVOLUTIONS}

    def convolution(name: str, x: str) -> str:
        weight, bias = (tensors[f"convolutions.{name}.{end}"] for end in ("weight", "bias"))
        return graph.same_convolution(x, weight, bias, strides[name])

    x = graph.relu(convolution("conv1/7x7_s2", graph.INPUT))
    x = graph.same_maximum(x)
    for stage in (2, 3, 4, 5):
        for block in (1, 2):
            name = f"conv{stage}_{block}_3x3"
            inner = convolution(f"{name}_2", graph.relu(convolution(f"{name}_1", x)))
            beside = convolution(f"{name}_proj", x) if block == 1 else x
            x = graph.relu(graph.sum(inner, beside))
    head = graph.linear(graph.mean(x), tensors["fc.weight"], tensors["fc.bias"])
    return graph.finished(head, OUTPUTS)


def run_network(run: Runner, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """(N, 240) the normalised outputs for ``crops``, each (224, 224, 3) uint8 sRGB."""
    return run(to_input(np.stack(crops))).astype(np.float64)
