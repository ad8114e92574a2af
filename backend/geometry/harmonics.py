"""The spherical harmonics that ``Reconstruction.sh_light`` multiplies; numpy only.

Second-order irradiance: Ramamoorthi and Hanrahan 2001, "An Efficient Representation for Irradiance
Environment Maps".  In torch: :mod:`..differentiable.shading`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Y_0: a white light of irradiance 1 everywhere is ``sh_light[0] = 1 / SH_CONSTANT``.
SH_CONSTANT = 0.282095
#: (9,) by how much the clamped cosine, over pi, dims each harmonic of the incoming light (eq. 8).
COSINE_FACTORS = np.array([1.0] + 3 * [2 / 3] + 5 * [1 / 4])


def sh_terms(x: Any, y: Any, z: Any) -> list[Any]:
    """The nine harmonics at (x, y, z), arrays or tensors of one shape.

    Y = 0.282095, 0.488603 (y, z, x), 1.092548 (xy, yz), 0.315392 (3 z^2 - 1), 1.092548 xz,
    0.546274 (x^2 - y^2): eq. 3.
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


def sh_basis(normals: NDArray) -> NDArray:
    """(..., 9) real spherical harmonics of unit ``normals`` (..., 3), bands 0 to 2; their dtype."""
    return np.stack(sh_terms(normals[..., 0], normals[..., 1], normals[..., 2]), axis=-1)


def sh_gradient(normals: NDArray) -> NDArray:
    """(..., 9, 3) derivative of :func:`sh_basis` by x, y and z of the ``normals`` (..., 3)."""
    x, y, z = normals[..., 0], normals[..., 1], normals[..., 2]
    nothing = np.zeros_like(x)
    constant = [nothing + value for value in (0.488603, 1.092548, 6 * 0.315392, 2 * 0.546274)]
    one, two, three, four = constant
    rows = [
        (nothing, nothing, nothing),
        (nothing, one, nothing),
        (nothing, nothing, one),
        (one, nothing, nothing),
        (two * y, two * x, nothing),
        (nothing, two * z, two * y),
        (nothing, nothing, three * z),
        (two * z, nothing, two * x),
        (four * x, -four * y, nothing),
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def shade(normals: NDArray, sh_light: NDArray) -> NDArray:
    """(..., 3) factor of the linear-light albedo: max(0, sum_i Y_i(n) sh_light[i]).

    ``normals`` (..., 3) unit, in the frame of ``sh_light`` (9, 3): head coordinates.  The dtype is
    that of ``normals``.
    """
    return np.maximum(sh_basis(normals) @ np.asarray(sh_light, normals.dtype), 0)


def fibonacci_sphere(count: int) -> NDArray[np.float64]:
    """(count, 3) unit vectors spread evenly (Gonzalez 2010, "Measurement of areas on a sphere")."""
    i = np.arange(count) + 0.5
    height, turn = 1 - 2 * i / count, np.pi * (1 + np.sqrt(5.0)) * i
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.sin(turn), height, radius * np.cos(turn)], axis=1)
