"""The ``Motion`` dataclass: how a head moves over time, and its file.

Conventions are those of :mod:`.reconstruction`: head to camera, millimetres, OpenCV axes.  Numpy
only, because both sides of the exchange import it.  The file is an ``.npz`` without pickle: the
arrays under the names of the fields, ``names`` as text, the rest as UTF-8 JSON in ``header``.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Member, open_npz
from ..bounded import checked, reading
from ..errors import ExchangeError
from .npz import EXCHANGE_FORMAT, read_about, write_arrays
from .views import ORTHOGONAL

MOTION_FORMAT = "reconstruct_face.motion"
MOTION_VERSION = 1

#: What the arrays of the file have to be: N frames, E shape keys.
ARRAYS = {
    "times": Member("f8", ("N",)),
    "names": Member("U", ("E",)),
    "weights": Member("f4", ("N", "E")),
    "valid": Member("?", ("N",)),
    "rotation": Member("f8", ("N", 3, 3), optional=True),
    "translation": Member("f8", ("N", 3), optional=True),
}
#: Kinds of what :attr:`Motion.header` may hold (:func:`..bounded.fits`).
ABOUT = {
    "source": str,
    "model": str,
    "audio": str,
    "notes": [str],
    "timecode": str,
    "camera_matrix": ((float,) * 3,) * 3,
    "image_size": (int, int),
}
#: Bytes of the arrays: three hours of 60 frames a second with 52 weights and a pose have 213 MB.
LARGEST = 400_000_000
#: Seconds that no clock has shown, and frames a second that no camera has made: an index of a frame
#: counted with them must fit into 64 bits.
_MOST_SECONDS, _MOST_RATE = 1e10, 1e5


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
        twice = [name for name, count in Counter(self.names).items() if count > 1]
        if twice:
            raise ExchangeError(f"'names' has {min(twice)!r} more than once.")
        if np.abs(self.times).max() > _MOST_SECONDS:
            raise ExchangeError("'times' holds seconds beyond reason.")
        if (np.diff(self.times) <= 0).any():
            at = int(np.argmax(np.diff(self.times) <= 0)) + 1
            raise ExchangeError(f"'times' does not increase at frame {at}.")
        if not 0 < self.frame_rate <= _MOST_RATE:
            raise ExchangeError(f"'frame_rate' is {self.frame_rate}, not a positive number.")
        if self.rotation is not None:
            gap = np.abs(self.rotation @ self.rotation.transpose(0, 2, 1) - np.eye(3))
            bad = (gap.max(axis=(1, 2)) > ORTHOGONAL) | (np.linalg.det(self.rotation) < 0)
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
    with (
        reading(ExchangeError, path, "a motion file", "make the motion again"),
        open_npz(path) as archive,
    ):
        header = read_about(archive)
        if header.get("format") != MOTION_FORMAT:
            if header.get("format") == EXCHANGE_FORMAT:
                raise ExchangeError(f"{path} holds a head, not a motion; choose a motion file.")
            raise ExchangeError(f"{path} is not a motion file.")
        if header.get("version") != MOTION_VERSION:
            raise ExchangeError(
                f"{path} has motion version {header.get('version')!r:.20}; this add-on reads "
                f"version {MOTION_VERSION}. Make the motion again."
            )
        checked(header, {"frame_rate": float, "about": dict})
        checked(header["about"], {}, ABOUT)
        values: dict[str, Any] = dict(archive.read(ARRAYS, LARGEST))
        values["names"] = tuple(str(name) for name in values["names"])
        made = Motion(**values, frame_rate=float(header["frame_rate"]), header=header["about"])
    return made
