"""Strands of hair as files hold them in little room: numbers of a ``Reconstruction`` are brought to
such steps when it is made, so that files keep them exactly.

Strands that are not of such steps, a script's or an older version's, are in files as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Member
from ..geometry.srgb import SRGB_TO_LINEAR, encode_bytes

#: Steps of a mm.  A point is moved by 0.03 mm at most, a third of a strand's thickness, and files
#: pack what is left to 0.6.
STEPS_PER_MM = 32
#: What a file has in place of ``hair_colour``: sRGB bytes, which Blender's attribute holds too.
PACKED = {"hair_bytes": Member("u1", ("HS", "HC", 3), optional=True)}


def on_steps(points: NDArray) -> NDArray[np.float32]:
    """(...) the nearest to ``points`` (...) mm that files pack well."""
    return np.rint(points * np.float32(STEPS_PER_MM)) / np.float32(STEPS_PER_MM)


def as_bytes(colours: NDArray) -> NDArray[np.float32]:
    """(...) the nearest to the linear ``colours`` (...), 0 to 1, that bytes of sRGB hold."""
    return SRGB_TO_LINEAR[encode_bytes(colours)]


def packed(arrays: dict[str, Any]) -> dict[str, Any]:
    """``arrays`` by the names of a ``Reconstruction``'s fields, as a file has them."""
    colours = arrays["hair_colour"]
    if not colours.size:
        return arrays
    held = encode_bytes(colours)
    if not np.array_equal(SRGB_TO_LINEAR[held], colours):
        return arrays
    return {name: one for name, one in arrays.items() if name != "hair_colour"} | {
        "hair_bytes": held
    }


def unpacked(values: dict[str, Any]) -> dict[str, Any]:
    """``values`` that a file has, by the names of a ``Reconstruction``'s fields."""
    out = {name: value for name, value in values.items() if name not in PACKED}
    if "hair_bytes" in values:
        out["hair_colour"] = SRGB_TO_LINEAR[values["hair_bytes"]]
    return out
