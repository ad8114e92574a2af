"""The ``Motion`` dataclass: how a head moves over time, and its file.

Conventions are those of :mod:`.reconstruction`: head to camera, millimetres, OpenCV axes.  Numpy
only, because both sides of the exchange import it.  The file is an ``.npz`` without pickle: the
arrays under the names of the fields, ``names`` as text, the rest as UTF-8 JSON in ``header``.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ExchangeError
from .npz import EXCHANGE_FORMAT, read_arrays, write_arrays

MOTION_FORMAT = "reconstruct_face.motion"
MOTION_VERSION = 1

#: How far a matrix may be from a rotation, as the largest entry of ``R R^T - 1``.
_ORTHOGONAL = 1e-3


@dataclass(frozen=True, eq=False)
class Motion:
    """N frames of E weights and of the head's pose.

    ``header`` holds what else is known, as JSON takes it: ``source`` (file), ``model`` (name of the
    face model the names belong to), ``audio`` (file with the sound), ``notes`` (sentences),
    ``timecode`` (of the first frame, text), and ``camera_matrix`` (3 lists of 3, pixels) with
    ``image_size`` where the pose was seen by a camera.
    """

    times: NDArray[np.float64]  #: (N,) seconds from the clip's start, increasing
    names: tuple[str, ...]  #: E shape key names
    weights: NDArray[np.float32]  #: (N, E)
    rotation: NDArray[np.float64] | None = None  #: (N, 3, 3) head to camera
    translation: NDArray[np.float64] | None = None  #: (N, 3) head to camera, mm
    valid: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))
    """(N,) False where the face was lost and the frame is interpolated; all True unless given."""
    frame_rate: float = 30.0  #: frames a second, nominal
    header: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Bring the arrays to their types and check them.

        Raises :class:`ExchangeError` naming what does not fit.
        """
        kinds: dict[str, Any] = {
            "times": np.float64,
            "weights": np.float32,
            "rotation": np.float64,
            "translation": np.float64,
            "valid": np.bool_,
        }
        if not np.size(self.valid):
            object.__setattr__(self, "valid", np.ones(len(self.times), bool))
        object.__setattr__(self, "names", tuple(str(name) for name in self.names))
        for name, kind in kinds.items():
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, np.asarray(value, kind))
        self._check()

    def _check(self) -> None:
        n, e = self.times.size, len(self.names)
        if not n:
            raise ExchangeError("The motion has no frames.")
        expected: dict[str, tuple[int, ...]] = {
            "times": (n,),
            "weights": (n, e),
            "rotation": (n, 3, 3),
            "translation": (n, 3),
            "valid": (n,),
        }
        for name, shape in expected.items():
            found = getattr(self, name)
            if found is None:
                continue
            if found.shape != shape:
                raise ExchangeError(f"'{name}' has shape {found.shape} where {shape} is expected.")
            if not np.isfinite(found).all():
                raise ExchangeError(f"'{name}' holds values that are not finite.")
        twice = {name for name in self.names if self.names.count(name) > 1}
        if twice:
            raise ExchangeError(f"'names' has {sorted(twice)[0]!r} more than once.")
        if (np.diff(self.times) <= 0).any():
            at = int(np.argmax(np.diff(self.times) <= 0)) + 1
            raise ExchangeError(f"'times' does not increase at frame {at}.")
        if not (np.isfinite(self.frame_rate) and self.frame_rate > 0):
            raise ExchangeError(f"'frame_rate' is {self.frame_rate}, not a positive number.")
        if self.rotation is not None:
            gap = np.abs(self.rotation @ self.rotation.transpose(0, 2, 1) - np.eye(3))
            bad = (gap.max(axis=(1, 2)) > _ORTHOGONAL) | (np.linalg.det(self.rotation) < 0)
            if bad.any():
                raise ExchangeError(f"'rotation' of frame {int(np.argmax(bad))} is no rotation.")

    @property
    def duration(self) -> float:
        """Seconds from the first to the last frame."""
        return float(self.times[-1] - self.times[0])

    def lost_ranges(self) -> list[tuple[int, int]]:
        """First and last index of each run of frames that are not ``valid``."""
        edges = np.flatnonzero(np.diff(np.concatenate([[True], self.valid, [True]]).astype(int)))
        return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def save_motion(path: str | os.PathLike[str], motion: Motion) -> Path:
    """Write ``motion`` to the ``.npz`` ``path`` (beside it first, then renamed) and return it.

    Raises :class:`OutputError` when the file cannot be written; nothing is left behind then.
    """
    header = {
        "format": MOTION_FORMAT,
        "version": MOTION_VERSION,
        "frame_rate": float(motion.frame_rate),
        "about": motion.header,
    }
    arrays: dict[str, Any] = {
        "times": motion.times,
        "names": np.array(motion.names, dtype=np.str_),
        "weights": motion.weights,
        "valid": motion.valid,
        "header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
    }
    for name in ("rotation", "translation"):
        if getattr(motion, name) is not None:
            arrays[name] = getattr(motion, name)
    return write_arrays(path, arrays, compress=True)


def load_motion(path: str | os.PathLike[str]) -> Motion:
    """Read what :func:`save_motion` wrote.

    Raises :class:`ExchangeError` when ``path`` is missing, damaged, of another kind or version.
    """
    arrays, header = read_arrays(path, "motion")
    if header.get("format") != MOTION_FORMAT:
        if header.get("format") == EXCHANGE_FORMAT:
            raise ExchangeError(f"{path} holds a head, not a motion; choose a motion file.")
        raise ExchangeError(f"{path} is not a motion file.")
    if header.get("version") != MOTION_VERSION:
        raise ExchangeError(
            f"{path} has motion version {header.get('version')}; this add-on reads version "
            f"{MOTION_VERSION}. Make the motion again."
        )
    missing = [name for name in ("times", "names", "weights", "valid") if name not in arrays]
    missing += [name for name in ("frame_rate", "about") if name not in header]
    if missing:
        raise ExchangeError(f"{path} lacks {', '.join(missing)}; make the motion again.")
    try:
        return Motion(
            times=arrays["times"],
            names=tuple(str(name) for name in arrays["names"]),
            weights=arrays["weights"],
            rotation=arrays.get("rotation"),
            translation=arrays.get("translation"),
            valid=arrays["valid"],
            frame_rate=float(header["frame_rate"]),
            header=dict(header["about"]),
        )
    except (TypeError, ValueError) as error:
        raise ExchangeError(f"{path} is not a motion file, or is damaged.") from error
