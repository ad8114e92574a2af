"""A user's mesh on its way to the backend, and its expressions on their way back: two ``.npz``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..arrays import Member, check_range, read_npz
from ..bounded import reading
from ..errors import ExchangeError

#: The landmarks that a user sets, and iBUG's number of each; right is the head's own.
LANDMARKS = {
    "Right Eye Outer Corner": 36,
    "Right Eye Inner Corner": 39,
    "Left Eye Inner Corner": 42,
    "Left Eye Outer Corner": 45,
    "Nose Bridge": 27,
    "Nose Tip": 30,
    "Right Mouth Corner": 48,
    "Left Mouth Corner": 54,
    "Upper Lip Top": 51,
    "Lower Lip Bottom": 57,
    "Chin": 8,
}
_MESH = {
    "vertices": Member("f8", ("V", 3), finite=False),
    "triangles": Member("i4", ("F", 3)),
    "landmarks": Member("f8", ("N", 3)),
    "landmark_ids": Member("i4", ("N",)),
}
_SHAPES = {"shapes": Member("f4", ("E", "V", 3)), "landmarks": Member("f8", (68, 3))}


@dataclass(frozen=True, eq=False)
class UsersMesh:
    """V vertices and F triangles in any unit and axes, N of its landmarks, or none."""

    vertices: NDArray[np.float64]  #: (V, 3)
    triangles: NDArray[np.int32]  #: (F, 3)
    landmarks: NDArray[np.float64]  #: (N, 3)
    landmark_ids: NDArray[np.int32]  #: (N,) of iBUG's 68

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it, uncompressed: it is read next."""
        np.savez(
            path,
            vertices=np.asarray(self.vertices, np.float64),
            triangles=np.asarray(self.triangles, np.int32),
            landmarks=np.asarray(self.landmarks, np.float64).reshape(-1, 3),
            landmark_ids=np.asarray(self.landmark_ids, np.int32),
        )
        return Path(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> UsersMesh:
        """Read what :meth:`save` wrote.  Raises :class:`ExchangeError` where it is damaged."""
        with reading(ExchangeError, Path(path), "a mesh"):
            found = read_npz(path, _MESH)
            check_range("triangles", found["triangles"], len(found["vertices"]))
            check_range("landmark_ids", found["landmark_ids"], 68)
        return cls(**{name: found[name] for name in _MESH})


def save_shapes(path: str | os.PathLike[str], shapes: NDArray, landmarks: NDArray) -> Path:
    """Write ``shapes`` (E, V, 3) and ``landmarks`` (68, 3) of a mesh, in its axes and unit."""
    np.savez(path, shapes=np.asarray(shapes, np.float32), landmarks=np.asarray(landmarks, float))
    return Path(path)


def load_shapes(
    path: str | os.PathLike[str],
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """What :func:`save_shapes` wrote.  Raises :class:`ExchangeError` where it is damaged."""
    with reading(ExchangeError, Path(path), "expressions of a mesh"):
        found = read_npz(path, _SHAPES)
    return found["shapes"], found["landmarks"]
