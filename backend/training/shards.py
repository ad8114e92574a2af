"""Reading training pictures: folders of shards, held open as memory maps.

A folder holds ``shards.json`` and per shard ``NNNN_images.npy`` (n, S, S, 3) uint8 sRGB,
``NNNN_labels.npy`` (n, label_size) float32 and ``NNNN_jaw.npy`` (n, 17) int32, written by
``backend.synthetic``.  The last 64th of every shard is held out for validation, so that a folder
may grow while it is trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import map_npy
from ..bounded import Damaged, checked, read_json, short
from ..errors import TrainingError
from ..model import FaceModel
from ..network.layout import Layout

#: One of so many pictures of a shard is held out.
HELD_OUT = 64
_CHUNK = 64  # pictures that are read together
_POOL = 64  # chunks among which pictures are shuffled


class Records(NamedTuple):
    """Pictures with their labels."""

    images: NDArray[np.uint8]  #: (N, S, S, 3)
    labels: NDArray[np.float32]  #: (N, label_size)
    jaw: NDArray[np.int64]  #: (N, 17)


class ShardSet:
    """All shards of ``folders``; raises :class:`TrainingError` when they cannot be used."""

    def __init__(self, folders: Sequence[str | Path], model: FaceModel) -> None:
        if not folders:
            raise TrainingError("No training data: name a folder of shards (data or --data).")
        self._folders = [Path(folder) for folder in folders]
        self._model = model
        self.refresh()

    def refresh(self) -> None:
        """Look again: a folder may have grown."""
        self._shards: list[Records] = []
        for folder in self._folders:
            self._shards += _open_folder(folder, self._model)
        sizes = {shard.images.shape[1] for shard in self._shards}
        if len(sizes) > 1:
            raise TrainingError(f"The training pictures have several sizes: {sorted(sizes)}.")
        self.picture_size: int = sizes.pop()
        counts = [len(shard.images) for shard in self._shards]
        held = [max(1, n // HELD_OUT) if n > 1 else 0 for n in counts]
        train = [np.arange(n - h) for n, h in zip(counts, held, strict=True)]
        valid = [np.arange(n - h, n) for n, h in zip(counts, held, strict=True)]
        self.train = _places(train)  #: (N, 2) shard and place in it
        self.validation = _places(valid)

    def read(self, places: NDArray[np.integer]) -> Records:
        """The records at ``places`` (N, 2), copied."""
        picked = [(self._shards[shard], i) for shard, i in places]
        return Records(
            np.stack([shard.images[i] for shard, i in picked]),
            np.stack([shard.labels[i] for shard, i in picked]),
            np.stack([shard.jaw[i] for shard, i in picked]).astype(np.int64),
        )

    def label_statistics(self, limit: int = 50_000) -> tuple[NDArray, NDArray]:
        """(label_size,) float32 mean and standard deviation of the first ``limit`` labels."""
        labels, count = [], 0
        for shard in self._shards:
            labels.append(np.asarray(shard.labels))
            count += len(shard.labels)
            if count >= limit:
                break
        every = np.concatenate(labels).astype(np.float64)
        std = np.maximum(every.std(axis=0), 1e-3)
        return every.mean(axis=0).astype(np.float32), std.astype(np.float32)


def epoch_order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """(count,) a permutation that reads neighbours near each other in time.

    Chunks of 64 pictures are shuffled, then the pictures of each 64 chunks among themselves.
    """
    rng = np.random.default_rng((seed, epoch))
    starts = rng.permutation(np.arange(0, count, _CHUNK))
    order = []
    for first in range(0, len(starts), _POOL):
        pool = [np.arange(s, min(s + _CHUNK, count)) for s in starts[first : first + _POOL]]
        order.append(rng.permutation(np.concatenate(pool)))
    return np.concatenate(order)


def _places(per_shard: list[NDArray]) -> NDArray[np.int64]:
    return np.concatenate(
        [np.stack([np.full_like(places, i), places], axis=1) for i, places in enumerate(per_shard)]
    )


def _open_folder(folder: Path, model: FaceModel) -> list[Records]:
    try:
        header = read_json(folder / "shards.json")
        checked(header, {"format": int, "model_sha256": str})
        version, sha = header["format"], header["model_sha256"]
    except FileNotFoundError as error:
        raise TrainingError(
            f"{folder} holds no shards.json: name a folder of training pictures."
        ) from error
    except (OSError, Damaged) as error:
        raise TrainingError(f"{folder / 'shards.json'} is damaged ({short(error)}).") from error
    if version != 1:
        raise TrainingError(f"{folder} has shards of format {version}, not 1.")
    if sha != model.header.get("sha256"):
        raise TrainingError(
            f"{folder} was rendered with another face model ({str(sha)[:8]}) than the one to "
            f"train for ({str(model.header.get('sha256'))[:8]}); render it again."
        )
    # Labels and jaw are small and written after the pictures: where they are, the shard is whole.
    names = sorted(path.name.removesuffix("_jaw.npy") for path in folder.glob("[0-9]*_jaw.npy"))
    shards = [_open_shard(folder, name, model) for name in names]
    if not shards:
        raise TrainingError(f"{folder} holds no finished shard yet.")
    return shards


def _open_shard(folder: Path, name: str, model: FaceModel) -> Records:
    try:
        images, labels, jaw = (
            map_npy(folder / f"{name}_{part}.npy", "r") for part in ("images", "labels", "jaw")
        )
    except (OSError, Damaged) as error:
        raise TrainingError(
            f"Shard {name} in {folder} is missing or damaged ({short(error)})."
        ) from error
    n, size = len(images), images.shape[1] if images.ndim == 4 else 0
    whole = (
        images.shape == (n, size, size, 3)
        and images.dtype == np.uint8
        and labels.shape == (n, Layout.of(model).label_size)
        and labels.dtype.kind == "f"
        and jaw.shape == (n, 17)
        and jaw.dtype.kind in "iu"
        and n > 0
    )
    if not whole:
        raise TrainingError(
            f"Shard {name} in {folder} holds {images.shape} pictures, {labels.shape} labels and "
            f"{jaw.shape} jaws, which do not belong together or to this model."
        )
    return Records(images, labels, jaw)
