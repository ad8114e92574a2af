"""The weights of MediaPipe's ``face_blendshapes.tflite`` as ``assets/face_blendshapes.npz``.

    python convert.py face_blendshapes.tflite face_blendshapes.npz

Run by ``fetch.sh``.  The names are those of ``backend/network/mixer.py``, in the order in which the
graph uses the tensors; values and half precision stay as they are.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tflite  # pyright: ignore[reportMissingImports]  # fetch.sh installs it
from numpy.typing import NDArray

LAYERS = 4
DTYPES = {tflite.TensorType.FLOAT32: np.float32, tflite.TensorType.FLOAT16: np.float16}
OPERATORS = {value: name for name, value in vars(tflite.BuiltinOperator).items() if name.isupper()}


class Graph:
    """The one graph of a model, its operators in their order."""

    def __init__(self, data: bytes) -> None:
        self._model = tflite.Model.GetRootAs(data, 0)
        self._graph = self._model.Subgraphs(0)

    def operators(self) -> Iterator[tuple[str, list[int], list[int]]]:
        """Name, inputs and outputs of each."""
        for i in range(self._graph.OperatorsLength()):
            one = self._graph.Operators(i)
            code = self._model.OperatorCodes(one.OpcodeIndex())
            name = OPERATORS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            yield name, one.InputsAsNumpy().tolist(), one.OutputsAsNumpy().tolist()

    def tensor(self, number: int) -> NDArray:
        """A constant."""
        tensor = self._graph.Tensors(number)
        data = self._model.Buffers(tensor.Buffer()).DataAsNumpy().tobytes()
        shape = tensor.ShapeAsNumpy() if tensor.ShapeLength() else ()
        return np.frombuffer(data, DTYPES[tensor.Type()]).reshape(shape)


def weights(graph: Graph) -> dict[str, NDArray]:
    """By their names; raises ValueError where the graph is another one."""
    constants: dict[int, NDArray] = {}
    linear, gains, found = [], [], {}
    for name, inputs, outputs in graph.operators():
        known = [constants[i] for i in inputs if i in constants]
        if name == "DEQUANTIZE":
            constants[outputs[0]] = graph.tensor(inputs[0])
        elif name == "CONV_2D":  # all are 1 x 1
            linear.append((known[0].reshape(len(known[0]), -1), known[1]))
        elif name == "CONCATENATION":
            found["token"] = known[0].ravel()
        elif name == "ADD" and known:
            found["epsilon"] = known[0]
        elif name == "MUL" and known and known[0].ndim == 0:
            found["scale"] = known[0]
        elif name == "MUL" and known:
            gains.append(known[0])
    names = ["points", "places"]
    for i in range(LAYERS):
        names += [f"tokens{i}_in", f"tokens{i}_out", f"channels{i}_in", f"channels{i}_out"]
    names.append("scores")
    kinds = [f"{kind}{i}_gain" for i in range(LAYERS) for kind in ("tokens", "channels")]
    found |= dict(zip(kinds, gains, strict=True))
    for name, (weight, bias) in zip(names, linear, strict=True):
        found |= {f"{name}_weight": weight, f"{name}_bias": bias}
    return found


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    np.savez_compressed(target, **weights(Graph(source.read_bytes())))
