"""A script: what a SavedModel computes, written down so that it can be read without TensorFlow.

``python tensorflow_child.py SAVED_MODEL OUT`` writes into the folder OUT ``graph.json`` (the nodes
between the input and the output), ``arrays.npz`` (their constants, some pictures, and what
TensorFlow made of them) or ``error.json``.  It imports nothing of this project: it may run in
another Python, the one that has TensorFlow.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

PICTURES = 4  #: that both sides compute
#: Operations with which a graph reaches beyond itself: nothing that computes numbers needs them.
FORBIDDEN = {
    "DebugIdentity", "DebugIdentityV2", "EagerPyFunc", "LoadLibrary", "MatchingFiles", "PyFunc",
    "PyFuncStateless", "ReadFile", "RegisterDataset", "RpcCall", "Send", "_Send", "WriteFile",
}  # fmt: skip
#: Operations that change nothing.
PASSING = {"Identity", "IdentityN", "StopGradient", "PreventGradient", "NoOp", "Snapshot"}
ATTRIBUTES = (
    "strides", "padding", "ksize", "data_format", "dilations", "epsilon", "is_training",
    "transpose_a", "transpose_b", "keep_dims",
)  # fmt: skip


class Refused(Exception):
    """A sentence for the user."""


def main(folder: str, out: str) -> int:
    """Describe the SavedModel in ``folder``; 0, or 3 with ``error.json``."""
    try:
        try:
            import tensorflow as tf
        except ImportError as error:
            raise Refused("no tensorflow") from error
        nodes, arrays = _described(tf, folder)
    except Refused as error:
        (Path(out) / "error.json").write_text(json.dumps({"message": str(error)}))
        return 3
    np.savez(str(Path(out) / "arrays.npz"), **arrays)
    (Path(out) / "graph.json").write_text(json.dumps({"tensorflow": tf.__version__, **nodes}))
    return 0


def _described(tf: Any, folder: str) -> tuple[dict[str, Any], dict[str, Any]]:
    _check_operations(folder)
    try:
        loaded = tf.saved_model.load(folder)  # kept: it owns the variables
        signatures = loaded.signatures
    except Exception as error:  # TensorFlow raises all kinds for damaged files
        raise Refused(f"it cannot be loaded ({_short(error)})") from error
    if "serving_default" not in signatures:
        raise Refused(f"it has no serving_default signature, only {sorted(signatures) or 'none'}")
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    frozen = convert_variables_to_constants_v2(signatures["serving_default"])
    inputs = [tensor for tensor in frozen.inputs if tensor.dtype != tf.resource]
    if len(inputs) != 1 or len(frozen.outputs) != 1:
        raise Refused(
            f"it has {len(inputs)} inputs and {len(frozen.outputs)} outputs, not one each"
        )
    shape = inputs[0].shape.as_list() if inputs[0].shape.rank is not None else []
    walker = _Walker(frozen.outputs[0], inputs[0])
    with tf.compat.v1.Session(graph=frozen.graph) as session:
        arrays = session.run(walker.constants)
    if shape[1:] == [224, 224, 3]:
        pictures = random_pictures(PICTURES)
        found = frozen(tf.constant(pictures))
        found = found[0] if isinstance(found, list | tuple) else found
        arrays |= {"pictures": pictures, "outputs": np.asarray(found)}
    return {"input_shape": shape, "nodes": walker.nodes}, arrays


def random_pictures(count: int) -> np.ndarray:
    """(count, 224, 224, 3) float32 in [-1, 1]: from plain noise to coarse patches."""
    rng = np.random.default_rng(20200725)
    out = np.empty((count, 224, 224, 3), np.float32)
    for k in range(count):
        side = 2 ** (k % 5)
        patches = rng.uniform(-1, 1, (224 // side, 224 // side, 3))
        out[k] = np.kron(patches, np.ones((side, side, 1)))
    return out


def _check_operations(folder: str) -> None:
    """Before anything of it is loaded."""
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    try:
        model.ParseFromString((Path(folder) / "saved_model.pb").read_bytes())
    except Exception as error:  # protobuf's DecodeError moves between its releases
        raise Refused("its saved_model.pb is damaged or no SavedModel") from error
    if not model.meta_graphs:
        raise Refused("its saved_model.pb is damaged or no SavedModel")
    for graph in model.meta_graphs:
        nodes = [*graph.graph_def.node]
        for function in graph.graph_def.library.function:
            nodes += function.node_def
        if bad := sorted({node.op for node in nodes} & FORBIDDEN):
            raise Refused(f"its graph has {bad[0]}, which reads or runs other things than itself")


class _Walker:
    """The nodes that lead from the input to the output, inputs before outputs."""

    def __init__(self, output: Any, source: Any) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.constants: dict[str, Any] = {}
        self._source = source
        self._places: dict[str, int] = {}
        self._moving: dict[str, bool] = {source.op.name: True}
        sys.setrecursionlimit(20000)
        if not self._moves(output.op):
            raise Refused("its output does not depend on its input")
        self._place(output)

    def _moves(self, operation: Any) -> bool:
        """Whether it depends on the input."""
        known = self._moving.get(operation.name)
        if known is None:
            known = any(self._moves(tensor.op) for tensor in operation.inputs)
            self._moving[operation.name] = known
        return known

    def _place(self, tensor: Any) -> int:
        """The number of the node that makes ``tensor``; -1 is the input."""
        operation = tensor.op
        while operation.type in PASSING and operation.name != self._source.op.name:
            operation = operation.inputs[0].op
        if operation.name == self._source.op.name:
            return -1
        if operation.name not in self._places:
            inputs: list[int | str] = []
            for given in operation.inputs:
                if self._moves(given.op):
                    inputs.append(self._place(given))
                else:
                    key = f"c{len(self.constants)}"
                    inputs.append(key)
                    self.constants[key] = given
            self.nodes.append(
                {
                    "op": operation.type,
                    "name": operation.name,
                    "inputs": inputs,
                    "attributes": _attributes(operation),
                }
            )
            self._places[operation.name] = len(self.nodes) - 1
        return self._places[operation.name]


def _attributes(operation: Any) -> dict[str, Any]:
    out = {}
    for name in ATTRIBUTES:
        try:
            value = operation.get_attr(name)
        except ValueError:
            continue
        out[name] = value.decode() if isinstance(value, bytes) else value
    return out


def _short(error: BaseException) -> str:
    text = str(error).strip().split("\n")[0][:160].rstrip(". ")
    return text or type(error).__name__


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
