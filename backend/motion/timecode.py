"""SMPTE time code of recordings: ``HH:MM:SS:FF.fff``, the part after the point of a frame."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

#: ``;`` before the frames says that labels are dropped to keep in step with the clock.
_PATTERN = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})([:;])(\d{1,3})(?:[.,](\d+))?$")
DAY_S = 86400.0
#: Live Link Face's own setting unless the user changed it.
DEFAULT_RATE = 60.0
_RATES = (24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 90.0, 100.0, 120.0, 240.0)

Parsed = tuple[int, float, bool]  #: whole seconds, frames, whether labels are dropped


def parse(text: str) -> Parsed | None:
    """The parts of one time code; None if it is none."""
    found = _PATTERN.match(text.strip())
    if found is None:
        return None
    hours, minutes, seconds, mark, frames, part = found.groups()
    if int(minutes) > 59 or int(seconds) > 59:
        return None
    whole = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
    return whole, int(frames) + float(f"0.{part or 0}"), mark == ";"


def guess_rate(codes: list[Parsed]) -> tuple[float, bool]:
    """The frame rate that ``codes`` were counted at, and whether that is certain.

    The number of the last frame before a second is full tells it; a recording within one second
    does not.
    """
    most = int(max(frames for _, frames, _ in codes))
    seconds = {whole for whole, _, _ in codes}
    if len(seconds) < 2 and most < DEFAULT_RATE:
        return DEFAULT_RATE, False
    known = [rate for rate in _RATES if rate > most]
    return (known[0], True) if known else (float(most + 1), True)


def to_seconds(codes: list[Parsed], rate: float) -> NDArray[np.float64]:
    """(N,) seconds of the day.

    Without dropped labels a second of the label is ``round(rate)`` frames, whatever they last.
    """
    whole = np.array([code[0] for code in codes], np.float64)
    frames = np.array([code[1] for code in codes], np.float64)
    dropped = np.array([code[2] for code in codes])
    return np.where(dropped, whole + frames / rate, (whole * round(rate) + frames) / rate)


def to_text(seconds: float, rate: float) -> str:
    """The time code ``seconds`` after midnight, without dropped labels, to a thousandth frame."""
    thousandths = round(seconds * rate * 1000)
    frames, part = divmod(thousandths, 1000)
    whole, frame = divmod(frames, round(rate))
    hours, rest = divmod(whole, 3600)
    return f"{hours % 24:02d}:{rest // 60:02d}:{rest % 60:02d}:{frame:02d}.{part:03d}"
