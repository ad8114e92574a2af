"""Synthetic pictures by the thousand: rendered ahead into shards that training reads.

A folder holds ``shards.json`` and, per shard, ``NNNN_images.npy`` (n, S, S, 3) uint8,
``NNNN_labels.npy`` (n, label_size) float32 and ``NNNN_jaw.npy`` (n, 17) int32.  Picture i of a set
depends on its seed and i alone, so a set can be rendered in parts, by any number of processes, and
continued after an interruption.
"""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from threadpoolctl import threadpool_limits

from ...bounded import checked, read_json
from ...errors import OutputError
from ...files import write_bytes
from ...model import DEFAULT_MODEL, FaceModel, load_model
from .picture import sample_picture

FORMAT = 1
SHARD = 1000  #: pictures


@dataclass(frozen=True)
class ShardSet:
    """What a folder holds or shall hold."""

    folder: Path
    size: int  #: pixels
    count: int
    seed: int
    model: str = DEFAULT_MODEL

    def lengths(self) -> list[int]:
        """Pictures of each shard."""
        return [min(SHARD, self.count - at) for at in range(0, self.count, SHARD)]


def render_shards(
    wanted: ShardSet,
    processes: int = 2,
    progress: Callable[[int, float], None] | None = None,
) -> float:
    """Render what ``wanted.folder`` still lacks; returns pictures per second.

    ``progress(pictures done, pictures per second)`` is called after each shard.  Raises
    :class:`OutputError` when the disk is too full or the folder holds another set.
    """
    _prepare(wanted)
    missing = [
        number
        for number in range(len(wanted.lengths()))
        if not (wanted.folder / f"{number:04d}_jaw.npy").exists()
    ]
    return in_processes(partial(_render_shard, wanted), missing, processes, progress)


def in_processes(
    render: Callable[[int], int],
    numbers: Sequence[int],
    processes: int,
    progress: Callable[[int, float], None] | None = None,
) -> float:
    """``render`` the shards ``numbers``, each of which returns its pictures, several at a time.

    Returns pictures per second; ``progress`` as in :func:`render_shards`.
    """
    start, done = time.perf_counter(), 0
    # Forked processes would inherit threads of libraries in an undefined state.
    with ProcessPoolExecutor(
        processes, get_context("spawn"), signal.signal, (signal.SIGINT, signal.SIG_IGN)
    ) as pool:
        try:
            jobs = [pool.submit(render, number) for number in numbers]
            for job in as_completed(jobs):
                done += job.result()
                if progress:
                    progress(done, done / (time.perf_counter() - start))
        except BaseException:  # interrupted: leaving the pool would wait for all shards
            for child in active_children():
                child.kill()
            raise
    return done / max(time.perf_counter() - start, 1e-9)


def _prepare(wanted: ShardSet) -> None:
    header = {
        "format": FORMAT,
        "size": wanted.size,
        "count": wanted.count,
        "shard": SHARD,
        "seed": wanted.seed,
        "model_sha256": load_model(wanted.model).header["sha256"],
    }
    prepare_folder(wanted.folder, header, wanted.count * wanted.size**2 * 3)


def prepare_folder(folder: Path, header: dict[str, Any], needed: int) -> None:
    """Make ``folder`` one of ``needed`` bytes of pictures that ``header`` describes.

    Raises :class:`OutputError` when the disk is too full or the folder holds other pictures; only
    ``header``'s "count" may differ from what was asked for before.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "shards.json"
        if file.exists():
            found = read_json(file)
            checked(found, {})
            if {k: v for k, v in found.items() if k != "count"} != {
                k: v for k, v in header.items() if k != "count"
            }:
                raise OutputError(
                    f"{folder} holds another set of pictures ({found}); choose another "
                    "folder or remove it."
                )
        if shutil.disk_usage(folder).free < needed:
            raise OutputError(
                f"{header['count']} pictures need {needed / 1e9:.1f} GB, which the disk of "
                f"{folder} does not have free; render fewer or choose another folder."
            )
        write_bytes(file, json.dumps(header, indent=1).encode())
    except (OSError, ValueError) as error:
        raise OutputError(f"{folder} cannot be used ({error}); choose another.") from error


def _render_shard(wanted: ShardSet, number: int) -> int:
    cv2.setNumThreads(1)
    model = load_model(wanted.model)
    with threadpool_limits(limits=1):
        images, labels, jaws = _pictures(wanted, number, model)
    # The jaw's file is written last: its presence says that the shard is complete.
    for name, array in (("images", images), ("labels", labels), ("jaw", jaws)):
        part = wanted.folder / f".{number:04d}_{name}.npy"
        np.save(part, array)
        part.rename(wanted.folder / f"{number:04d}_{name}.npy")
    return len(images)


def _pictures(
    wanted: ShardSet, number: int, model: FaceModel
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first, length = number * SHARD, wanted.lengths()[number]
    pictures = (
        sample_picture(model, wanted.size, np.random.default_rng([wanted.seed, first + i]))
        for i in range(length)
    )
    images = np.empty((length, wanted.size, wanted.size, 3), np.uint8)
    labels, jaws = [], []
    for i, picture in enumerate(pictures):
        images[i] = picture.image
        labels.append(picture.label)
        jaws.append(picture.jaw)
    return images, np.stack(labels), np.stack(jaws)
