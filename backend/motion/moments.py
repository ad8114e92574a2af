"""When each row of a recording was taken, from whatever its column of times holds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import ExchangeError
from . import timecode
from .resample import rate_of

#: A gap in the times that is longer than this is a recording that was interrupted, in seconds.
JUMP_S = 10.0
#: Fewer rows than this do not tell a rate better than their time code does.
_FEW = 9

Double = NDArray[np.float64]


def moments(
    texts: Sequence[str], column: str, path: str, frame_rate: float | None, notes: list[str]
) -> tuple[NDArray[np.int64], Double, float]:
    """Rows that are used, their seconds from the first on, and the frame rate.

    ``texts``, the cells of ``column``, are time codes; or seconds, times of the day or dates; or
    whole numbers that count frames.  ``frame_rate`` is what time codes and frames were counted at.
    What is odd goes to ``notes``.  Raises :class:`ExchangeError` when no row has a time.
    """
    if frame_rate is not None and not (np.isfinite(frame_rate) and frame_rate > 0):
        raise ExchangeError(f"{frame_rate} is no frame rate; give a positive number.")
    codes = [timecode.parse(text) for text in texts]
    clocks = [timecode.parse_clock(text) for text in texts]
    coded = sum(code is not None for code in codes) >= sum(clock is not None for clock in clocks)
    given = codes if coded else clocks
    rows = np.array([i for i, one in enumerate(given) if one is not None], np.int64)
    if not len(rows):
        raise ExchangeError(
            f"{path} has no time code of the form HH:MM:SS:FF and no seconds in its column "
            f"'{column}'; record it again."
        )
    if len(rows) < len(given):
        notes.append(f"{len(given) - len(rows)} rows without a time code were left out.")
    if coded:
        seconds, day, rate = _of_codes([c for c in codes if c is not None], frame_rate, notes)
    else:
        seconds, day, rate = _of_clocks([c for c in clocks if c is not None], frame_rate, notes)
    kept, times = _in_order(rows, seconds, day, rate, notes)
    told = rate_of(times) if frame_rate is None and len(times) > _FEW else rate
    return rows[kept], times, told


def _of_codes(
    codes: list[timecode.Parsed], frame_rate: float | None, notes: list[str]
) -> tuple[Double, float, float]:
    """Seconds of the day, how long that is, and the frame rate."""
    if frame_rate is None:
        rate, certain = timecode.guess_rate(codes)
        if not certain:
            notes.append(_unsure("All rows are within one second of time code, which", rate))
    else:
        rate = timecode.real_rate(codes, frame_rate)
    midnight = (int(timecode.DAY_S), 0.0, codes[0][2])
    return timecode.to_seconds(codes, rate), float(timecode.to_seconds([midnight], rate)[0]), rate


def _of_clocks(
    clocks: list[float], frame_rate: float | None, notes: list[str]
) -> tuple[Double, float, float]:
    seconds = np.array(clocks, np.float64)
    step = np.diff(seconds)
    if len(step) and (seconds == np.round(seconds)).all() and np.median(step) == 1:
        rate = frame_rate or timecode.DEFAULT_RATE
        if frame_rate is None:
            notes.append(_unsure("The time code counts frames, which", rate))
        return seconds / rate, timecode.DAY_S, rate
    forward = np.concatenate([[0.0], np.cumsum(step[step > 0])])
    return seconds, timecode.DAY_S, frame_rate or rate_of(forward)


def _unsure(what: str, rate: float) -> str:
    return (
        f"{what} does not tell the frame rate; {rate:g} a second was taken: import the file again "
        "with its frame rate where that is wrong."
    )


def _in_order(
    rows: NDArray[np.int64], seconds: Double, day: float, rate: float, notes: list[str]
) -> tuple[NDArray[np.bool_], Double]:
    """Which of ``rows`` are kept, and their seconds from the first on, without leaps."""
    step = np.diff(seconds)
    midnight = (step < -timecode.DAY_S / 2) & (step > -1.01 * day)
    if midnight.any():
        step[midnight] += day
        notes.append("The time code passes midnight.")
    usual = float(np.median(step[step > 0])) if (step > 0).any() else 1 / rate
    repeated = step == 0
    jumps = (step < 0) | (step > JUMP_S)
    if jumps.any():
        at = int(np.flatnonzero(jumps)[0])
        more = f", and {int(jumps.sum()) - 1} times more" if jumps.sum() > 1 else ""
        notes.append(
            f"The time code jumps by {step[at]:+.2f} s after row {int(rows[at]) + 2}{more}; the "
            "frames go on from there without a gap."
        )
        step[jumps] = usual
    if repeated.any():
        notes.append(f"{int(repeated.sum())} rows that repeat a time code were left out.")
    kept = np.concatenate([[True], ~repeated])
    return kept, np.concatenate([[0.0], np.cumsum(step)])[kept]
