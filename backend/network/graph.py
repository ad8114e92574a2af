"""Networks as ONNX graphs, built in memory from their tensors.

So that one file of weights serves training and running, and nothing has to be exported.  Batch norm
is folded into the convolution before it (Jacob et al., "Quantization and Training of Neural
Networks", CVPR 2018, eq. 14).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, StringStringEntryProto, TensorProto, helper

from .architecture import STEM, Unit, blocks

Float = NDArray[np.float32]

#: Every ONNX Runtime since 1.14 (2023) runs these.
_OPSET, _IR_VERSION = 17, 8
#: torch's of batch norm.
_EPSILON = 1e-5


@dataclass(frozen=True)
class OnnxModel:
    """A network whose tensors are outside of its graph: inside they would be copied three times."""

    graph: bytes  #: the serialised model
    constants: dict[str, Float]  #: contents of the files that the graph names


class Graph:
    """Layers one after the other; every method returns the name of what it computes.

    The input ``INPUT`` is (N, 3, S, S) float32, any N and S.
    """

    INPUT = "pictures"

    def __init__(self) -> None:
        self._nodes: list[NodeProto] = []
        self._declared: list[TensorProto] = []
        self._constants: dict[str, Float] = {}

    def convolution(
        self, x: str, weight: NDArray, bias: NDArray, stride: int, pads: Sequence[int]
    ) -> str:
        """``weight`` (outside, inside, k, k), ``pads`` at the top, left, bottom and right."""
        kernel = self._constant(weight), self._constant(bias)
        return self._node("Conv", x, *kernel, strides=[stride, stride], pads=list(pads))

    def same_convolution(self, x: str, weight: NDArray, bias: NDArray, stride: int) -> str:
        """Padded as TensorFlow's "same" does: an odd pixel goes to the bottom and right."""
        kernel = self._constant(weight), self._constant(bias)
        return self._node("Conv", x, *kernel, strides=[stride, stride], auto_pad="SAME_UPPER")

    def relu(self, x: str) -> str:
        """max(x, 0)."""
        return self._node("Relu", x)

    def silu(self, x: str) -> str:
        """x / (1 + exp(-x)) (Elfwing et al. 2018)."""
        return self._node("Mul", x, self._node("Sigmoid", x))

    def sum(self, x: str, y: str) -> str:
        """x + y."""
        return self._node("Add", x, y)

    def maximum(self, x: str) -> str:
        """Of 3 x 3 pixels, stride 2, one pixel of border."""
        return self._node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])

    def same_maximum(self, x: str) -> str:
        """Of 3 x 3 pixels, stride 2, padded as in :meth:`same_convolution`."""
        return self._node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")

    def mean(self, x: str) -> str:
        """(N, C) over all pixels."""
        return self.flatten(self._node("GlobalAveragePool", x))

    def flatten(self, x: str) -> str:
        """(N, C H W): pixels after channels."""
        return self._node("Flatten", x)

    def linear(self, x: str, weight: NDArray, bias: NDArray) -> str:
        """``x @ weight.T + bias``."""
        return self._node("Gemm", x, self._constant(weight), self._constant(bias), transB=1)

    def finished(self, output: str, count: int) -> OnnxModel:
        """The model whose result is ``output``, (N, ``count``)."""
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self._nodes,
            "network",
            [value(self.INPUT, TensorProto.FLOAT, ["n", 3, "side", "side"])],
            [value(output, TensorProto.FLOAT, ["n", count])],
            self._declared,
        )
        model: ModelProto = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
            producer_name="reconstruct_face",
        )
        return OnnxModel(model.SerializeToString(), self._constants)

    def _node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def _constant(self, values: NDArray) -> str:
        name = f"constant_{len(self._constants)}"
        array = np.ascontiguousarray(values, np.float32)
        self._constants[name] = array
        # Each in a file of its own, which is handed over in memory.
        place = {"location": name, "offset": "0", "length": str(array.nbytes)}
        self._declared.append(
            TensorProto(
                name=name,
                data_type=TensorProto.FLOAT,
                dims=array.shape,
                data_location=TensorProto.EXTERNAL,
                external_data=[
                    StringStringEntryProto(key=key, value=value) for key, value in place.items()
                ],
            )
        )
        return name


def resnet_graph(architecture: str, tensors: Mapping[str, NDArray]) -> OnnxModel:
    """The model of a network whose ``tensors`` are those of ``architecture.tensor_shapes``."""
    graph = Graph()

    def unit(x: str, one: Unit) -> str:
        weight, bias = _folded(one, tensors)
        return graph.convolution(x, weight, bias, one.stride, [one.kernel // 2] * 4)

    x = graph.maximum(graph.relu(unit(graph.INPUT, STEM)))
    for block in blocks(architecture):
        inner = unit(x, block.path[0])
        for one in block.path[1:]:
            inner = unit(graph.relu(inner), one)
        beside = unit(x, block.shortcut) if block.shortcut else x
        x = graph.relu(graph.sum(inner, beside))
    weight, bias = tensors["head.weight"], tensors["head.bias"]
    return graph.finished(graph.linear(graph.mean(x), weight, bias), len(bias))


def _folded(unit: Unit, tensors: Mapping[str, NDArray]) -> tuple[Float, Float]:
    """Kernel and bias of the convolution that ``unit`` is when it does not learn."""
    kernel = np.asarray(tensors[f"{unit.name}.0.weight"], np.float32)
    gamma, beta, mean, variance = (
        np.asarray(tensors[f"{unit.name}.1.{end}"], np.float64)
        for end in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / np.sqrt(variance + _EPSILON)
    bias = (beta - mean * scale).astype(np.float32)
    return kernel * scale.astype(np.float32)[:, None, None, None], bias
