"""Training pictures drawn on the device while the network trains, in place of stored ones.

Worker processes think scenes up (numpy), the device draws them into a pool from which batches are
taken at random.  A picture is used a few times and then gives way to a new one, so that the set is
as large as the training is long.  Chunk n of scenes depends on the seed, the process and n alone,
and so does what a batch is made of; a resumed run fills its pool anew and goes on.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from ..model import load_model
from .augment import Augmenter, Pictures
from .config import Config
from .data import Place, leave_the_group
from .processes import Processes
from .synthetic.batch.draw import Painter
from .synthetic.batch.pack import pack_scenes
from .synthetic.batch.transport import Parcel, unwrap, wrap
from .synthetic.scene import sample_scene


class SceneChunks(IterableDataset):
    """Scenes, as :class:`Parcel`: the chunks held out, then those from ``first`` on."""

    def __init__(self, config: Config, rank: int, held_out: int, first: int) -> None:
        super().__init__()
        self._config, self._rank = config, rank
        self._held_out, self._first = held_out, first

    def __iter__(self) -> Iterator[Parcel]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        numbers = itertools.chain(range(self._held_out), itertools.count(self._first))
        model, how = load_model(self._config.model), self._config.render
        if info:
            cv2.setNumThreads(1)
        for number in itertools.islice(numbers, worker, None, workers):
            seeds = [(self._config.seed, self._rank, number, scene) for scene in range(how.scenes)]
            with threadpool_limits(1 if info else None):
                scenes = [
                    sample_scene(model, how.size, how.shots, np.random.default_rng(seed))
                    for seed in seeds
                ]
                yield wrap(pack_scenes(scenes))


class RenderedSource:
    """The pictures of a run from the batch ``start`` on; ``held_out`` come first of all."""

    def __init__(self, config: Config, team: Processes, start: Place) -> None:
        self._config, self._team, self._start = config, team, start
        how, model = config.render, load_model(config.model)
        self._chunk = how.scenes * how.shots
        self._held_chunks = -(-config.validation_pictures // self._chunk)
        first = self._held_chunks + self._drawn_for(start.number) // self._chunk
        self._chunks = iter(
            DataLoader(
                SceneChunks(config, team.rank, self._held_chunks, first),
                batch_size=None,
                num_workers=config.workers,
                prefetch_factor=4 if config.workers else None,
                multiprocessing_context="spawn" if config.workers else None,
                pin_memory=team.device.type == "cuda",
                worker_init_fn=leave_the_group,
            )
        )
        self._painter = Painter(model, how.size, team.device)
        self._augment = Augmenter(model, config.image_size, config.augment)
        self._noise = self._generator(0)  # not of the start: held-out pictures stay as they are
        held = [self._draw() for _ in range(self._held_chunks)]
        parts = [torch.cat(part)[: config.validation_pictures] for part in zip(*held, strict=True)]
        images, labels, jaw = (part.cpu() for part in parts)
        self.held_out = self._augment(images, labels, jaw, None)
        self._noise = self._generator(*start, 1)

    def label_statistics(self) -> tuple[NDArray, NDArray]:
        """(label_size,) float32 mean and standard deviation of the labels held out."""
        labels = self.held_out.labels.double().numpy()
        std = np.maximum(labels.std(axis=0), 1e-3)
        return labels.mean(axis=0).astype(np.float32), std.astype(np.float32)

    def batches(self) -> Iterator[tuple[Place, Pictures]]:
        """(:class:`Place`, :class:`Pictures` on the device) without end."""
        config, device = self._config, self._team.device
        pool = PicturePool(config.render.pool, device)
        number, drawn = self._start.number, self._drawn_for(self._start.number)
        chance = self._generator(*self._start, 2)
        while True:
            wanted = config.render.first + self._drawn_for(number + 1)
            while drawn < wanted:
                pool.add(*self._draw())
                drawn += self._chunk
            images, labels, jaw = pool.sample(config.batch_size, chance)
            yield Place(self._start.epoch, number), self._augment(images, labels, jaw, chance)
            number += 1

    def _drawn_for(self, batches: int) -> int:
        """How many pictures so many batches use up."""
        return int(batches * self._config.batch_size / self._config.render.uses)

    def _draw(self) -> tuple[Tensor, Tensor, Tensor]:
        parcel = next(self._chunks)
        there = parcel.data.to(self._team.device, non_blocking=True)
        return self._painter.pictures(unwrap(parcel._replace(data=there)), self._noise)

    def _generator(self, *stream: int) -> torch.Generator:
        seeds = np.random.SeedSequence((self._config.seed, self._team.rank, *stream))
        generator = torch.Generator(self._team.device)
        return generator.manual_seed(int(seeds.generate_state(1)[0]))


class PicturePool:
    """The newest pictures; a new one takes the place of the oldest."""

    def __init__(self, capacity: int, device: torch.device) -> None:
        self._capacity, self._device = capacity, device
        self._parts: tuple[Tensor, ...] = ()
        self._count = self._next = 0

    def add(self, *parts: Tensor) -> None:
        """(N, ...) images, labels and jaws."""
        if not self._parts:
            self._parts = tuple(part.new_empty(self._capacity, *part.shape[1:]) for part in parts)
        count = len(parts[0])
        places = (torch.arange(count, device=self._device) + self._next) % self._capacity
        for own, part in zip(self._parts, parts, strict=True):
            own[places] = part
        self._next = (self._next + count) % self._capacity
        self._count = min(self._count + count, self._capacity)

    def sample(self, count: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """``count`` of them, some perhaps twice."""
        places = torch.randint(self._count, (count,), generator=generator, device=self._device)
        return tuple(part[places] for part in self._parts)
