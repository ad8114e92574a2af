"""The pictures that the verification compares, as one file: what a renderer saw of a head.

Only numpy and the standard library: both renderers write it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..arrays import Member, check_arrays, open_npz
from ..bounded import Damaged, reading
from ..errors import ExchangeError
from .npz import write_arrays

Float = NDArray[np.float32]

PASSES_VERSION = 1
#: What the passes have to be: H x W pixels.
ARRAYS = {
    "covered": Member("?", ("H", "W")),
    "depth": Member("f4", ("H", "W")),
    "normals": Member("f4", ("H", "W", 3)),
    "unlit": Member("f4", ("H", "W", 3)),
    "shaded": Member("f4", ("H", "W", 3)),
}


@dataclass(frozen=True, eq=False)
class Passes:
    """One picture of H x W pixels; every value is that of the surface at the pixel's *centre*.

    Where ``covered`` is false the other passes are zero.  Only surfaces that face the camera count.
    """

    covered: NDArray[np.bool_]  #: (H, W) whether the head is there
    depth: Float  #: (H, W) mm along the camera's axis (not along the ray)
    normals: Float  #: (H, W, 3) unit, smooth, camera axes: x right, y down, z forward
    unlit: Float  #: (H, W, 3) the texture, linear RGB
    shaded: Float  #: (H, W, 3) the texture lit by spherical harmonics, linear RGB

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.covered.shape[1], self.covered.shape[0]

    def validate(self) -> Passes:
        """Return self, or raise :class:`ExchangeError` naming the first pass that does not fit."""
        try:
            check_arrays({name: getattr(self, name) for name in ARRAYS}, ARRAYS)
        except Damaged as error:
            raise ExchangeError(f"The pass {error}.") from error
        return self


def save_passes(path: str | os.PathLike[str], passes: Passes) -> Path:
    """Write ``passes`` to the ``.npz`` ``path``.  Raises :class:`~..errors.OutputError`."""
    arrays = {field.name: getattr(passes, field.name) for field in fields(passes)}
    return write_arrays(path, arrays | {"version": np.int32(PASSES_VERSION)})


def load_passes(path: str | os.PathLike[str]) -> Passes:
    """Read what :func:`save_passes` wrote.  Raises :class:`ExchangeError`."""
    with (
        reading(ExchangeError, path, "a file of rendered passes", "render them again"),
        open_npz(path) as archive,
    ):
        version = int(archive.read({"version": Member("i4", ())})["version"])
        if version != PASSES_VERSION:
            raise ExchangeError(
                f"{path} has version {version} of the passes, not {PASSES_VERSION}."
            )
        return Passes(**archive.read(ARRAYS))
