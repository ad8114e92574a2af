"""What is odd about the weights of a recording, and what is made of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..exchange.names import arkit_name, listed

Double = NDArray[np.float64]

#: A weight of ARKit's beyond this is a percentage: the strongest caricatures stay under 3, and
#: every blink is above 30 %.
_PERCENT = 5.0


def as_shares(names: Sequence[str], weights: Double, notes: list[str]) -> Double:
    """(N, E) ``weights`` as 0 to 1 where those of ARKit's names go to 100; else as they are."""
    if not len(weights):
        return weights
    most = np.nan_to_num(np.abs(weights)).max(axis=0, initial=0.0)
    arkit = np.array([arkit_name(name) is not None for name in names], bool)
    if not (most[arkit] > _PERCENT).any():
        return weights
    notes.append("The weights go from 0 to 100; taken as percent.")
    return np.where(arkit | (most > _PERCENT), weights / 100, weights)


def note_equal(names: Sequence[str], weights: Double, notes: list[str]) -> None:
    """A note on columns of (N, E) ``weights`` that move and are equal in all rows."""
    by_values: dict[bytes, list[str]] = {}
    for column in np.flatnonzero(np.ptp(weights, axis=0) > 0) if len(weights) else []:
        by_values.setdefault(weights[:, column].tobytes(), []).append(names[int(column)])
    groups = [" and ".join(group) for group in by_values.values() if len(group) > 1]
    if groups:
        notes.append(f"Columns that are equal in all rows: {listed(groups)}.")
