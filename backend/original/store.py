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
import torch
from safetensors.torch import save
from torch import nn

from ..bounded import DAMAGE, short
from ..errors import ModelError, OutputError
from ..files import reason
from ..model.importing.checks import sha256
from ..network.weights import read_safetensors
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
from .deep3d_network import Deep3DNetwork
from .network import OriginalNetwork
from .stats import COUNT, Stats

_NETWORKS: dict[str, type[nn.Module]] = {ORIGINAL: OriginalNetwork, DEEP3D: Deep3DNetwork}


@dataclass(frozen=True, eq=False)
class Network:
    """A converted network, on the CPU, for inference."""

    card: NetworkCard
    module: nn.Module
    stats: Stats | None  #: None where its outputs are in the model's own units


def write_network(
    card: NetworkCard, tensors: Mapping[str, torch.Tensor], stats: Stats | None
) -> NetworkCard:
    """Put the network into the data folder, in place of what has its name.

    Raises :class:`OutputError`, and what was there is then as it was.
    """
    target = networks_folder() / check_name(card.name)
    beside, old = (target.with_name(f".{card.name}.{os.getpid()}.{end}") for end in ("part", "old"))
    kept = {f"network.{name}": value.contiguous() for name, value in tensors.items()}
    if stats is not None:
        kept |= {"stats.mean": torch.tensor(stats.mean), "stats.std": torch.tensor(stats.std)}
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
        module = _NETWORKS[card.kind]()
        module.load_state_dict(
            {
                key.removeprefix("network."): value
                for key, value in tensors.items()
                if key.startswith("network.")
            }
        )
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
    module.eval().requires_grad_(False)
    return Network(card, module, stats)
