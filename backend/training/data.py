"""Batches of training pictures, made by worker processes while the network trains.

A batch depends on (seed, epoch, number) alone, so a resumed run goes on with the very next one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from ..errors import TrainingError
from ..model import FaceModel, load_model
from .augment import Augmenter, Pictures
from .config import Config
from .processes import Processes
from .shards import Records, ShardSet, epoch_order


class Place(NamedTuple):
    """Of a batch in the run: also where to go on from."""

    epoch: int
    number: int


class Batches(IterableDataset):
    """(:class:`Place`, :class:`Pictures`) without end, for process ``rank`` of ``world``."""

    def __init__(
        self,
        config: Config,
        start: Place = Place(0, 0),  # noqa: B008 - immutable
        rank: int = 0,
        world: int = 1,
    ) -> None:
        super().__init__()
        # The files are opened in the process that reads them: memory maps do not travel.
        self._config, self._start, self._rank, self._world = config, start, rank, world

    def __iter__(self) -> Iterator[tuple[Place, Pictures]]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        config = self._config
        model = load_model(config.model)
        shards = ShardSet(config.data, model)
        augment = Augmenter(model, config.image_size, config.augment)
        step = config.batch_size * self._world
        epoch, first = self._start
        while True:
            count = len(shards.train) // step
            if count == 0:
                raise TrainingError(
                    f"{len(shards.train)} training pictures make no batch of {step}."
                )
            order = epoch_order(len(shards.train), config.seed, epoch)
            for number in range(first + worker, count, workers):
                begin = number * step + self._rank * config.batch_size
                places = shards.train[order[begin : begin + config.batch_size]]
                place = Place(epoch, number)
                yield place, augment(*_tensors(shards.read(places)), self._generator(place))
            epoch, first = epoch + 1, 0
            shards.refresh()

    def _generator(self, place: Place) -> torch.Generator:
        seeds = np.random.SeedSequence((self._config.seed, *place, self._rank))
        return torch.Generator().manual_seed(int(seeds.generate_state(1)[0]))


def load_batches(
    config: Config, start: Place, rank: int = 0, world: int = 1
) -> Iterator[tuple[Place, Pictures]]:
    """The batches from ``start`` on, loaded ahead by ``config.workers`` processes."""
    loader = DataLoader(
        Batches(config, start, rank, world),
        batch_size=None,
        num_workers=config.workers,
        prefetch_factor=4 if config.workers else None,
        multiprocessing_context="spawn" if config.workers else None,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=leave_the_group,
    )
    return iter(loader)


def leave_the_group(_worker: int) -> None:
    """Ctrl-C, ``timeout`` and a batch system signal the whole group; only the training process is
    to hear it, and needs its workers until the checkpoint is written."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()


class ShardSource:
    """The stored pictures of a run from the batch ``start`` on."""

    def __init__(self, config: Config, model: FaceModel, team: Processes, start: Place) -> None:
        self._config, self._model, self._team, self._start = config, model, team, start

    @cached_property
    def held_out(self) -> Pictures:
        """Those of :func:`validation_set`."""
        return validation_set(self._config, self._model)

    def label_statistics(self) -> tuple[NDArray, NDArray]:
        """(label_size,) float32 mean and standard deviation of the labels."""
        return ShardSet(self._config.data, self._model).label_statistics()

    def batches(self) -> Iterator[tuple[Place, Pictures]]:
        """(:class:`Place`, :class:`Pictures`) without end."""
        return load_batches(self._config, self._start, self._team.rank, self._team.world)


def validation_set(config: Config, model: FaceModel) -> Pictures:
    """The held-out pictures, ``config.validation_pictures`` at most, evenly chosen."""
    shards = ShardSet(config.data, model)
    places = shards.validation
    chosen = np.linspace(0, len(places) - 1, min(config.validation_pictures, len(places)))
    records = shards.read(places[np.unique(chosen.astype(int))])
    augment = Augmenter(model, config.image_size, config.augment)
    return augment(*_tensors(records), None)


def _tensors(records: Records) -> tuple[Tensor, Tensor, Tensor]:
    images, labels, jaw = (torch.from_numpy(part) for part in records)
    return images, labels, jaw


def to_input(images: Tensor, device: torch.device) -> Tensor:
    """(N, 3, T, T) uint8 as the network takes it: float32 in [-1, 1], channels last."""
    images = images.to(device, non_blocking=True).float().div_(127.5).sub_(1)
    return images.contiguous(memory_format=torch.channels_last)
