"""What the network's linear head says: names and slices, derived from the face model.

The original system's head has 240 numbers (6 pose, 100 shape, 79 expression, 6 colour, 9
illumination, 40 texture).  Ours is laid out in the same spirit for any :class:`FaceModel`:

==================  =====  ==========================================================
slice               count  meaning
==================  =====  ==========================================================
``rotation``        6      first two columns of ``FACING^T @ R`` (Zhou et al. 2019)
``shift``           2      x, y of the anchor in the crop, in half sides from its centre
``scale``           1      log of how many half sides 100 mm at the anchor measure
``distance``        1      log(depth of the anchor / 900 mm)
``identity``        K      standard deviations
``expression``      E      blendshape weights
``albedo``          A      standard deviations
``illumination``    27     ``sh_light`` (9, 3), row by row, head coordinates
``landmark_sigma``  68     log of the landmarks' expected error, in half sides
==================  =====  ==========================================================

The *anchor* is the middle of the mean head's inner landmarks (17..67).  The camera is the virtual
one that looks through the crop's centre: see :mod:`.crop_camera`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..model import FaceModel

#: Of the ``distance`` entry, mm.
REFERENCE_DISTANCE_MM = 900.0
#: Of the ``scale`` entry, mm.
REFERENCE_LENGTH_MM = 100.0


@dataclass(frozen=True)
class Layout:
    """Sizes of the parts for a model with K identity, E expression, A albedo components."""

    identity: int
    expression: int
    albedo: int

    @classmethod
    def of(cls, model: FaceModel) -> Layout:
        """The layout for ``model``."""
        return cls(len(model.identity_basis), len(model.expression_basis), len(model.albedo_basis))

    @cached_property
    def counts(self) -> dict[str, int]:
        """Part name to its number of entries, in order."""
        return {
            "rotation": 6,
            "shift": 2,
            "scale": 1,
            "distance": 1,
            "identity": self.identity,
            "expression": self.expression,
            "albedo": self.albedo,
            "illumination": 27,
            "landmark_sigma": 68,
        }

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Part name to its place in the vector."""
        found, start = {}, 0
        for name, count in self.counts.items():
            found[name] = slice(start, start + count)
            start += count
        return found

    @property
    def size(self) -> int:
        """Entries of the whole vector."""
        return sum(self.counts.values())

    @property
    def label_size(self) -> int:
        """Entries that a picture with known coefficients has: all but ``landmark_sigma``."""
        return self.size - self.counts["landmark_sigma"]

    def split(self, vector: NDArray) -> dict[str, NDArray]:
        """(..., size) or (..., label_size) as views by name; parts beyond its end are left out."""
        width = vector.shape[-1]
        return {name: vector[..., s] for name, s in self.slices.items() if s.stop <= width}


def anchor_of(model: FaceModel) -> NDArray[np.float64]:
    """(3,) mm, head coordinates: the middle of the mean head's landmarks 17..67."""
    corners = model.mean[model.landmarks68_triangles[17:]].astype(np.float64)
    return np.einsum("lc,lcx->x", model.landmarks68_barycentric[17:], corners) / 51
