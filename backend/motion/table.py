"""A CSV as columns of numbers: what cannot be read is a gap, not the end."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ExchangeError
from ..files import reason


@dataclass(frozen=True, eq=False)
class Table:
    """The cells of a CSV with R rows, by column."""

    columns: tuple[str, ...]  #: names, as they stand in the first row
    rows: list[list[str]]  #: R rows, each as long as ``columns``
    decimal_comma: bool = False

    def index(self, name: str) -> int | None:
        """The column called ``name``, in whatever case; None if there is none."""
        plain = [column.strip().lower() for column in self.columns]
        return plain.index(name.lower()) if name.lower() in plain else None

    def text(self, column: int) -> list[str]:
        """The cells of ``column``."""
        return [row[column].strip() for row in self.rows]

    def numbers(self, columns: list[int]) -> NDArray[np.float64]:
        """(R, len(columns)) float64; NaN where a cell is empty or holds no finite number."""
        out = np.full((len(self.rows), len(columns)), np.nan)
        for r, row in enumerate(self.rows):
            for c, column in enumerate(columns):
                out[r, c] = self._number(row[column])
        return out

    def _number(self, cell: str) -> float:
        try:
            value = float(cell.replace(",", ".") if self.decimal_comma else cell)
        except ValueError:
            return np.nan
        return value if np.isfinite(value) else np.nan


def read_table(path: str | os.PathLike[str]) -> Table:
    """The CSV ``path``: a row of names, then rows of cells; commas, semicolons or tabs between.

    Rows that are too short are filled up with empty cells; empty rows are left out.  Bytes that are
    no text make no more than their cell unreadable, if the names are text.
    Raises :class:`ExchangeError` when it cannot be read, is empty, or its first line is no text.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig", errors="replace")
    except FileNotFoundError as error:
        raise ExchangeError(f"There is no motion at {path}.") from error
    except OSError as error:
        raise ExchangeError(f"{path} cannot be read: {reason(error)}.") from error
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines or any(mark in lines[0] for mark in "\0\N{REPLACEMENT CHARACTER}"):
        why = "is empty" if not lines else "is not a CSV: it holds no text"
        raise ExchangeError(f"{path} {why}; choose another motion file.")
    delimiter = max(",;\t", key=lines[0].count)
    try:
        found = list(csv.reader(lines, delimiter=delimiter))
    except csv.Error as error:
        raise ExchangeError(f"{path} is not a CSV: {error}.") from error
    columns, rows = found[0], found[1:]
    if not rows:
        raise ExchangeError(f"{path} holds column names but no frames; record it again.")
    wide = len(columns)
    rows = [(row + [""] * wide)[:wide] for row in rows]
    return Table(tuple(column.strip() for column in columns), rows, delimiter == ";")


def fill_gaps(
    times: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(R, C) ``values`` with NaN replaced by interpolation in time, and (R,) whether a row has any.

    Before the first and after the last value of a column that one is held; a column without any is
    zero.
    """
    missing = np.isnan(values)
    out = np.where(missing, 0.0, values)
    for c in np.flatnonzero(missing.any(axis=0)):
        there = ~missing[:, c]
        if there.any():
            out[:, c] = np.interp(times, times[there], values[there, c])
    return out, ~missing.all(axis=1)
