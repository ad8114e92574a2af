"""sRGB: its transfer curve (IEC 61966-2-1) and the luminance of its primaries; numpy only.

In torch: :mod:`..differentiable.srgb`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: ``code = SLOPE * linear`` up to ``LINEAR_END``, which is ``CODE_END``; beyond it
#: ``code = (1 + OFFSET) * linear ** (1 / EXPONENT) - OFFSET``.
LINEAR_END, CODE_END = 0.0031308, 0.04045
SLOPE, OFFSET, EXPONENT = 12.92, 0.055, 2.4

#: (3,) share of red, green and blue linear light in the luminance (ITU-R BT.709).
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def encode(linear: NDArray) -> NDArray:
    """Linear light as sRGB values 0..1, of the same shape and dtype; cut to 0..1 before."""
    linear = np.clip(linear, 0, 1)
    curve = (1 + OFFSET) * linear ** (1 / EXPONENT) - OFFSET
    return np.where(linear <= LINEAR_END, SLOPE * linear, curve)


def decode(code: NDArray) -> NDArray:
    """sRGB values 0..1 as linear light, of the same shape and dtype.

    What lies outside follows the curve's own two pieces: negative values stay negative.
    """
    curve = ((np.maximum(code, CODE_END) + OFFSET) / (1 + OFFSET)) ** EXPONENT
    return np.where(code <= CODE_END, code / SLOPE, curve)


def encode_bytes(linear: NDArray) -> NDArray[np.uint8]:
    """Linear light as the nearest sRGB bytes."""
    return np.rint(encode(linear) * 255).astype(np.uint8)


#: (256,) float32: linear light of every sRGB byte.
SRGB_TO_LINEAR: NDArray[np.float32] = decode(np.arange(256) / 255).astype(np.float32)


def luminance(linear: NDArray) -> NDArray:
    """(...) of linear-light colours (..., 3), in their dtype."""
    return linear @ LUMINANCE.astype(linear.dtype)


def from_primaries(
    red: tuple[float, float], green: tuple[float, float], blue: tuple[float, float]
) -> NDArray[np.float64]:
    """(3, 3) linear light of the primaries with these chromaticities x, y to that of sRGB's.

    The white of both is D65; columns by SMPTE RP 177.
    """
    own = _to_xyz(red, green, blue)
    return np.linalg.solve(_to_xyz((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)), own)


def _to_xyz(*primaries: tuple[float, float]) -> NDArray[np.float64]:
    """(3, 3) linear light to CIE XYZ, D65 at Y = 1."""
    x, y = np.array([*primaries, (0.3127, 0.3290)]).T
    columns = np.stack([x / y, np.ones(4), (1 - x - y) / y])
    return columns[:, :3] * np.linalg.solve(columns[:, :3], columns[:, 3])
