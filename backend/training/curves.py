"""Training curves: CSV files that grow row by row and that a resumed run continues."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path


class Curve:
    """A CSV file of numbers; rows after ``after_step``, of a run that stopped, are dropped."""

    def __init__(self, path: Path, after_step: int) -> None:
        self._path = path
        kept = []
        if after_step and path.exists():
            with path.open(newline="", encoding="utf-8", errors="replace") as file:
                kept = [row for row in csv.DictReader(file) if _is_until(row, after_step)]
        path.unlink(missing_ok=True)
        for row in kept:
            self._append(row)

    def add(self, step: int, row: Mapping[str, float]) -> None:
        """One line; all lines have the same columns."""
        self._append({"step": str(step)} | {name: f"{value:.6g}" for name, value in row.items()})

    def _append(self, row: Mapping[str, str]) -> None:
        with self._path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if file.tell() == 0:
                writer.writeheader()
            writer.writerow(row)


def _is_until(row: Mapping[str | None, object], step: int) -> bool:
    """Whether it is whole, and of no later step; others of a damaged file are dropped."""
    try:
        return None not in row and None not in row.values() and int(str(row["step"])) <= step
    except (KeyError, ValueError):
        return False
