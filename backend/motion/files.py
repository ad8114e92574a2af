"""Motion files by what they are: our ``.npz``, Live Link Face's CSV, our own CSV, phonemes."""

from __future__ import annotations

import os
from pathlib import Path

from ..bounded import reading
from ..errors import ExchangeError
from ..exchange.motion import Motion, load_motion, save_motion
from ..exchange.names import listed
from .livelink import COLUMNS, TIMECODE, lost_in_live_link, parse_live_link, write_live_link
from .own_csv import TIME, parse_own, write_own
from .table import read_table
from .visemes import SUFFIXES as SPOKEN
from .visemes import read_visemes

#: Kinds that :func:`write_motion_file` writes, and what their files' names end in beside others.
KINDS = {"csv": ".csv", "livelink": "_livelink.csv", "npz": ".npz"}


def read_motion_file(
    path: str | os.PathLike[str],
    *,
    frame_rate: float | None = None,
    angles: str = "radians",
    swap_yaw_pitch: bool = False,
) -> Motion:
    """The motion in ``path``, whichever kind of file it is.

    ``frame_rate`` replaces what the file says, or does not say; ``angles`` is the unit of Live Link
    Face's angles ("radians", "degrees", "half-turns"), and ``swap_yaw_pitch`` reads the head's yaw
    from the column of the pitch and the other way round.  ``header["notes"]`` are sentences about
    what was left out, filled in or guessed.

    Raises :class:`ExchangeError` when nothing in it can be used.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return load_motion(path)
    if suffix in SPOKEN:
        return read_visemes(path, frame_rate=frame_rate or 30.0)
    table = read_table(path, (TIMECODE, TIME), COLUMNS)
    with reading(ExchangeError, path, "a motion file"):
        if table.index(TIMECODE) is not None:
            return parse_live_link(
                table,
                str(path),
                frame_rate=frame_rate,
                angles=angles,
                swap_yaw_pitch=swap_yaw_pitch,
            )
        if table.index(TIME) is not None:
            return parse_own(table, str(path), frame_rate=frame_rate)
    raise ExchangeError(
        f"{path} has neither the column 'Timecode' of Live Link Face nor 'time' of this project's "
        f"CSV; its columns are {listed(table.columns)}."
    )


def lost_in(motion: Motion, kind: str) -> tuple[str, ...]:
    """Sentences on what of ``motion`` a file of ``kind`` does not hold; none for most kinds."""
    return lost_in_live_link(motion) if kind == "livelink" else ()


def write_motion_file(
    path: str | os.PathLike[str], motion: Motion, kind: str = "", *, angles: str = "radians"
) -> Path:
    """Write ``motion`` as one of :data:`KINDS` (by the ending unless given); return ``path``.

    Raises :class:`ExchangeError` when the kind cannot hold it, and :class:`OutputError`.
    """
    kind = kind or {".npz": "npz", ".csv": "csv"}.get(Path(path).suffix.lower(), "")
    if kind == "npz":
        return save_motion(path, motion)
    if kind == "csv":
        return write_own(path, motion)
    if kind == "livelink":
        return write_live_link(path, motion, angles=angles)
    raise ExchangeError(f"{path} names no kind of motion file; end it in .csv or .npz.")
