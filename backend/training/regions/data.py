"""Shards as tensors: what each of the two networks learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import TrainingError
from ...model import FaceModel
from ...model.contour import landmark_points
from ...network.region_crops import REGIONS, SIZE, placed
from ...network.regions import NETWORKS, SIDES
from .shards import read_shard, shard_files

#: What an eye's crop tells, without its side, and how much each counts in the loss.
EYE = {
    "browDown": 2.0,
    "browInnerUp": 3.0,
    "browOuterUp": 3.0,
    "eyeBlink": 2.0,
    "eyeWide": 1.5,
    "eyeSquint": 1.0,
    "eyeLookDown": 1.5,
    "eyeLookUp": 1.5,
    "eyeLookIn": 1.5,
    "eyeLookOut": 1.5,
    "cheekSquint": 0.5,
    "noseSneer": 0.5,
}
_MOUTH = ("mouth", "jaw")
#: Of the mouth's, those that count more.
_MOUTH_FIRST = (
    "mouthSmile", "mouthFrown", "mouthPress", "mouthRoll", "jawOpen", "mouthUpper", "mouthLower",
)  # fmt: skip
_FIRST = 1.5
#: Every such shard, from the first, is kept out of the training.
HELD_OUT = 12


def weight_names(model: FaceModel) -> dict[str, tuple[str, ...]]:
    """What each network tells."""
    mouth = tuple(name for name in model.expression_names if name.startswith(_MOUTH))
    return {"eye": tuple(EYE), "mouth": mouth}


def importance(names: tuple[str, ...]) -> Tensor:
    """(W,) how much each weight counts."""
    other = {name: _FIRST if name.startswith(_MOUTH_FIRST) else 1.0 for name in names}
    return torch.tensor([EYE.get(name, other[name]) for name in names])


@dataclass(frozen=True, eq=False)
class Examples:
    """Of one network."""

    pictures: Tensor  #: (N, S, S, 3) uint8
    hints: Tensor  #: (N, 4)
    weights: Tensor  #: (N, W)
    points: Tensor  #: (N, P, 2) half sides from the crop's middle

    def __len__(self) -> int:
        return len(self.pictures)

    @classmethod
    def joined(cls, several: Sequence[Examples]) -> Examples:
        """All of ``several``."""
        names = [one.name for one in fields(cls)]
        return cls(*(torch.cat([getattr(one, name) for one in several]) for name in names))


def read_examples(folder: Path, model: FaceModel) -> tuple[dict[str, Examples], ...]:
    """What the networks learn from, and what is held out, by their names.

    Raises :class:`TrainingError`: too few shards, one damaged, one of another model.
    """
    files = shard_files(folder)
    kept = [path for path in files if int(path.stem) % HELD_OUT == 0]
    if not kept or len(kept) == len(files):
        raise TrainingError(
            f"{folder} has {len(files)} shards of shots; draw two at least, as one is held out."
        )
    found = []
    for paths in ([path for path in files if path not in kept], kept):
        several = [_examples(read_shard(path, model), model) for path in paths]
        found.append({name: Examples.joined([one[name] for one in several]) for name in NETWORKS})
    return tuple(found)


def _examples(arrays: dict[str, NDArray], model: FaceModel) -> dict[str, Examples]:
    template = landmark_points(model, model.mean, model.landmarks68)
    hints = np.stack([placed(marks, template).hints for marks in arrays["marks"]])
    names = weight_names(model)
    found: dict[str, list[Examples]] = {name: [] for name in NETWORKS}
    for number, region in enumerate(REGIONS):
        side = SIDES[number] if region.network == "eye" else ""
        told = [_column(model, name, side) for name in names[region.network]]
        at = arrays["truth"][:, number][:, list(region.points)]
        parts = (
            arrays["images"][:, number],
            hints[:, number],
            arrays["expression"][:, told],
            2 * at / SIZE - 1,
        )
        tensors = (torch.from_numpy(np.ascontiguousarray(part)) for part in parts)
        found[region.network].append(Examples(*tensors))
    return {name: Examples.joined(several) for name, several in found.items()}


def _column(model: FaceModel, name: str, side: str) -> int:
    names = model.expression_names
    return names.index(name + side if name + side in names else name)
