"""Turns of a head in Unity's axes: x to the head's right, y up, z forward, left-handed.

The head's own axes here have x to its left, so Unity's are the mirror image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.rotation import FACING, about, from_quaternions, to_quaternions

Double = NDArray[np.float64]


def from_euler(x: float, y: float, z: float) -> Double:
    """(3, 3) head to camera of Unity's angles in degrees: about z first, then x, then y."""
    a, b, c = np.radians([x, -y, -z])
    return FACING @ about(b, 1) @ about(a, 0) @ about(c, 2)


def from_quaternion(x: float, y: float, z: float, w: float) -> Double:
    """(3, 3) head to camera of Unity's quaternion."""
    return FACING @ from_quaternions(np.array([[w, x, -y, -z]], np.float64))[0]


def to_quaternion(rotation: NDArray) -> tuple[float, float, float, float]:
    """x, y, z, w in Unity's axes of ``rotation`` (3, 3) head to camera: what
    :func:`from_quaternion` reads."""
    w, x, y, z = to_quaternions((FACING.T @ rotation)[None])[0].tolist()
    return x, -y, -z, w
