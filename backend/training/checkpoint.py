"""Checkpoints: everything that a run needs to go on as if it had never stopped.

``checkpoint.pt`` in the run's folder, read with ``weights_only=True``; written beside and then
renamed, so the last good one stays whatever happens meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..bounded import short
from ..errors import FaceError, OutputError, TrainingError
from ..files import reason
from ..isolated import read_isolated

NAME = "checkpoint.pt"
_FORMAT = 1


def save_checkpoint(folder: Path, state: Mapping[str, Any]) -> Path:
    """Write ``state`` (tensors, numbers, text, and lists and dicts of them).

    Raises :class:`~..errors.OutputError`; the earlier checkpoint is then untouched.
    """
    path = folder / NAME
    beside = folder / f".{NAME}.{os.getpid()}.part"
    try:
        with beside.open("wb") as file:
            torch.save(dict(state) | {"format": _FORMAT}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except (OSError, RuntimeError) as error:  # torch turns the system's errors into its own
        cause = error.__context__ if isinstance(error.__context__, OSError) else error
        kept = "; the last good one is kept" if path.exists() else ""
        raise OutputError(f"Cannot write checkpoint {path}: {reason(cause)}{kept}.") from error
    finally:
        beside.unlink(missing_ok=True)
    return path


def load_checkpoint(folder: Path) -> dict[str, Any]:
    """What :func:`save_checkpoint` wrote; raises :class:`TrainingError`: none there, damaged."""
    path = folder / NAME
    try:
        # Once for trial, where it can end no more than a process of its own.
        read_isolated("try checkpoint", path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise TrainingError(f"There is no checkpoint in {folder} to go on from.") from error
    except FaceError:
        raise
    except Exception as error:  # damaged pickles raise anything
        raise TrainingError(f"The checkpoint {path} is damaged ({short(error)}).") from error
    if not isinstance(state, dict) or state.get("format") != _FORMAT:
        raise TrainingError(f"{path} is no checkpoint of this release.")
    return state
