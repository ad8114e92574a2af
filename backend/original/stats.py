"""``stats_80k.npz`` and what the original's 240 outputs mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from ..model.importing.checks import deviations, flat
from ..model.importing.piece import CALLED, STATS
from ..model.importing.recognise import recognise

Double = NDArray[np.float64]

#: Name in the file, first and one past the last of the outputs.
SLICES = {
    "Pose": (0, 6),
    "Shape": (6, 106),
    "Exp": (106, 185),
    "Color": (185, 191),
    "Illum": (191, 200),
    "Tex": (200, 240),
}
COUNT = 240
CONTRAST = 1.0  #: the seventh of the colour values, a constant
PHONG_EXPONENT = 20.0  #: the tenth of the light's values, a constant


@dataclass(frozen=True, eq=False)
class Stats:
    """What the outputs were normalised with: value = output * std + mean."""

    mean: Double  #: (240,)
    std: Double  #: (240,)


@dataclass(frozen=True, eq=False)
class Coefficients:
    """One face as the original tells it, in the units of its files."""

    pose: Double  #: (6,) pitch, yaw, roll in radians; tx, ty in pixels; pixels per micrometre
    shape: Double  #: (100,) of shapePC
    expression: Double  #: (79,) of expPC
    colour: Double  #: (7,) gain r, g, b; offset r, g, b; contrast
    illumination: Double  #: (10,) ambient r, g, b; directional r, g, b; theta, phi; specular; 20
    texture: Double  #: (40,) of texPC

    def to_dict(self) -> dict[str, list[float]]:
        """As JSON holds it."""
        return {name: np.asarray(values).tolist() for name, values in vars(self).items()}


def read_stats(path: str | Path) -> Stats:
    """``stats_80k.npz``.  Raises :class:`ModelError`: another file, other lengths, no numbers."""
    piece = recognise(Path(path))
    if piece.kind != STATS:
        raise ModelError(f"{piece.name} is {CALLED[piece.kind]}; stats_80k.npz is wanted.")
    parts = []
    for end in ("mean", "std"):
        values = []
        for name, (first, last) in SLICES.items():
            key = f"{name}_Para_{end}"
            values.append(flat(piece.fields, key, last - first, piece.name))
            if end == "std":
                deviations(values[-1], key, piece.name)
        parts.append(np.concatenate(values))
    return Stats(*parts)


def split(outputs: NDArray, stats: Stats, image_size: int = 224) -> Coefficients:
    """The network's ``outputs`` (240,) as coefficients.

    tx, ty and scale were divided by the picture's size before they were normalised.
    """
    if np.shape(outputs) != (COUNT,):
        raise ValueError(f"outputs is {np.shape(outputs)}; ({COUNT},) is expected.")
    values = np.asarray(outputs, np.float64) * stats.std + stats.mean
    part = {name: values[first:last] for name, (first, last) in SLICES.items()}
    pose = part["Pose"] * np.array([1, 1, 1, image_size, image_size, image_size])
    return Coefficients(
        pose=pose,
        shape=part["Shape"],
        expression=part["Exp"],
        colour=np.append(part["Color"], CONTRAST),
        illumination=np.append(part["Illum"], PHONG_EXPONENT),
        texture=part["Tex"],
    )
