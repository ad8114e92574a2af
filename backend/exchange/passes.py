"""The pictures that the verification compares, as one file: what a renderer saw of a head.

Only numpy and the standard library: both renderers write it.
"""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ExchangeError
from .npz import write_arrays

Float = NDArray[np.float32]

PASSES_VERSION = 1


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
        shape = self.covered.shape
        for field in fields(self):
            found = getattr(self, field.name)
            wanted = shape + found.shape[2:]
            channels = () if field.name in ("covered", "depth") else (3,)
            if len(shape) != 2 or found.shape != wanted or found.shape[2:] != channels:
                raise ExchangeError(f"The pass '{field.name}' has shape {found.shape}.")
            if not np.isfinite(found).all():
                raise ExchangeError(f"The pass '{field.name}' holds values that are not finite.")
        return self


def save_passes(path: str | os.PathLike[str], passes: Passes) -> Path:
    """Write ``passes`` to the ``.npz`` ``path``.  Raises :class:`~..errors.OutputError`."""
    arrays = {field.name: getattr(passes, field.name) for field in fields(passes)}
    return write_arrays(path, arrays | {"version": np.int32(PASSES_VERSION)})


def load_passes(path: str | os.PathLike[str]) -> Passes:
    """Read what :func:`save_passes` wrote.  Raises :class:`ExchangeError`."""
    names = [field.name for field in fields(Passes)]
    try:
        with np.load(path, allow_pickle=False) as archive:
            version = int(archive["version"])
            arrays = {name: archive[name] for name in names}
    except FileNotFoundError as error:
        raise ExchangeError(f"There are no rendered passes at {path}.") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ExchangeError(f"{path} does not hold rendered passes, or is damaged.") from error
    if version != PASSES_VERSION:
        raise ExchangeError(f"{path} has version {version} of the passes, not {PASSES_VERSION}.")
    return Passes(**arrays).validate()
