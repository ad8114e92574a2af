"""Strands of hair as files hold them, in a quarter of the room: whole numbers that numbers of a
``Reconstruction`` are brought to when it is made, so that files keep them exactly.

Strands that are not of such numbers, a script's or an older version's, are in files as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Member
from ..geometry.srgb import SRGB_TO_LINEAR, encode_bytes

#: Steps of a mm.  A point is moved by 0.03 mm at most, a third of a strand's thickness.
STEPS_PER_MM = 32
#: What a file has in place of ``hair_points`` and ``hair_colour``: steps from point to point, the
#: first from the origin; colours as sRGB bytes, which Blender's attribute holds too.
PACKED = {
    "hair_steps": Member("i2", ("HS", "HP", 3), optional=True),
    "hair_bytes": Member("u1", ("HS", "HC", 3), optional=True),
}


def on_steps(points: NDArray) -> NDArray[np.float32]:
    """(...) the nearest to ``points`` (...) mm that files hold in little room."""
    return (np.rint(points * STEPS_PER_MM) / STEPS_PER_MM).astype(np.float32)


def as_bytes(colours: NDArray) -> NDArray[np.float32]:
    """(...) the nearest to the linear ``colours`` (...), 0 to 1, that bytes of sRGB hold."""
    return SRGB_TO_LINEAR[encode_bytes(colours)]


def packed(arrays: dict[str, Any]) -> dict[str, Any]:
    """``arrays`` by the names of a ``Reconstruction``'s fields, as a file has them."""
    out = dict(arrays)
    points, colours = arrays["hair_points"], arrays["hair_colour"]
    if not points.size:
        return out
    counted = points * np.float32(STEPS_PER_MM)
    steps = np.diff(np.rint(counted), axis=1, prepend=np.float32(0))
    if np.array_equal(counted, np.rint(counted)) and np.abs(steps).max() <= np.iinfo(np.int16).max:
        out["hair_steps"] = steps.astype(np.int16)
        del out["hair_points"]
    held = encode_bytes(colours)
    if np.array_equal(SRGB_TO_LINEAR[held], colours):
        out["hair_bytes"] = held
        del out["hair_colour"]
    return out


def unpacked(values: dict[str, Any]) -> dict[str, Any]:
    """``values`` that a file has, by the names of a ``Reconstruction``'s fields."""
    out = {name: value for name, value in values.items() if name not in PACKED}
    if "hair_steps" in values:
        counted = np.cumsum(values["hair_steps"], axis=1, dtype=np.int32)
        out["hair_points"] = counted.astype(np.float32) / np.float32(STEPS_PER_MM)
    if "hair_bytes" in values:
        out["hair_colour"] = SRGB_TO_LINEAR[values["hair_bytes"]]
    return out
