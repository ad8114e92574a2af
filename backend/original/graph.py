"""The original's ResNet-18, recognised in the graph that :mod:`.tensorflow_child` wrote down.

By what is computed, not by names: Keras names and numbers its variables differently from release
to release, and writes batch norm as one operation or as four.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .network import CONVOLUTIONS, OUTPUTS, Convolution

Double = NDArray[np.float64]


class OtherArchitecture(Exception):
    """What is different, as part of a sentence."""


@dataclass(frozen=True, eq=False)
class Unit:
    """A convolution and the batch norm after it: ``convolution(x, kernel) * scale + shift``."""

    kernel: Double  #: (h, w, inside, outside)
    stride: int
    scale: Double  #: (outside,)
    shift: Double  #: (outside,)

    @property
    def kind(self) -> tuple[int, int, int, int]:
        """Kernel size, stride, channels in and out."""
        size, _, inside, outside = self.kernel.shape
        return size, self.stride, inside, outside


def folded_weights(
    nodes: Sequence[Mapping[str, Any]], arrays: Mapping[str, NDArray]
) -> dict[str, Double]:
    """The weights of :class:`~.network.OriginalNetwork`, in float64.

    Batch norm is folded into the convolution before it: kernel' = kernel * gamma / sqrt(variance +
    epsilon), bias' = beta - mean * gamma / sqrt(variance + epsilon).

    Raises :class:`OtherArchitecture`.
    """
    units, head, bias = _Reader(nodes, arrays).read()
    found = {key: unit.kind for key, unit in units.items()}
    for one in CONVOLUTIONS:
        if found.get(one.name) != one.kind:
            raise OtherArchitecture(f"{one.name} is {_kind(found.get(one.name))}, not {_kind(one)}")
    if extra := sorted(set(found) - {one.name for one in CONVOLUTIONS}):
        raise OtherArchitecture(f"there is a convolution {extra[0]} too many")
    if head.shape != (512, OUTPUTS) or bias.shape != (OUTPUTS,):
        raise OtherArchitecture(f"it has {head.shape[-1]} outputs, not {OUTPUTS}")
    out = {"fc.weight": head.T, "fc.bias": bias}
    for name, unit in units.items():
        out[f"convolutions.{name}.weight"] = (unit.kernel * unit.scale).transpose(3, 2, 0, 1)
        out[f"convolutions.{name}.bias"] = unit.shift
    return out


def _kind(kind: Convolution | tuple[int, int, int, int] | None) -> str:
    if kind is None:
        return "missing"
    size, stride, inside, outside = kind if isinstance(kind, tuple) else kind.kind
    return f"{size} x {size} of stride {stride} from {inside} to {outside} channels"


class _Reader:
    """Reads backwards, from the output to the input."""

    def __init__(self, nodes: Sequence[Mapping[str, Any]], arrays: Mapping[str, NDArray]) -> None:
        self._nodes, self._arrays = nodes, arrays

    def read(self) -> tuple[dict[str, Unit], Double, Double]:
        """The convolutions by name, the head (C, outputs) and its bias."""
        head, bias, at = self._head(len(self._nodes) - 1)
        blocks: list[tuple[Unit, Unit, Unit | None]] = []
        while self._op(at) != "MaxPool":
            first, second, shortcut, at = self._block(at)
            blocks.append((first, second, shortcut))
            if len(blocks) > 100:
                raise OtherArchitecture("it has over 100 blocks")
        at = self._pool(at, "MaxPool", 3, 2, "SAME")
        stem, at = self._unit(self._after(at, "Relu"))
        if at != -1:
            raise OtherArchitecture(f"its first convolution follows a {self._op(at)}")
        units = {CONVOLUTIONS[0].name: stem}
        for k, (first, second, shortcut) in enumerate(reversed(blocks)):
            name = f"conv{2 + k // 2}_{1 + k % 2}_3x3"
            units |= {f"{name}_1": first, f"{name}_2": second}
            if shortcut is not None:
                units[f"{name}_proj"] = shortcut
        return units, head, bias

    def _head(self, at: int) -> tuple[Double, Double, int]:
        bias: Double | None = None
        if self._op(at) in ("BiasAdd", "AddV2", "Add"):
            bias, at = self._constant(at)
        if self._op(at) != "MatMul":
            raise OtherArchitecture(f"it ends with {self._op(at)}, not with a dense layer")
        if self._attribute(at, "transpose_a") or self._attribute(at, "transpose_b"):
            raise OtherArchitecture("its dense layer is transposed")
        matrix, at = self._constant(at)
        while self._op(at) in ("Reshape", "Squeeze"):
            at = self._first(at)
        if self._op(at) == "Mean":
            axes, at = self._constant(at)
            if sorted(int(axis) % 4 for axis in np.ravel(axes)) != [1, 2]:
                raise OtherArchitecture("its mean is not over the picture")
        else:
            at = self._pool(at, "AvgPool", 7, None, None)
        return matrix, np.zeros(matrix.shape[1]) if bias is None else bias, at

    def _block(self, at: int) -> tuple[Unit, Unit, Unit | None, int]:
        """Both convolutions, the projection where there is one, and where the block begins."""
        at = self._after(at, "Relu")
        sides = [side for side in self._inputs(at) if isinstance(side, int)]
        if self._op(at) not in ("AddV2", "Add", "AddN") or len(sides) != 2:
            raise OtherArchitecture(f"{self._op(at)} stands where two branches are added")
        branches = [(side, self._try_unit(side)) for side in sides]
        # The longer branch is that of the 3 x 3 convolution.
        branches.sort(key=lambda branch: branch[1] is None or branch[1][0].kind[0] == 1)
        (_, main), (other, side) = branches
        if main is None:
            raise OtherArchitecture("a block has no convolution")
        second, middle = main
        first, start = self._unit(self._after(middle, "Relu"))
        shortcut, start_too = side if side is not None else (None, other)
        if start != start_too:
            raise OtherArchitecture("the branches of a block begin at different places")
        return first, second, shortcut, start

    def _try_unit(self, at: int) -> tuple[Unit, int] | None:
        return None if self._op(at) in ("Relu", "MaxPool", "Placeholder") else self._unit(at)

    def _unit(self, at: int) -> tuple[Unit, int]:
        """The convolution at ``at`` and what scales and shifts it, and where it begins."""
        affine: list[tuple[Double | float, Double | float]] = []
        while (op := self._op(at)) != "Conv2D":
            here = at
            if op.startswith("FusedBatchNorm"):
                if self._attribute(here, "is_training"):
                    raise OtherArchitecture("its batch norm is in training mode")
                values = [self._value(name) for name in self._inputs(here)[1:5]]
                gamma, beta, mean, variance = values
                factor = gamma / np.sqrt(variance + float(self._attribute(here, "epsilon")))
                affine.append((factor, beta - mean * factor))
                at = self._first(here)
            elif op in ("Mul", "AddV2", "Add", "BiasAdd", "Sub"):
                value, at = self._constant(here)
                if op == "Sub" and not isinstance(self._inputs(here)[0], int):
                    affine.append((-1.0, value))
                else:
                    affine.append(
                        (value, 0.0) if op == "Mul" else (1.0, -value if op == "Sub" else value)
                    )
            else:
                raise OtherArchitecture(f"{op} stands between a convolution and its activation")
        stride = self._convolution(at)
        kernel, at = self._constant(at)
        if kernel.ndim != 4 or kernel.shape[0] != kernel.shape[1]:
            raise OtherArchitecture(f"a kernel is {kernel.shape}")
        scale, shift = np.ones(kernel.shape[3]), np.zeros(kernel.shape[3])
        for factor, offset in reversed(affine):
            scale, shift = scale * np.ravel(factor), shift * np.ravel(factor) + np.ravel(offset)
        return Unit(kernel, stride, scale, shift), at

    def _convolution(self, at: int) -> int:
        """The stride of a convolution as TensorFlow pads it."""
        _, down, across, _ = self._attribute(at, "strides") or (1, 1, 1, 1)
        kernel = self._arrays[str(self._inputs(at)[1])]
        padding = self._attribute(at, "padding")
        if self._attribute(at, "data_format") != "NHWC":
            raise OtherArchitecture("its channels come first")
        if padding != "SAME" and kernel.shape[0] != 1:
            raise OtherArchitecture(f"a convolution pads {padding}, not SAME")
        if down != across or list(self._attribute(at, "dilations") or [1]) != [1] * 4:
            raise OtherArchitecture("a convolution is dilated or strides unevenly")
        return int(down)

    def _pool(self, at: int, op: str, size: int, stride: int | None, padding: str | None) -> int:
        if self._op(at) != op:
            raise OtherArchitecture(f"{self._op(at)} stands where {op} is expected")
        found = list(self._attribute(at, "ksize"))
        steps = list(self._attribute(at, "strides"))
        if found != [1, size, size, 1] or (stride and steps != [1, stride, stride, 1]):
            raise OtherArchitecture(f"{op} is over {found[1]} x {found[2]} pixels")
        if padding and self._attribute(at, "padding") != padding:
            raise OtherArchitecture(f"{op} pads {self._attribute(at, 'padding')}, not {padding}")
        return self._first(at)

    def _after(self, at: int, op: str) -> int:
        """What comes before ``at``, which has to be an ``op``."""
        if self._op(at) != op:
            raise OtherArchitecture(f"{self._op(at)} stands where {op} is expected")
        return self._first(at)

    def _op(self, at: int) -> str:
        return "Placeholder" if at < 0 else str(self._nodes[at]["op"])

    def _inputs(self, at: int) -> list[int | str]:
        return [] if at < 0 else list(self._nodes[at]["inputs"])

    def _attribute(self, at: int, name: str) -> Any:
        return self._nodes[at]["attributes"].get(name)

    def _first(self, at: int) -> int:
        """The one input that depends on the picture, or the first of them."""
        found = [side for side in self._inputs(at) if isinstance(side, int)]
        if not found:
            raise OtherArchitecture(f"{self._op(at)} stands at its beginning")
        return found[0]

    def _constant(self, at: int) -> tuple[Double, int]:
        """The constant that ``at`` combines its one other input with, and that input."""
        names = [side for side in self._inputs(at) if isinstance(side, str)]
        places = [side for side in self._inputs(at) if isinstance(side, int)]
        if len(names) != 1 or len(places) != 1:
            raise OtherArchitecture(f"{self._op(at)} combines two things that vary")
        return self._value(names[0]), places[0]

    def _value(self, name: int | str) -> Double:
        if not isinstance(name, str):
            raise OtherArchitecture("its batch norm varies with the picture")
        return np.asarray(self._arrays[name], np.float64)
