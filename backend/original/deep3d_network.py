"""Deep3DFaceRecon's network (Deng et al. 2019, in its PyTorch form): ResNet-50 with seven heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..network import architecture
from ..network.device import Device
from ..network.runners import Runner, resnet_runner

Tensors = dict[str, NDArray]

ARCHITECTURE = "resnet50"
#: The heads in the order of the checkpoint: identity, expression, texture, angles, spherical
#: harmonics, translation across and along the view.
HEADS = (80, 64, 80, 3, 27, 2, 1)
OUTPUTS = sum(HEADS)
SIZE = 224  #: pixels
#: What the tensors' names begin with.
_OWN = "network."


def tensor_shapes() -> dict[str, tuple[int, ...]]:
    """The network's tensors by name.

    The backbone is torchvision's ResNet-50, which :mod:`..network.architecture` is too; the seven
    1 x 1 convolutions on its one averaged pixel are one linear layer.
    """
    shapes = architecture.tensor_shapes(ARCHITECTURE, OUTPUTS)
    return {_OWN + name: shape for name, shape in shapes.items()}


def deep3d_runner(tensors: Mapping[str, NDArray]) -> Runner:
    """(N, 3, 224, 224) float32 RGB in [0, 1] to (N, 257), on the processor."""
    own = {name.removeprefix(_OWN): value for name, value in tensors.items()}
    return resnet_runner(ARCHITECTURE, own, Device("cpu"))


def run_deep3d(run: Runner, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """(N, 257) the outputs for ``crops``, each (224, 224, 3) uint8 sRGB."""
    planes = np.stack(crops).transpose(0, 3, 1, 2)
    return run(np.ascontiguousarray(planes, np.float32) / np.float32(255)).astype(np.float64)


def from_checkpoint(state: Mapping[str, NDArray]) -> Tensors:
    """The tensors of :func:`tensor_shapes` from those of the checkpoint's ``net_recon``.

    Raises KeyError for a tensor that is missing, ValueError for one of another shape or too many.
    """
    left = {name: value for name, value in state.items() if not name.endswith("tracked")}
    out: Tensors = {}
    for name, wanted in tensor_shapes().items():
        if name.startswith(f"{_OWN}head."):
            continue
        if name.endswith("tracked"):  # counts batches of a training
            out[name] = np.zeros((), np.int64)
            continue
        source = _source(name.removeprefix(_OWN))
        if source not in left:
            raise KeyError(source)
        found = left.pop(source)
        if found.shape != wanted:
            raise ValueError(f"{source} is {found.shape}, not {wanted}")
        out[name] = found.astype(np.float32)
    out |= _heads(left)
    if left:
        raise ValueError(f"there are tensors too many, as {sorted(left)[0]}")
    return out


def _heads(left: Tensors) -> Tensors:
    """The head from its seven layers, or from the one ``fc``; they are taken out of ``left``."""
    parts: dict[str, list[NDArray]] = {"weight": [], "bias": []}
    names = [f"final_layers.{k}" for k in range(len(HEADS))]
    counts: tuple[int, ...] = HEADS
    if "backbone.fc.weight" in left:
        names, counts = ["backbone.fc"], (OUTPUTS,)
    for name, count in zip(names, counts, strict=True):
        for end, values in parts.items():
            key = f"{name}.{end}"
            if key not in left:
                raise KeyError(key)
            value = left.pop(key).astype(np.float32)
            flat = value.reshape(len(value), -1) if end == "weight" else value
            if flat.shape != ((count, 2048) if end == "weight" else (count,)):
                raise ValueError(f"{key} is {value.shape}, not {count} outputs of 2048")
            values.append(flat)
    return {f"{_OWN}head.{end}": np.concatenate(values) for end, values in parts.items()}


def _source(name: str) -> str:
    """The checkpoint's name of one of our backbone's tensors."""
    units = {"first": 1, "middle": 2, "last": 3}
    part = name.split(".")
    if part[0] == "stem":
        return f"backbone.{'conv1' if part[1] == '0' else 'bn1'}.{part[2]}"
    stage, block = _BLOCKS[int(part[1])]
    place = f"backbone.layer{stage}.{block}"
    if part[2] == "shortcut":
        return f"{place}.downsample.{part[3]}.{part[4]}"
    number = units[part[2]]
    return f"{place}.{'conv' if part[3] == '0' else 'bn'}{number}.{part[4]}"


_BLOCKS = [(stage, k) for stage, count in enumerate((3, 4, 6, 3), 1) for k in range(count)]
