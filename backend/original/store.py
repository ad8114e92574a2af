"""Converted networks on disk: written whole or not at all, checked when loaded."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from ..bounded import DAMAGE, short
from ..errors import ModelError, OutputError
from ..files import reason
from ..model.importing.checks import sha256
from ..network.runners import Runner, onnx_runner
from ..network.weights import check_shapes, read_safetensors
from . import deep3d_network, network
from .cards import (
    CALLED,
    CARD,
    DEEP3D,
    FORMAT,
    ORIGINAL,
    VERSION,
    WEIGHTS,
    NetworkCard,
    check_name,
    find_network,
    networks_folder,
)
from .stats import COUNT, Stats


@dataclass(frozen=True, eq=False)
class Network:
    """A converted network, on the CPU."""

    card: NetworkCard
    run: Runner
    stats: Stats | None  #: None where its outputs are in the model's own units


def write_network(
    card: NetworkCard, tensors: Mapping[str, NDArray], stats: Stats | None
) -> NetworkCard:
    """Put the network into the data folder, in place of what has its name.

    Raises :class:`OutputError`, and what was there is then as it was.
    """
    target = networks_folder() / check_name(card.name)
    beside, old = (target.with_name(f".{card.name}.{os.getpid()}.{end}") for end in ("part", "old"))
    kept = {f"network.{name}": np.asarray(value, order="C") for name, value in tensors.items()}
    if stats is not None:
        kept |= {"stats.mean": np.asarray(stats.mean), "stats.std": np.asarray(stats.std)}
    try:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        (beside / WEIGHTS).write_bytes(save(kept, {"format": FORMAT, "kind": card.kind}))
        written = replace(
            card,
            folder=str(target),
            weights_sha256=sha256(beside / WEIGHTS),
            converted=datetime.now().astimezone().isoformat(timespec="seconds"),
        )
        document = {"format": FORMAT, "version": VERSION, "card": written.to_dict()}
        text = json.dumps(document, indent=1)
        (beside / CARD).write_text(text, encoding="utf-8")
        if target.exists():
            os.replace(target, old)
        try:
            os.replace(beside, target)
        except OSError:
            if old.exists():
                os.replace(old, target)
            raise
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise OutputError(f"Cannot write the network {target}: {reason(error)}.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return written


def load_network(name: str, kind: str | None = None) -> Network:
    """The converted network ``name``, checked against its card.

    Raises :class:`ModelError`: not there, damaged, or not of ``kind``.
    """
    card = find_network(name)
    if card.problem:
        raise ModelError(card.problem)
    if kind is not None and card.kind != kind:
        raise ModelError(f"{name} is {CALLED[card.kind]}; {CALLED[kind]} is wanted.")
    path = Path(card.folder) / WEIGHTS
    damaged = f"The network {name} is damaged; convert it again"
    try:
        if sha256(path) != card.weights_sha256:
            raise ModelError(f"{damaged} (its checksum differs).")
        _, tensors = read_safetensors(path)
        own = {
            key.removeprefix("network."): value
            for key, value in tensors.items()
            if key.startswith("network.")
        }
        run = _runner(card.kind, own)
        stats = None
        if card.kind == ORIGINAL:
            mean, std = (np.asarray(tensors[f"stats.{end}"], np.float64) for end in ("mean", "std"))
            if mean.shape != (COUNT,) or std.shape != (COUNT,):
                raise ModelError(f"{damaged} (its stats are {mean.shape}).")
            if not (np.isfinite(mean).all() and np.isfinite(std).all()):
                raise ModelError(f"{damaged} (its stats are no numbers).")
            stats = Stats(mean, std)
    except (OSError, *DAMAGE) as error:
        raise ModelError(f"{damaged} ({short(error)}).") from error
    return Network(card, run, stats)


def _runner(kind: str, tensors: Mapping[str, NDArray]) -> Runner:
    """What computes a network of ``kind``; raises :class:`Damaged` where a tensor is not right."""
    if kind == DEEP3D:
        check_shapes(tensors, deep3d_network.tensor_shapes())
        return deep3d_network.deep3d_runner(tensors)
    check_shapes(tensors, network.tensor_shapes())
    return onnx_runner(network.original_graph(tensors))
