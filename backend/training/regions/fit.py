"""Trains the networks of eyes and mouth: ``assets/region_networks.npz``."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...errors import TrainingError
from ...files import write_bytes
from ...model import FaceModel
from ...model.contour import landmark_points
from ...network.region_crops import REGIONS, SIZE
from ...network.regions import NETWORKS, RegionReader
from ..checkpoint import NAME, load_checkpoint, save_checkpoint
from .data import Examples, importance, read_examples, weight_names
from .network import Network, finished, take_up

Report = Callable[[str], None]

#: The rate falls by half in so many epochs, and not below this share.
_HALF_LIFE, _LEAST_RATE = 25, 0.05
#: Of the loss: the likelihood's share; the squares', without which rare weights would be given up
#: as noise; the points'.
_LIKELIHOOD, _SQUARES, _POINTS = 0.15, 6.0, 3.0
#: Half sides from the middle: points that lie further out are not asked for.
_REACH = 1.3
#: Crops by which batch norm begins in networks that are known already.
_SEEN_FIRST = 512
#: Of pictures in -1..1: contrast, brightness, colour; and of the hints.
_CONTRAST, _BRIGHTNESS, _TINT, _HINT_SIGMA = 0.12, 0.1, 0.04, 0.02
#: Of how crops lie, beside what the landmarks' errors do: half sides, radians, logarithm of size.
#: Without that and the dropout 15,000 shots are learnt by heart from the third epoch on.
_SHIFT, _LEAN, _GROWTH = 0.03, 0.05, 0.03


@dataclass(frozen=True)
class Recipe:
    """How they are trained."""

    hours: float = 12.0
    batch: int = 64
    learning_rate: float = 1e-3
    epochs: int | None = None  #: at most, over all resumed parts
    threads: int | None = None  #: None: torch's own number

    def __post_init__(self) -> None:
        if self.hours < 0 or self.batch < 2:
            raise TrainingError("A training takes 0 hours or more, in batches of 2 or more.")
        if not 0 < self.learning_rate < 1:
            raise TrainingError("A training's rate lies between 0 and 1.")


class Training:
    """Both networks with their optimisers, in ``folder``, which has shards and checkpoint."""

    def __init__(
        self, folder: Path, model: FaceModel, recipe: Recipe, start: RegionReader | None = None
    ) -> None:
        """``start`` is what they begin from where ``folder`` has no checkpoint, else at random."""
        self.folder, self.model, self.recipe = folder, model, recipe
        self.names, self.epoch = weight_names(model), 0
        if recipe.threads:
            torch.set_num_threads(recipe.threads)
        points = {region.network: len(region.points) for region in REGIONS}
        self.networks = {n: Network(len(self.names[n]), points[n]) for n in NETWORKS}
        self.optimisers = {}
        for name, network in self.networks.items():
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            self.optimisers[name] = torch.optim.AdamW(
                network.parameters(), recipe.learning_rate, weight_decay=1e-2
            )
        self._start = start
        if (folder / NAME).exists():
            self._restore(load_checkpoint(folder))
            self._start = None

    def go(self, report: Report) -> None:
        """Epochs until the recipe's time is over, each with a checkpoint.

        Raises :class:`TrainingError` (too few shards), :class:`~...errors.OutputError`.
        """
        end, most = time.monotonic() + 3600 * self.recipe.hours, self.recipe.epochs
        if self.recipe.hours == 0 or (most is not None and self.epoch >= most):
            return
        training, held_out = read_examples(self.folder, self.model)
        for name, examples in training.items():
            if len(examples) < self.recipe.batch:
                raise TrainingError(f"There are too few shots for one step of the {name}'s.")
        if self._start is not None:
            self._take_up(self._start, training)
        while time.monotonic() < end and (most is None or self.epoch < most):
            for name in NETWORKS:
                loss = self._learn(name, training[name])
                report(f"epoch {self.epoch + 1} {name}: loss {loss:.4f}; held out "
                       f"{held_out_errors(self.networks[name], held_out[name])}")  # fmt: skip
            self.epoch += 1
            save_checkpoint(self.folder, self._state())

    def reader(self) -> RegionReader:
        """The networks as they are now, to be run."""
        model = self.model
        template = landmark_points(model, model.mean, model.landmarks68)
        networks = {
            name: finished(network.eval(), self.names[name])
            for name, network in self.networks.items()
        }
        trained_for = str(model.header.get("sha256", ""))
        return RegionReader(model.expression_names, template, networks, trained_for)

    def _take_up(self, start: RegionReader, training: dict[str, Examples]) -> None:
        """Begin from ``start``; raises :class:`TrainingError` where it tells something else."""
        for name, network in self.networks.items():
            known, examples = start.networks[name], training[name]
            chosen = torch.randperm(len(examples))[:_SEEN_FIRST]
            try:
                if known.weights != self.names[name]:
                    raise ValueError(f"it tells {', '.join(known.weights)}")
                take_up(network, known, to_input(examples.pictures[chosen]), examples.hints[chosen])
            except ValueError as error:
                raise TrainingError(
                    f"The networks to start from cannot go on learning ({error})."
                ) from error

    def _learn(self, name: str, examples: Examples) -> float:
        """One epoch; returns its mean loss."""
        network, optimiser = self.networks[name].train(), self.optimisers[name]
        rate = self.recipe.learning_rate * max(_LEAST_RATE, 0.5 ** (self.epoch / _HALF_LIFE))
        for group in optimiser.param_groups:
            group["lr"] = rate
        counts, size, total = importance(self.names[name]), self.recipe.batch, 0.0
        steps = len(examples) // size
        order = torch.randperm(len(examples))
        for chosen in order[: steps * size].split(size):
            hints = examples.hints[chosen]
            hints = hints + _HINT_SIGMA * torch.randn(hints.shape)
            pictures, points = moved(to_input(examples.pictures[chosen]), examples.points[chosen])
            said = network(varied(pictures), hints)
            loss = loss_of(said, examples.weights[chosen], points, counts)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += float(loss.detach())
        return total / steps

    def _state(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "net": {name: one.state_dict() for name, one in self.networks.items()},
            "opt": {name: one.state_dict() for name, one in self.optimisers.items()},
        }

    def _restore(self, state: dict[str, Any]) -> None:
        try:
            self.epoch = int(state["epoch"])
            for name in NETWORKS:
                self.networks[name].load_state_dict(state["net"][name])
                self.optimisers[name].load_state_dict(state["opt"][name])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise TrainingError(
                f"The checkpoint in {self.folder} is of another training; choose another folder."
            ) from error


def to_input(pictures: Tensor) -> Tensor:
    """(N, 3, S, S) in -1..1 of (N, S, S, 3) uint8."""
    return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1


def varied(pictures: Tensor) -> Tensor:
    """``pictures`` (N, 3, S, S) with other contrast, brightness and colour."""
    one = len(pictures), 1, 1, 1
    pictures = pictures * (1 + _CONTRAST * torch.randn(one)) + _BRIGHTNESS * torch.randn(one)
    pictures = pictures + _TINT * torch.randn(len(pictures), 3, 1, 1)
    return pictures.contiguous(memory_format=torch.channels_last)


def moved(pictures: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """``pictures`` (N, 3, S, S) a little shifted, turned and resized, and their ``points``.

    ``points`` (N, P, 2) are half sides from the middle of pixel S / 2, as everywhere here.
    """
    count = len(pictures)
    lean, growth = _LEAN * torch.randn(count), torch.exp(_GROWTH * torch.randn(count))
    cosine, sine = growth * lean.cos(), growth * lean.sin()
    linear = torch.stack([cosine, -sine, sine, cosine], dim=1).view(-1, 2, 2)
    shift = _SHIFT * torch.randn(count, 2)
    back = torch.linalg.inv(linear)
    grid = nn.functional.affine_grid(
        torch.cat([back, -back @ shift[:, :, None]], dim=2),
        list(pictures.shape),
        align_corners=False,
    )
    turned = nn.functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    half = 1 / pictures.shape[-1]  # half a pixel: torch's places begin at the picture's edge
    at = (points + half) @ linear.transpose(1, 2) + shift[:, None] - half
    return turned, at


def loss_of(
    said: tuple[Tensor, Tensor, Tensor], weights: Tensor, points: Tensor, counts: Tensor
) -> Tensor:
    """Of what a :class:`~.network.Network` ``said``; ``counts`` (W,) how much each weight does."""
    means, logs, at = said
    missed = weights - means
    likelihood = 0.5 * (missed / logs.exp()) ** 2 + logs
    inside = (points.abs().amax(dim=2) < _REACH).float()
    away = (inside * (at - points).square().sum(dim=2)).mean()
    return (counts * (_LIKELIHOOD * likelihood + _SQUARES * missed**2)).mean() + _POINTS * away


@torch.no_grad()
def held_out_errors(network: nn.Module, examples: Examples) -> str:
    """How far off the weights (rms) and the points in the crop are (mean, pixels)."""
    network.eval()
    means, points = [], []
    for chosen in torch.arange(len(examples)).split(250):
        pictures = to_input(examples.pictures[chosen])
        said = network(pictures.contiguous(memory_format=torch.channels_last),
                       examples.hints[chosen])  # fmt: skip
        means.append(said[0])
        points.append(said[2])
    missed = float((torch.cat(means) - examples.weights).square().mean().sqrt())
    inside = examples.points.abs().amax(dim=2) < 1
    away = (torch.cat(points) - examples.points).norm(dim=2)[inside].mean()
    return f"weights {missed:.4f}, points {SIZE / 2 * float(away):.2f} px"


def save_reader(path: str | Path, reader: RegionReader) -> Path:
    """Write ``reader``; raises :class:`~...errors.OutputError`."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **reader.arrays())
    return write_bytes(path, buffer.getvalue())
