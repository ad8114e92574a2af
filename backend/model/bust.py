"""Neck, shoulders and upper chest that continue the default face model below its neck.

Built by ``tools/build_bust`` from the same CC0 body.  A bust hangs on the head's neck loop, whose
vertices it shares, and moves with the identity alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import Member, check_arrays, check_range, read_npz
from ..bounded import Damaged, short
from ..errors import ModelError
from ..kept import kept
from .face_model import FaceModel, mixed
from .load import ASSETS

Float = NDArray[np.float32]
Int = NDArray[np.int32]

BUST_FILE = ASSETS / "bust.npz"
#: Axes: L vertices of the neck loop, B of the bust, M of both, K components, Q quads.
_ARRAYS = {
    "ring": Member("i4", ("L",)),
    "ring_mean": Member("f4", ("L", 3)),
    "mean": Member("f4", ("B", 3)),
    "identity_basis": Member("f4", ("K", "B", 3)),
    "polygons": Member("i4", ("Q", 4)),
    "uv": Member("f4", ("M", 2)),
}
#: How far the neck loop of a model may be from that of the bust, mm: rounding.
_SAME_MM = 0.01


@dataclass(frozen=True, eq=False)
class Bust:
    """R rows of L vertices, B = R L, below a neck loop of L; head axes, mm."""

    ring: Int  #: (L,) the face model's vertices that the bust hangs on, from the nape to the left
    ring_mean: Float  #: (L, 3) where they are on the mean head
    mean: Float  #: (B, 3) row by row from the neck down, each in the order of ``ring``
    identity_basis: Float  #: (K, B, 3) mm per standard deviation of the face model's components
    polygons: Int  #: (Q, 4) outward counter-clockwise, into the ring and the bust after it
    uv: Float  #: (L + B, 2) in a texture of its own, v up: circles about its middle

    def vertices(self, identity: NDArray) -> Float:
        """(B, 3) float32 mm for the face model's coefficients ``identity`` (K,)."""
        return (self.mean + mixed(identity, self.identity_basis)).astype(np.float32)

    def polygons_after(self, count: int) -> Int:
        """(Q, 4) the polygons of the bust appended to a head of ``count`` vertices."""
        ids = np.r_[self.ring, np.arange(count, count + len(self.mean))]
        return ids.astype(np.int32)[self.polygons]

    @property
    def radii(self) -> Float:
        """(R + 1,) of the rows in the texture, the neck loop's first, in parts of its side."""
        return np.hypot(*(self.uv[:: len(self.ring)] - 0.5).T).astype(np.float32)

    def check(self, model: FaceModel) -> None:
        """Raise :class:`..bounded.Damaged` where the arrays do not fit each other or ``model``."""
        lengths = check_arrays({name: getattr(self, name) for name in _ARRAYS}, _ARRAYS)
        rows, rest = divmod(lengths["B"], lengths["L"])
        if rest or rows < 1 or lengths["M"] != lengths["L"] + lengths["B"]:
            raise Damaged("its rows are not as long as the neck loop")
        check_range("polygons", self.polygons, lengths["M"])
        check_range("ring", self.ring, len(model.mean))
        gap = np.abs(model.mean[self.ring] - self.ring_mean).max()
        if lengths["K"] != len(model.identity_basis) or not gap <= _SAME_MM:
            raise Damaged("it was made for another face model")


@kept(maxsize=1)
def load_bust(model: FaceModel) -> Bust:
    """The bust of the default face model, which ``model`` is.

    Raises :class:`ModelError` where the file is missing or damaged, or ``model`` is another.
    """
    try:
        bust = Bust(**read_npz(BUST_FILE, _ARRAYS))
        bust.check(model)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"The bust {BUST_FILE.name} does not go with the face model {model.name} or is damaged "
            f"({short(error)}); reconstruct without it, or install the add-on again."
        ) from error
    return bust
