"""Numbers of a .glb in 8 or 16 bits, as glTF's extension KHR_mesh_quantization has them.

Every number is a whole multiple of a fixed step between -1 and 1 (coordinates in the texture:
between 0 and 1), so nothing has to be undone by a scale of the node: positions stay metres.  What
does not fit that range stays as it is, in 32 bits.  Half a step is what a number is off at most:

* positions and what shapes add to them: 0.0153 mm along each axis;
* normals: 0.0015 degrees; what shapes add to them: 0.39 degrees, less where they are half on;
* texture coordinates: a 130,000th of the texture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NAME = "KHR_mesh_quantization"

_FLOAT = 5126
#: By numpy's name: glTF's number of the type, and how many steps 1 is.
_TYPES = {"i1": (5120, 127), "<i2": (5122, 32767), "<u2": (5123, 65535)}
#: By the attribute's name without its number, those of a surface at rest and those of its shapes.
_RESTING = {"POSITION": "<i2", "NORMAL": "<i2", "TEXCOORD": "<u2"}
_MOVING = {"POSITION": "<i2", "NORMAL": "i1"}


@dataclass(frozen=True)
class Stored:
    """Numbers as an accessor has them."""

    values: NDArray  #: (N, width), of the accessor's type
    component: int = _FLOAT  #: glTF's number of the type

    @property
    def rounded(self) -> bool:
        """Whether the values are steps, not the numbers themselves."""
        return self.component != _FLOAT

    @property
    def element(self) -> int:
        """How many bytes the values of one vertex have."""
        return self.values.shape[1] * self.values.itemsize

    @property
    def stride(self) -> int:
        """How many bytes a vertex takes: glTF wants them to be a multiple of 4."""
        return -(-self.element // 4) * 4

    def dense(self) -> bytes:
        """The bytes of all vertices, ``stride`` for each."""
        rows = np.zeros((len(self.values), self.stride), np.uint8)
        rows[:, : self.element] = np.ascontiguousarray(self.values).view(np.uint8)
        return rows.tobytes()


def rest(key: str, values: NDArray) -> Stored:
    """(N, width) float32 ``values`` of the attribute ``key``, rounded if that is known to do."""
    return _stored(_RESTING.get(key.partition("_")[0]), values)


def change(key: str, values: NDArray) -> Stored:
    """(N, 3) float32 what a shape adds to the attribute ``key``, as :func:`rest`."""
    return _stored(_MOVING.get(key), values)


def _stored(kind: str | None, values: NDArray) -> Stored:
    if kind is None:
        return Stored(values)
    component, steps = _TYPES[kind]
    found = np.round(values.astype(np.float64) * steps)
    if not (np.abs(found) <= steps).all() or (kind == "<u2" and (found < 0).any()):
        return Stored(values)
    return Stored(found.astype(kind), component)
