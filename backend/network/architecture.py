"""ResNet-18 and ResNet-50 (He et al., "Deep Residual Learning", CVPR 2016), layer by layer.

What computes them reads this: :mod:`.graph` for ONNX Runtime, :mod:`.resnet` in torch.  ResNet-50
strides in the 3 x 3 convolution, as everyone's has since Goyal et al. 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Block counts per stage.
STAGES = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3)}
WIDTHS = (64, 128, 256, 512)
#: A block has this many times its width in outputs.
GROWTH = {"resnet18": 1, "resnet50": 4}


@dataclass(frozen=True)
class Unit:
    """A convolution without bias, and the batch norm after it.

    Its tensors are ``NAME.0.weight``, and ``NAME.1.weight``, ``bias``, ``running_mean``,
    ``running_var`` and ``num_batches_tracked``.
    """

    name: str
    inside: int  #: channels
    outside: int
    kernel: int
    stride: int = 1


@dataclass(frozen=True)
class Block:
    """Units one after the other with a ReLU between, beside a shortcut; a ReLU on the sum."""

    path: tuple[Unit, ...]
    shortcut: Unit | None  #: None: the input as it is


STEM = Unit("stem", 3, 64, 7, 2)


def blocks(architecture: str) -> tuple[Block, ...]:
    """What follows the stem and its 3 x 3 maximum of stride 2; a key of :data:`STAGES`."""
    found: list[Block] = []
    inside = STEM.outside
    for stage, (count, width) in enumerate(zip(STAGES[architecture], WIDTHS, strict=True)):
        for i in range(count):
            stride = 2 if stage and i == 0 else 1
            found.append(_block(architecture, f"layers.{len(found)}", inside, width, stride))
            inside = width * GROWTH[architecture]
    return tuple(found)


def _block(architecture: str, name: str, inside: int, width: int, stride: int) -> Block:
    outside = width * GROWTH[architecture]
    if architecture == "resnet18":
        path = (
            Unit(f"{name}.first", inside, width, 3, stride),
            Unit(f"{name}.last", width, width, 3),
        )
    else:
        path = (
            Unit(f"{name}.first", inside, width, 1),
            Unit(f"{name}.middle", width, width, 3, stride),
            Unit(f"{name}.last", width, outside, 1),
        )
    same = stride == 1 and inside == outside
    return Block(path, None if same else Unit(f"{name}.shortcut", inside, outside, 1, stride))


def features(architecture: str) -> int:
    """Channels of the last stage, whose means the linear head gets."""
    return WIDTHS[-1] * GROWTH[architecture]


def tensor_shapes(architecture: str, outputs: int) -> dict[str, tuple[int, ...]]:
    """All tensors of the network by name, the head's with ``outputs`` rows."""
    units = [STEM]
    for block in blocks(architecture):
        units += [*block.path, *([block.shortcut] if block.shortcut else [])]
    shapes: dict[str, tuple[int, ...]] = {}
    for unit in units:
        shapes[f"{unit.name}.0.weight"] = (unit.outside, unit.inside, unit.kernel, unit.kernel)
        for end in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{unit.name}.1.{end}"] = (unit.outside,)
        shapes[f"{unit.name}.1.num_batches_tracked"] = ()
    width = features(architecture)
    return shapes | {"head.weight": (outputs, width), "head.bias": (outputs,)}
