"""Deep3DFaceRecon's network (Deng et al. 2019, in its PyTorch form): ResNet-50 with seven heads."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..network.resnet import build_network

#: The heads in the order of the checkpoint: identity, expression, texture, angles, spherical
#: harmonics, translation across and along the view.
HEADS = (80, 64, 80, 3, 27, 2, 1)
OUTPUTS = sum(HEADS)
SIZE = 224  #: pixels


class Deep3DNetwork(nn.Module):
    """(N, 3, 224, 224) float32 RGB in [0, 1] to (N, 257).

    The backbone is torchvision's ResNet-50, which :mod:`..network.resnet` is too; the seven 1 x 1
    convolutions on its one averaged pixel are one linear layer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.network = build_network("resnet50", OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return self.network(x)


def from_checkpoint(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of :class:`Deep3DNetwork` from that of the checkpoint's ``net_recon``.

    Raises KeyError for a tensor that is missing, ValueError for one of another shape or too many.
    """
    left = {name: value for name, value in state.items() if not name.endswith("tracked")}
    out: dict[str, Tensor] = {}
    for name, wanted in Deep3DNetwork().state_dict().items():
        if name.startswith("network.head.") or name.endswith("tracked"):
            continue
        source = _source(name.removeprefix("network."))
        if source not in left:
            raise KeyError(source)
        found = left.pop(source)
        if found.shape != wanted.shape:
            raise ValueError(f"{source} is {tuple(found.shape)}, not {tuple(wanted.shape)}")
        out[name] = found.float()
    out |= _heads(left)
    if left:
        raise ValueError(f"there are tensors too many, as {sorted(left)[0]}")
    for name, value in Deep3DNetwork().state_dict().items():
        if name.endswith("tracked"):
            out[name] = value
    return out


def _heads(left: dict[str, Tensor]) -> dict[str, Tensor]:
    """The head from its seven layers, or from the one ``fc``; they are taken out of ``left``."""
    parts: dict[str, list[Tensor]] = {"weight": [], "bias": []}
    names = [f"final_layers.{k}" for k in range(len(HEADS))]
    counts: tuple[int, ...] = HEADS
    if "backbone.fc.weight" in left:
        names, counts = ["backbone.fc"], (OUTPUTS,)
    for name, count in zip(names, counts, strict=True):
        for end, values in parts.items():
            key = f"{name}.{end}"
            if key not in left:
                raise KeyError(key)
            value = left.pop(key).float()
            flat = value.reshape(len(value), -1) if end == "weight" else value
            if flat.shape != ((count, 2048) if end == "weight" else (count,)):
                raise ValueError(f"{key} is {tuple(value.shape)}, not {count} outputs of 2048")
            values.append(flat)
    return {f"network.head.{end}": torch.cat(values) for end, values in parts.items()}


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
