"""How good a network is on held-out pictures, over all and per bin of yaw."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from .augment import Pictures
from .data import to_input
from .losses import LabelLosses

#: |yaw| in degrees; the bins of the project's accuracy benchmark.
YAW_EDGES = (0, 15, 35, 60, 180)
_PER_BIN = ("landmarks_percent", "neutral_mm")


@torch.inference_mode()
def validate(
    network: nn.Module, losses: LabelLosses, pictures: Pictures, batch_size: int, *, bf16: bool
) -> dict[str, float]:
    """Means of :meth:`LabelLosses.measure`, and those of :data:`_PER_BIN` per bin of yaw."""
    device = losses.label_mean.device
    was_training = network.training
    network.eval()
    rows = []
    for at in range(0, len(pictures.images), batch_size):
        part = Pictures(*(tensor[at : at + batch_size] for tensor in pictures))
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            output = network(to_input(part.images, device))
        truth = Pictures(part.images, part.labels.to(device), part.jaw.to(device))
        rows.append(losses.measure(output.float(), truth))
    network.train(was_training)
    found = {name: torch.cat([row[name] for row in rows]) for name in rows[0]}
    yaw = found.pop("yaw_degrees")
    report = {name: values.mean().item() for name, values in found.items()}
    for low, high in pairwise(YAW_EDGES):
        inside = (yaw >= low) & (yaw < high)
        for name in _PER_BIN:
            report[f"{name}_yaw{low}"] = found[name][inside].mean().item()
    return report
