"""Times of recordings' rows: SMPTE time code ``HH:MM:SS:FF.fff`` (the part after the point of a
frame), seconds, the time of day, ISO 8601."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

#: ``;`` before the frames says that labels are dropped to keep in step with the clock.
_PATTERN = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})([:;])(\d{1,3})(?:[.,](\d+))?$")
_CLOCK = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)$")
_SECONDS = re.compile(r"\d+(?:[.,]\d+)?(?:[eE][+-]?\d{1,2})?$")
DAY_S = 86400.0
#: Live Link Face's own setting unless the user changed it.
DEFAULT_RATE = 60.0
_RATES = (24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 90.0, 100.0, 120.0, 240.0)
#: Of 30 labels a second two are dropped in nine of ten minutes (SMPTE ST 12-1), of 60 four.
_DROPPED_OF_30 = 2
_NTSC = 1000 / 1001

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


def parse_clock(text: str) -> float | None:
    """Seconds that ``12.5``, ``10:20:30.250`` or ``2026-11-29T10:20:30.250Z`` says; None if none.

    Of a date those since 1970, as of UTC where no zone is given.
    """
    text = text.strip()
    if _SECONDS.match(text):
        return float(text.replace(",", "."))
    found = _CLOCK.match(text)
    if found is not None:
        hours, minutes, seconds = found.groups()
        second = float(seconds.replace(",", "."))
        inside = int(minutes) < 60 and second < 60
        return (int(hours) * 60 + int(minutes)) * 60 + second if inside else None
    if not re.match(r"\d{4}-\d\d-\d\d[T ]", text):
        return None
    try:
        moment = datetime.fromisoformat(text.replace(",", "."))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def guess_rate(codes: list[Parsed]) -> tuple[float, bool]:
    """The frame rate that ``codes`` were counted at, and whether that is certain.

    The number of the last frame before a second is full tells it.  A recording within one second
    does not: all labels of a second from 0 on make that rate likely, else it is the app's own.
    """
    labels = {int(frames) for _, frames, _ in codes}
    most = max(labels)
    certain = len({whole for whole, _, _ in codes}) > 1 or most >= DEFAULT_RATE
    rates = [r for r in _RATES if _dropped(r)] if any(code[2] for code in codes) else _RATES
    full = len(labels) == most + 1 and most + 1 in rates
    known = [rate for rate in rates if rate > most and (certain or full or rate >= DEFAULT_RATE)]
    return real_rate(codes, known[0] if known else float(most + 1)), certain


def real_rate(codes: list[Parsed], rate: float) -> float:
    """Frames a second where labels are counted at ``rate``: 30000/1001 where some are dropped."""
    counted = round(rate)
    return counted * _NTSC if _dropped(counted) and any(code[2] for code in codes) else rate


def to_seconds(codes: list[Parsed], rate: float) -> NDArray[np.float64]:
    """(N,) seconds of the day; ``rate`` is as :func:`real_rate` gives it.

    A second of the label is ``round(rate)`` frames, whatever they last.  Of dropped ones the first
    labels of each minute are left out but for every tenth minute.
    """
    whole = np.array([code[0] for code in codes], np.float64)
    frames = np.array([code[1] for code in codes], np.float64)
    drops = np.array([code[2] for code in codes])
    minutes = whole // 60
    left_out = _dropped(rate) * (minutes - minutes // 10)
    return (whole * round(rate) + frames - np.where(drops, left_out, 0)) / rate


def to_text(seconds: float, rate: float, drops: bool = False) -> str:
    """The time code ``seconds`` after midnight to a thousandth frame; the inverse of the others.

    ``drops``: with dropped labels, where ``rate`` has them.
    """
    thousandths = round(seconds * rate * 1000)
    frames, part = divmod(thousandths, 1000)
    counted, dropped = round(rate), _dropped(rate) if drops else 0
    if dropped:
        minute = 60 * counted - dropped
        tens, rest = divmod(frames, 10 * minute + dropped)
        # The first minute of ten has all its labels.
        frames += dropped * (9 * tens + max(rest - dropped, 0) // minute)
    whole, frame = divmod(frames, counted)
    hours, rest = divmod(whole, 3600)
    mark = ";" if dropped else ":"
    return f"{hours % 24:02d}:{rest // 60:02d}:{rest % 60:02d}{mark}{frame:02d}.{part:03d}"


def _dropped(rate: float) -> int:
    """Labels that a minute leaves out; 0 where none are."""
    return _DROPPED_OF_30 * (round(rate) // 30) if round(rate) % 30 == 0 else 0
