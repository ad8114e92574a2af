"""The spherical harmonics that ``Reconstruction.sh_light`` multiplies."""

from __future__ import annotations

from typing import Any

#: Y_0: a white light of irradiance 1 everywhere is ``sh_light[0] = 1 / SH_CONSTANT``.
SH_CONSTANT = 0.282095


def sh_terms(x: Any, y: Any, z: Any) -> list[Any]:
    """The nine harmonics at (x, y, z), arrays or tensors of one shape.

    Y = 0.282095, 0.488603 (y, z, x), 1.092548 (xy, yz), 0.315392 (3 z^2 - 1), 1.092548 xz,
    0.546274 (x^2 - y^2): Ramamoorthi and Hanrahan 2001, eq. 3.
    """
    return [
        0 * x + SH_CONSTANT,
        0.488603 * y,
        0.488603 * z,
        0.488603 * x,
        1.092548 * x * y,
        1.092548 * y * z,
        0.315392 * (3 * z * z - 1),
        1.092548 * x * z,
        0.546274 * (x * x - y * y),
    ]
