"""The CSV of Epic's Live Link Face: ARKit's weights by time code, head and eyes as angles.

One row a frame: ``Timecode``, ``BlendShapeCount`` (61; 0 where the face was lost), ARKit's 52
blendshapes spelt ``EyeBlinkLeft``, then yaw, pitch and roll of head, left and right eye.  The
position of the head is not recorded, nor the frame rate.

Angles are taken in the person's own directions, as they follow from Epic's AppleARKit plug-in:
yaw > 0 to the right, pitch > 0 down, roll > 0 tilted to the left.  Their unit differs between
versions of the app; it is asked for, radians unless given.  Other programs write such files too:
with seconds for the time code, weights in percent, yaw and pitch swapped.
"""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ExchangeError
from ..exchange.motion import Motion
from ..exchange.names import ARKIT, arkit_name, listed
from ..files import write_bytes
from ..geometry.rotation import from_euler, to_euler
from . import timecode
from .moments import moments
from .oddities import as_shares, note_equal
from .table import Table, fill_gaps

HEAD = ("HeadYaw", "HeadPitch", "HeadRoll")
EYES = tuple(f"{side}Eye{axis}" for side in ("Left", "Right") for axis in ("Yaw", "Pitch", "Roll"))
#: Radians of one unit of the angles.
UNITS = {"radians": 1.0, "degrees": np.pi / 180, "half-turns": np.pi}
#: The columns, as the app writes them.
TIMECODE, COUNT = "Timecode", "BlendShapeCount"
COLUMNS = (TIMECODE, COUNT, *(name[0].upper() + name[1:] for name in ARKIT), *HEAD, *EYES)
#: What an eye turns by at the weight 1, about, for the columns that nobody animates by.
EYE_ANGLE = np.radians(25.0)


def parse_live_link(
    table: Table,
    path: str,
    *,
    frame_rate: float | None = None,
    angles: str = "radians",
    swap_yaw_pitch: bool = False,
) -> Motion:
    """The motion in ``table``; names are ARKit's own (``eyeBlinkLeft``).

    Columns that are no blendshape of ARKit's are left out and named in the notes; so is what was
    missing, or odd about the time code.  Rows without values are not ``valid``.  The frame rate is
    told from the time code unless given.  The eyes' angles are left out: the gaze is in the
    ``eyeLook`` weights as well.  ``swap_yaw_pitch``: each of the two stands in the other's column,
    which the numbers do not tell.

    Raises :class:`ExchangeError` when there is no row with a time code, or no known column.
    """
    if angles not in UNITS:
        raise ExchangeError(f"'{angles}' is no unit of angles; choose of {', '.join(UNITS)}.")
    notes = list(table.notes)
    columns, unknown = _columns(table)
    if not columns:
        raise ExchangeError(
            f"{path} has a time code but none of ARKit's blendshapes; its columns are "
            f"{listed(table.columns)}."
        )
    if unknown:
        notes.append(f"Columns that are no ARKit blendshapes were left out: {listed(unknown)}.")
    absent = [name for name in ARKIT if name not in columns]
    if absent:
        notes.append(f"The recording has no {listed(absent)}.")
    texts = table.text(table.index(TIMECODE) or 0)
    rows, times, rate = moments(texts, TIMECODE, path, frame_rate, notes)
    yaw, pitch, roll = HEAD
    head = [table.index(x) for x in ((pitch, yaw, roll) if swap_yaw_pitch else HEAD)]
    posed = [column for column in head if column is not None]
    numbers = table.numbers([*columns.values(), *(posed if len(posed) == 3 else [])])[rows]
    count = len(columns)
    numbers[_lost(table, rows)] = np.nan
    filled, valid = fill_gaps(times, numbers)
    if not valid.any():
        raise ExchangeError(f"{path} holds no values: the face was never seen. Record it again.")
    _note_gaps(numbers[:, :count], valid, notes)
    weights = as_shares(tuple(columns), filled[:, :count], notes)
    note_equal(tuple(columns), weights[valid], notes)
    rotation = None
    if len(posed) == 3:
        pose = filled[:, count:]
        if angles == "radians" and np.abs(pose).max() > np.pi:
            angles = "degrees"
            notes.append("The head's angles are beyond a turn in radians; taken as degrees.")
        rotation = from_angles(*(pose * UNITS[angles]).T)
    header: dict[str, Any] = {"source": path, "timecode": texts[rows[0]], "notes": notes}
    weights = weights.astype(np.float32)
    return Motion(times, tuple(columns), weights, rotation, None, valid, rate, header)


def from_angles(yaw: NDArray, pitch: NDArray, roll: NDArray) -> NDArray[np.float64]:
    """(N, 3, 3) head to camera of a head turned by ``yaw``, ``pitch``, ``roll`` (N,) radians.

    As Live Link Face names them, from the person's point of view: yaw > 0 to the right, pitch > 0
    down, roll > 0 tilts to the left; yaw is applied last (Unreal's order).
    """
    return from_euler(-yaw, -pitch, roll)


def to_angles(rotation: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """(N,) yaw, pitch and roll of (N, 3, 3): the inverse of :func:`from_angles`."""
    yaw, pitch, roll = to_euler(rotation)
    return -yaw, -pitch, roll


def _columns(table: Table) -> tuple[dict[str, int], list[str]]:
    """ARKit name to column, and the columns that are neither that nor known otherwise."""
    found: dict[str, int] = {}
    unknown = []
    others = {name.lower() for name in (*HEAD, *EYES, TIMECODE, COUNT)}
    for i, column in enumerate(table.columns):
        name = arkit_name(column)
        if name is not None and name not in found:
            found[name] = i
        elif column.lower() not in others and column:
            unknown.append(column)
    return {name: found[name] for name in ARKIT if name in found}, unknown


def _lost(table: Table, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(R,) whether a row says that it holds nothing."""
    column = table.index(COUNT)
    if column is None:
        return np.zeros(len(rows), bool)
    return table.numbers([column])[rows, 0] == 0


def _note_gaps(weights: NDArray, valid: NDArray[np.bool_], notes: list[str]) -> None:
    lost = int((~valid).sum())
    if lost:
        notes.append(f"The face was lost in {lost} of {len(valid)} frames, which are interpolated.")
    single = int(np.isnan(weights[valid]).sum())
    if single:
        notes.append(f"{single} missing values were interpolated.")


def write_live_link(
    path: str | os.PathLike[str], motion: Motion, *, angles: str = "radians"
) -> Path:
    """Write ``motion`` as Live Link Face does, and return ``path``.

    Weights that the motion lacks are zero; :func:`lost_in_live_link` says what is left out.
    The head's angles need ``rotation``; the eyes' are made from the ``eyeLook`` weights.  Frames
    that are not ``valid`` are written with the values they have.

    Raises :class:`ExchangeError` when the motion has no weight of ARKit's, and
    :class:`OutputError`.
    """
    if angles not in UNITS:
        raise ExchangeError(f"'{angles}' is no unit of angles; choose of {', '.join(UNITS)}.")
    known = {name: i for i, name in enumerate(motion.names) if name in ARKIT}
    if not known:
        raise ExchangeError(
            "The motion has no ARKit blendshape, which Live Link Face's CSV is made of; its names "
            f"are {listed(motion.names)}. Use the other CSV."
        )
    count = len(motion.times)
    weights = np.zeros((count, len(ARKIT)))
    for column, name in enumerate(ARKIT):
        if name in known:
            weights[:, column] = motion.weights[:, known[name]]
    head = np.zeros((count, 3))
    if motion.rotation is not None:
        head = np.stack(to_angles(motion.rotation), 1)
    pose = np.concatenate([head, _eye_angles(weights)], 1) / UNITS[angles]
    start, drops = _start(motion)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for time, row in zip(motion.times, np.concatenate([weights, pose], 1).tolist(), strict=True):
        code = timecode.to_text(start + float(time - motion.times[0]), motion.frame_rate, drops)
        writer.writerow([code, len(row), *(f"{value:.8f}" for value in row)])
    return write_bytes(path, out.getvalue().encode())


def lost_in_live_link(motion: Motion) -> tuple[str, ...]:
    """Sentences on what of ``motion`` Live Link Face's CSV has no column for."""
    told = []
    moving = np.abs(motion.weights).max(axis=0, initial=0.0) > 0
    others = [
        name
        for name, moves in zip(motion.names, moving, strict=True)
        if moves and name not in ARKIT
    ]
    if others:
        told.append(f"Live Link Face's CSV has no {listed(others)}; the other CSV has.")
    if motion.translation is not None:
        told.append(
            "Live Link Face's CSV has the head's turning, not its position; the other CSV has both."
        )
    return tuple(told)


def _start(motion: Motion) -> tuple[float, bool]:
    """Seconds of the day of the first frame, and whether labels are dropped.

    By the recording's time code, if it is known; labels are dropped at 29.97 and 59.94 only.
    """
    text = str(motion.header.get("timecode", ""))
    code = timecode.parse(text)
    if code is None:
        return (timecode.parse_clock(text) or 0.0) % timecode.DAY_S, False
    drops = code[2] and np.isclose(timecode.real_rate([code], motion.frame_rate), motion.frame_rate)
    whole, frames, _ = code
    start = timecode.to_seconds([(whole, frames, bool(drops))], motion.frame_rate)
    return float(start[0]), bool(drops)


def _eye_angles(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 6) yaw, pitch, roll of the left and the right eye, radians."""

    def of(name: str) -> NDArray[np.float64]:
        return weights[:, ARKIT.index(name)]

    out = np.zeros((len(weights), 6))
    out[:, 0] = of("eyeLookInLeft") - of("eyeLookOutLeft")
    out[:, 3] = of("eyeLookOutRight") - of("eyeLookInRight")
    for column, side in ((1, "Left"), (4, "Right")):
        out[:, column] = of(f"eyeLookDown{side}") - of(f"eyeLookUp{side}")
    return out * EYE_ANGLE
