"""Shots by the thousand, drawn ahead into a folder.

Per shard ``NNNN.npz``: ``images`` (n, 3, S, S, 3) uint8, ``expression`` (n, E), ``truth``
(n, 3, 68, 2) and ``marks`` (n, 68, 2) float32, as :class:`~.shots.Shot` has them.  A head depends
on the seed, its shard and its place there alone, so a set can be continued after an interruption
and made larger later.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ...arrays import Member, read_npz
from ...bounded import short
from ...errors import OutputError, TrainingError
from ...files import reason
from ...model import DEFAULT_MODEL, FaceModel, load_model
from ...network.region_crops import REGIONS, SIZE
from ..synthetic.shards import in_processes, prepare_folder
from .shots import PER_HEAD, Drawer

FORMAT = 2  #: 1 was without folds
#: Shots, a whole number of heads.
SHARD = 250
MEMBERS = {
    "images": Member("u1", ("shots", len(REGIONS), SIZE, SIZE, 3)),
    "expression": Member("f4", ("shots", "expressions")),
    "truth": Member("f4", ("shots", len(REGIONS), 68, 2)),
    "marks": Member("f4", ("shots", 68, 2)),
}


@dataclass(frozen=True)
class ShotSet:
    """What a folder holds or shall hold."""

    folder: Path
    shards: int
    seed: int = 77
    model: str = DEFAULT_MODEL
    size: int = SHARD  #: shots of a shard

    def file(self, number: int) -> Path:
        """Of shard ``number``."""
        return self.folder / f"{number:04d}.npz"


def draw_shards(
    wanted: ShotSet,
    processes: int = 1,
    progress: Callable[[int, float], None] | None = None,
) -> float:
    """Draw what ``wanted.folder`` still lacks; returns shots per second.

    ``progress(shots done, shots per second)`` is called after each shard.  Raises
    :class:`OutputError` when the disk is too full or the folder holds another set.
    """
    count = wanted.shards * wanted.size
    header = {
        "format": FORMAT,
        "crops": SIZE,
        "count": count,
        "shard": wanted.size,
        "seed": wanted.seed,
        "model_sha256": load_model(wanted.model).header["sha256"],
    }
    prepare_folder(wanted.folder, header, count * len(REGIONS) * SIZE**2 * 3)
    missing = [number for number in range(wanted.shards) if not wanted.file(number).exists()]
    return in_processes(partial(_draw, wanted), missing, processes, progress)


def _draw(wanted: ShotSet, number: int) -> int:
    cv2.setNumThreads(1)
    drawer, shots = Drawer(load_model(wanted.model)), []
    with threadpool_limits(limits=1):
        for head in range(wanted.size // PER_HEAD):
            shots += drawer.head(np.random.default_rng([wanted.seed, number, head]))
    arrays = {name: np.stack([getattr(shot, name) for shot in shots]) for name in MEMBERS}
    path = wanted.file(number)
    part = path.with_name(f".{path.stem}.part.npz")
    try:
        np.savez(part, **arrays)
        os.replace(part, path)
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {reason(error)}.") from error
    finally:
        part.unlink(missing_ok=True)
    return len(shots)


def shard_files(folder: Path) -> list[Path]:
    """Those of ``folder`` that are complete, in order."""
    return sorted(folder.glob("[0-9]*.npz"))


def read_shard(path: Path, model: FaceModel) -> dict[str, NDArray]:
    """Its arrays; raises :class:`TrainingError`: damaged, or of another model."""
    try:
        arrays = read_npz(path, MEMBERS)
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"The shard {path} is damaged ({short(error)}); remove it and draw it again."
        ) from error
    if arrays["expression"].shape[1] != len(model.expression_names):
        raise TrainingError(f"The shard {path} was drawn with another face model.")
    return arrays
