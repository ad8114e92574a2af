"""A CSV as columns of numbers: what cannot be read is a gap, not the end."""

from __future__ import annotations

import csv
import io
import os
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..bounded import MB, Damaged, open_regular, reading
from ..errors import ExchangeError

#: Frames of two hours at 60 a second, columns of a Live Link recording several times over, and the
#: numbers of both (8 bytes each, in memory several times): its 68 columns in 432,000 rows.
MOST_ROWS, MOST_COLUMNS, MOST_CELLS = 432_000, 4096, 30_000_000
#: Live Link Face writes 0.7 kB a frame.
LARGEST = 320 * MB
_LONGEST_LINE = MB


@dataclass(frozen=True, eq=False)
class Table:
    """The cells of a CSV with R rows and C columns."""

    columns: tuple[str, ...]  #: names, as they stand in the first row
    values: NDArray[np.float64]  #: (R, C); NaN where a cell is empty or holds no finite number
    texts: dict[int, list[str]]  #: the R cells of the columns that were asked for as text

    def index(self, name: str) -> int | None:
        """The column called ``name``, in whatever case; None if there is none."""
        plain = [column.strip().lower() for column in self.columns]
        return plain.index(name.lower()) if name.lower() in plain else None

    def text(self, column: int) -> list[str]:
        """The cells of ``column``, one of those that were asked for."""
        return self.texts[column]

    def numbers(self, columns: Sequence[int]) -> NDArray[np.float64]:
        """(R, len(columns)) float64; NaN where a cell is empty or holds no finite number."""
        return self.values[:, list(columns)]


def read_table(path: str | os.PathLike[str], texts: Sequence[str] = ()) -> Table:
    """The CSV ``path``: a row of names, then rows of cells; commas, semicolons or tabs between.

    The columns called one of ``texts`` are kept as text too.  Rows that are too short are filled up
    with empty cells; empty rows are left out.  Bytes that are no text make no more than their cell
    unreadable, if the names are text.
    Raises :class:`ExchangeError` when it cannot be read, is empty, its first line is no text, or it
    is longer than any motion.
    """
    path = Path(path)
    with (
        reading(ExchangeError, path, "a motion file"),
        open_regular(path, LARGEST) as data,
        io.TextIOWrapper(data, encoding="utf-8-sig", errors="replace") as file,
    ):
        return _read(path, _lines(file), [name.lower() for name in texts])


def _lines(file: io.TextIOWrapper) -> Iterator[str]:
    """Those that are not empty."""
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise Damaged("a line of it has more than a million characters")
        if line.strip():
            yield line


def _read(path: Path, lines: Iterator[str], texts: list[str]) -> Table:
    first = next(lines, "")
    if not first or any(mark in first for mark in "\0\N{REPLACEMENT CHARACTER}"):
        why = "is empty" if not first else "is not a CSV: it holds no text"
        raise ExchangeError(f"{path} {why}; choose another motion file.")
    delimiter = max(",;\t", key=first.count)
    try:
        columns = next(csv.reader([first], delimiter=delimiter))
        columns = [column.strip() for column in columns]
        wide = len(columns)
        if wide > MOST_COLUMNS:
            raise Damaged(f"it has {wide} columns")
        kept: dict[int, list[str]] = {
            i: [] for i, column in enumerate(columns) if column.lower() in texts
        }
        numbers, count = array("d"), 0
        for row in csv.reader(lines, delimiter=delimiter):
            count += 1
            if count > MOST_ROWS or count * wide > MOST_CELLS:
                raise Damaged(f"it goes on after {count - 1:,} rows of {wide} columns")
            row = (row + [""] * (wide - len(row)))[:wide]
            numbers.extend([_number(cell, delimiter == ";") for cell in row])
            for i, cells in kept.items():
                cells.append(row[i].strip())
    except csv.Error as error:
        raise ExchangeError(f"{path} is not a CSV: {error}.") from error
    if not count:
        raise ExchangeError(f"{path} holds column names but no frames; record it again.")
    values = np.frombuffer(numbers, np.float64).reshape(count, wide)
    values = np.where(np.isfinite(values), values, np.nan)
    return Table(tuple(columns), values, kept)


def _number(cell: str, decimal_comma: bool) -> float:
    try:
        return float(cell.replace(",", ".") if decimal_comma else cell)
    except ValueError:
        return np.nan


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
