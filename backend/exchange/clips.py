"""Folders of frames: which pictures, in what order, at which times, and whether they changed.

Standard library only, because both sides of the exchange import it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .formats import names_picture

#: More frames missing than this many times those that are there: the numbers are something else
#: (time stamps, a camera's counter over months).  A folder of every tenth frame has a step of ten.
_MOST_MISSING = 20
#: Missing numbers that a sentence names.
_NAMED = 6


@dataclass(frozen=True)
class Numbering:
    """Where the files of a folder stand in the clip, by the numbers in their names."""

    indices: tuple[int, ...]  #: increasing, from 0 on; what is left out is missing
    step: int = 1  #: what the number goes up by from one index to the next
    note: str = ""  #: one sentence on what is missing or odd

    @property
    def count(self) -> int:
        """Frames there should be."""
        return self.indices[-1] + 1


def frame_files(folder: Path) -> list[Path]:
    """The pictures in ``folder``, ``frame_9`` before ``frame_10``.  Raises OSError."""
    return sorted(
        (path for path in folder.iterdir() if names_picture(path.name)),
        key=lambda path: _natural(path.name),
    )


def mark_of(paths: Sequence[Path]) -> str:
    """A text that changes when one of the files ``paths`` is written anew, added or removed.

    By names, sizes and times of writing in nanoseconds: a clip has gigabytes, which to read takes
    longer than to ask whether it was done already may, and whoever writes a frame sets its time.
    A folder's own time says nothing, since it stays when a file in it is overwritten.
    Raises OSError.
    """
    stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    return hashlib.sha256(json.dumps(stats).encode()).hexdigest()


def numbering(names: Sequence[str]) -> Numbering:
    """Where the pictures ``names`` of a folder, in order, stand in its clip.

    The number is the one part of digits that differs between names that are alike else; where
    there is none, they follow one another.  Numbers that all are a multiple of a step apart, as of
    an animation rendered on twos, have nothing missing between them.
    """
    in_a_row = Numbering(tuple(range(len(names))))
    numbers = _numbers(names)
    if numbers is None:
        return in_a_row
    steps = [after - before for before, after in zip(numbers, numbers[1:], strict=False)]
    if not steps:
        return in_a_row
    if min(steps) <= 0:  # f1.jpg and f1.png, or f1 and f01
        note = "Some of the frames have the same number; they were taken one after another."
        return Numbering(in_a_row.indices, note=note)
    step = math.gcd(*steps)
    indices = tuple((number - numbers[0]) // step for number in numbers)
    missing = indices[-1] + 1 - len(indices)
    if missing > _MOST_MISSING * len(indices):
        note = (
            f"The numbers of the frames leap (from {names[0]} to {names[-1]} there are "
            f"{len(names)}); they were taken one after another."
        )
        return Numbering(in_a_row.indices, note=note)
    notes = []
    if step > 1:
        notes.append(f"the frames' numbers go up by {step}, and so does their time")
    if missing:
        there = set(indices)
        gone = [i * step + numbers[0] for i in range(indices[-1]) if i not in there]
        shown = ", ".join(map(str, gone[:_NAMED]))
        more = f" and {missing - _NAMED} more" if missing > _NAMED else ""
        notes.append(f"of the folder's frames {shown}{more} are missing; they count as lost")
    note = "; ".join(notes)
    return Numbering(indices, step, note and f"{note[0].upper()}{note[1:]}.")


def _numbers(names: Sequence[str]) -> list[int] | None:
    """The number in each of ``names``; None where it is not clear which one it is."""
    parts = [re.split(r"(\d+)", os.path.splitext(name)[0]) for name in names]
    if len({tuple(part[::2]) for part in parts}) != 1:
        return None
    digits = [[int(number) for number in part[1::2]] for part in parts]
    varying = [i for i, column in enumerate(zip(*digits, strict=True)) if len(set(column)) > 1]
    if len(names) > 1 and not varying and digits[0]:
        return [0] * len(names)  # one number for all
    return [row[varying[0]] for row in digits] if len(varying) == 1 else None


def _natural(name: str) -> list[tuple[int, int | str]]:
    """``frame_9`` before ``frame_10``."""
    return [(0, int(p)) if p.isdecimal() else (1, p.lower()) for p in re.split(r"(\d+)", name) if p]
