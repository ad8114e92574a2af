"""A CSV as columns of numbers: what cannot be read is a gap, not the end."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import os
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..bounded import MB, Damaged, open_regular, reading
from ..errors import ExchangeError
from . import timecode

#: Frames of two hours at 60 a second, columns of a Live Link recording several times over, and the
#: numbers of both (8 bytes each, in memory several times): its 68 columns in 432,000 rows.
MOST_ROWS, MOST_COLUMNS, MOST_CELLS = 432_000, 4096, 30_000_000
#: Live Link Face writes 0.7 kB a frame.
LARGEST = 320 * MB
_LONGEST_LINE = MB
#: Lines among which the names of the columns are looked for, and bytes that tell the encoding.
_PREAMBLE, _PEEK = 20, 64
#: Angles of the eyes, the last columns, which some programs leave out.
_EYES = 6
_WHOLE, _FRAMES = re.compile(r"\s*\d{1,2}:\d{1,2}:\d{1,2}$"), re.compile(r"\d{1,3}([.,]\d+)?\s*$")


@dataclass(frozen=True, eq=False)
class Table:
    """The cells of a CSV with R rows and C columns."""

    columns: tuple[str, ...]  #: names, as they stand in the first row
    values: NDArray[np.float64]  #: (R, C); NaN where a cell is empty or holds no finite number
    texts: dict[int, list[str]]  #: the R cells of the columns that were asked for as text
    notes: tuple[str, ...] = ()  #: sentences on how it was read

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


def read_table(
    path: str | os.PathLike[str], texts: Sequence[str], order: Sequence[str] = ()
) -> Table:
    """The CSV ``path``: a row of names, then rows of cells; commas, semicolons or tabs between.

    UTF-8 or UTF-16.  The row of names is the first one of those at the start that has one of
    ``texts``, the columns with times, which are kept as text too; what is above it is left out.
    ``order`` are the names where there are none: as many as there are cells, and the eyes' six
    angles at the end may be missing.  Rows that are too short are filled up with empty cells; empty
    rows and comments (``#``, ``//``) are left out.  Bytes that are no text make no more than their
    cell unreadable, if the names are text.
    Raises :class:`ExchangeError` when it cannot be read, is empty, its first lines are no text, or
    it is longer than any motion.
    """
    path = Path(path)
    with reading(ExchangeError, path, "a motion file"), open_regular(path, LARGEST) as data:
        encoding = _encoding(data.peek(_PEEK)[:_PEEK])
        with io.TextIOWrapper(data, encoding=encoding, errors="replace") as file:
            return _read(path, _lines(file), [name.lower() for name in texts], tuple(order))


def _encoding(head: bytes) -> str:
    """Of the text that begins with ``head``: UTF-16 by its mark, or by every second byte's zero."""
    if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    first, second = head[::2], head[1::2]
    if len(head) == _PEEK and not any(second) and all(first):
        return "utf-16-le"
    if len(head) == _PEEK and not any(first) and all(second):
        return "utf-16-be"
    return "utf-8-sig"


def _lines(file: io.TextIOWrapper) -> Iterator[str]:
    """Those that are not empty."""
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise Damaged("a line of it has more than a million characters")
        if line.strip():
            yield line


def _is_comment(line: str) -> bool:
    return line.lstrip(' "').startswith(("#", "//"))


@dataclass(frozen=True)
class _Start:
    """Where the columns of a table are named."""

    columns: list[str]
    delimiter: str
    rows: list[str]  #: lines that were read already
    notes: tuple[str, ...] = ()


def _read(path: Path, lines: Iterator[str], texts: list[str], order: tuple[str, ...]) -> Table:
    try:
        start = _start(path, list(itertools.islice(lines, _PREAMBLE)), texts, order)
        columns, delimiter = start.columns, start.delimiter
        wide = len(columns)
        if wide > MOST_COLUMNS:
            raise Damaged(f"it has {wide} columns")
        kept: dict[int, list[str]] = {
            i: [] for i, column in enumerate(columns) if column.lower() in texts
        }
        numbers, count = array("d"), 0
        rest = itertools.filterfalse(_is_comment, itertools.chain(start.rows, lines))
        for row in csv.reader(rest, delimiter=delimiter):
            count += 1
            if count > MOST_ROWS or count * wide > MOST_CELLS:
                raise Damaged(f"it goes on after {count - 1:,} rows of {wide} columns")
            if delimiter == ";":
                row = _with_frames(row, kept, wide)
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
    return Table(tuple(columns), values, kept, start.notes)


def _start(path: Path, head: list[str], texts: list[str], order: tuple[str, ...]) -> _Start:
    """The names of the columns, from the first lines ``head`` or from ``order``."""
    # The names may stand in a comment: "# time, jawOpen".
    found = [_cells(line.lstrip("#/ ") if _is_comment(line) else line) for line in head]
    named = (i for i, (cells, _) in enumerate(found) if set(texts) & {x.lower() for x in cells})
    plain = (i for i, line in enumerate(head) if not _is_comment(line))
    at = next(named, next(plain, 0))
    strange = any(mark in line for line in head[: at + 1] for mark in "\0\N{REPLACEMENT CHARACTER}")
    if not head or strange:
        why = "is empty" if not head else "is not a CSV: it holds no text"
        raise ExchangeError(f"{path} {why}; choose another motion file.")
    # A spreadsheet's "sep=;" is there for the spreadsheet.
    told = [x for x in head[:at] if not (_is_comment(x) or x.lower().startswith("sep="))]
    notes = [f"{len(told)} lines above the columns' names were left out."] if told else []
    columns, delimiter = found[at]
    if not (set(texts) & {column.lower() for column in columns}) and _is_row(columns):
        if len(columns) not in (len(order), len(order) - _EYES):
            raise ExchangeError(
                f"{path} has no names of columns, and {len(columns)} columns where Live Link Face "
                f"writes {len(order)}; put the names into its first line."
            )
        notes.append("The file has no names of columns; taken in the order of Live Link Face.")
        return _Start(list(order[: len(columns)]), delimiter, head[at:], tuple(notes))
    return _Start(columns, delimiter, head[at + 1 :], tuple(notes))


def _cells(line: str) -> tuple[list[str], str]:
    """The cells of one of the first lines, and what is between them."""
    delimiter = max(",;\t", key=line.count)
    cells = [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]
    if delimiter == ";" and _is_split(cells):
        cells[:2] = [f"{cells[0]};{cells[1]}"]
    return cells, delimiter


def _is_row(cells: list[str]) -> bool:
    """Whether these are numbers rather than names: the first is a time, the others are numbers."""
    if not cells:
        return False
    timed = timecode.parse(cells[0]) or timecode.parse_clock(cells[0]) is not None
    return bool(timed) and not any(np.isnan(_number(cell, True)) for cell in cells[1:] if cell)


def _with_frames(row: list[str], times: Iterable[int], wide: int) -> list[str]:
    """``row`` with a drop-frame time code (10:20:30;12) in one cell of those ``times``.

    Semicolons are between the cells too: such a row is longer than the names, or it ends early.
    """
    for column in times:
        if _is_split(row[column:]) and len(row) != wide:
            row = [*row[:column], ";".join(row[column : column + 2]), *row[column + 2 :]]
    return row


def _is_split(cells: list[str]) -> bool:
    return len(cells) > 1 and bool(_WHOLE.match(cells[0]) and _FRAMES.match(cells[1]))


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
