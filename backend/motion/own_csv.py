"""The CSV of our own: what a ``Motion`` holds, for spreadsheets and scripts.

One row a frame, in any order of columns.  ``time`` is needed, in seconds (or as a time code or
date).  ``valid`` is 0 where the face was lost.  ``rotation_w``, ``_x``, ``_y``, ``_z`` (a
quaternion) and ``translation_x``, ``_y``, ``_z`` (mm) are the head's pose, head to camera, as in
``NAME.npz``.  Every other column is the weight of the shape key of that name.
"""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ExchangeError
from ..exchange.motion import Motion
from ..exchange.names import listed
from ..files import write_bytes
from ..geometry.rotation import from_quaternions, to_quaternions
from .moments import moments
from .oddities import as_shares, note_equal
from .resample import rate_of
from .table import Table, fill_gaps

TIME, VALID = "time", "valid"
ROTATION = tuple(f"rotation_{axis}" for axis in "wxyz")
TRANSLATION = tuple(f"translation_{axis}" for axis in "xyz")
_RESERVED = (TIME, VALID, *ROTATION, *TRANSLATION)


def parse_own(table: Table, path: str, *, frame_rate: float | None = None) -> Motion:
    """The motion in ``table``; columns that hold no number are left out and named in the notes.

    Weights that go to 100 are percent.  Raises :class:`ExchangeError` when no row has a time, or no
    column a weight or a pose.
    """
    notes = list(table.notes)
    times_column = table.index(TIME)
    assert times_column is not None
    seconds = table.numbers([times_column])[:, 0]
    if not np.isfinite(seconds).any():  # a time code, a date
        rows, times, _ = moments(table.text(times_column), TIME, path, frame_rate, notes)
        seconds[rows] = times
    rows = np.flatnonzero(np.isfinite(seconds))
    if len(rows) < len(seconds):
        notes.append(f"{len(seconds) - len(rows)} rows without a time were left out.")
    later = np.concatenate([[True], np.diff(np.maximum.accumulate(seconds[rows])) > 0])
    if not later.all():
        notes.append(f"{int((~later).sum())} rows that are not after the one before were left out.")
    rows = rows[later]
    times = seconds[rows]
    others = [i for i, column in enumerate(table.columns) if column.lower() not in _RESERVED]
    values = table.numbers(others)[rows]
    bad = np.isnan(values).all(axis=0) if len(others) else np.zeros(0, bool)
    unknown = [table.columns[others[i]] for i in np.flatnonzero(bad)]
    if unknown:
        notes.append(f"Columns without a number were left out: {listed(unknown)}.")
    names = [table.columns[others[i]] for i in np.flatnonzero(~bad)]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice or "" in names:
        raise ExchangeError(
            f"{path} has {f'the column {twice[0]!r} twice' if twice else 'a column without a name'}"
            "; rename or delete it."
        )
    posed = {name: table.index(name) for name in (*ROTATION, *TRANSLATION)}
    turned = all(posed[name] is not None for name in ROTATION)
    moved = all(posed[name] is not None for name in TRANSLATION)
    if not (names or turned or moved):
        raise ExchangeError(
            f"{path} has times but nothing that moves; its columns are {listed(table.columns)}."
        )
    weights, there = fill_gaps(times, values[:, ~bad])
    weights = as_shares(names, weights, notes)
    note_equal(names, weights, notes)
    if not names:
        there = np.ones(len(times), bool)
    flags = table.index(VALID)
    valid = there & (True if flags is None else table.numbers([flags])[rows, 0] != 0)
    missing = int(np.isnan(values[:, ~bad]).sum())
    if missing:
        notes.append(f"{missing} missing values were interpolated.")

    def pose(columns: tuple[str, ...]) -> Any:
        found = [posed[name] for name in columns]
        return fill_gaps(times, table.numbers([i for i in found if i is not None])[rows])[0]

    rotation = None
    if turned:
        quaternions = pose(ROTATION)
        if (np.linalg.norm(quaternions, axis=1) < 1e-6).any():
            raise ExchangeError(f"{path} has rotations that are all zero; a quaternion is not.")
        rotation = from_quaternions(quaternions)
    return Motion(
        times,
        tuple(names),
        weights.astype(np.float32),
        rotation,
        pose(TRANSLATION) if moved else None,
        valid,
        frame_rate or rate_of(times),
        {"source": path, "notes": notes},
    )


def write_own(path: str | os.PathLike[str], motion: Motion) -> Path:
    """Write ``motion`` and return ``path``.  Raises :class:`OutputError`."""
    columns: list[str] = [TIME, VALID]
    parts = [motion.times[:, None], motion.valid[:, None].astype(np.float64)]
    if motion.rotation is not None:
        columns += ROTATION
        parts.append(to_quaternions(motion.rotation))
    if motion.translation is not None:
        columns += TRANSLATION
        parts.append(motion.translation)
    fixed = sum(part.shape[1] for part in parts)
    parts.append(motion.weights.astype(np.float64))
    clash = [name for name in motion.names if name.lower() in _RESERVED]
    if clash:
        raise ExchangeError(
            f"A shape key is called {clash[0]!r}, as a column of the CSV is; rename it."
        )
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*columns, *motion.names])
    for row in np.concatenate(parts, 1).tolist():
        # Times to the last digit: those since 1970 have ten before the point.
        time, pose, weights = row[0], row[1:fixed], row[fixed:]
        writer.writerow([repr(time), *(f"{x:.9g}" for x in pose), *(f"{x:.7g}" for x in weights)])
    return write_bytes(path, out.getvalue().encode())
