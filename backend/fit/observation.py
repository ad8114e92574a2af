"""What a refinement goes by, where it starts, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import Camera
from .noise import LandmarkNoise
from .prior import Prior

Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Observation:
    """One face in a photo.  Pixels count from the centre of the top-left one."""

    image: NDArray[np.uint8]  #: (S, S, 3) sRGB, the face's crop
    to_photo: Double  #: (3, 3) pixels of ``image`` to pixels of the photo (:class:`~..align.Crop`)
    image_size: tuple[int, int]  #: (width, height) of the photo
    grey: bool = False  #: the photo has no colour
    landmarks: Double | None = None  #: (68, 2) detected, photo pixels
    noise: LandmarkNoise | None = None  #: how they err; independent points unless given
    spread: float | None = None  #: how far the detector's votes disagreed
    network_landmarks: Double | None = None  #: (68, 2) of the network's head, photo pixels
    network_sigma: Double | None = None  #: (68,) their expected error in photo pixels
    covered: NDArray[np.bool_] | None = None  #: (S, S) where ``image`` shows what covers the face
    lips_touch: bool = False  #: the mouth is seen to be shut
    lids: Double | None = None  #: (2, 2, 2) photo pixels, as :mod:`.lids` has them

    @property
    def valid(self) -> NDArray[np.bool_]:
        """(S, S) True where the crop shows the photo, not its padding, nor what covers the face."""
        side = len(self.image)
        x, y = np.meshgrid(np.arange(side), np.arange(side))
        at = np.stack([x, y, np.ones_like(x)], -1) @ self.to_photo.T
        inside = ((at[..., :2] >= 0) & (at[..., :2] <= np.array(self.image_size) - 1)).all(-1)
        return inside if self.covered is None else inside & ~self.covered


@dataclass(frozen=True, eq=False)
class State:
    """A head in front of the photo's camera."""

    camera: Camera  #: of the whole photo
    identity: Double  #: (K,) standard deviations
    expression: Double  #: (E,) within ``model.expression_range``
    albedo: Double | None = None  #: (A,) standard deviations; None: not known yet
    sh_light: Double | None = None  #: (9, 3) head coordinates; None: not known yet

    def holding(self, identity: NDArray) -> State:
        """With ``identity`` (K,)."""
        return replace(self, identity=np.asarray(identity, np.float64))


@dataclass(frozen=True, eq=False)
class Beginning:
    """Where a refinement on one photo starts, and what it leans on."""

    start: State
    prior: Prior
    focal_known: bool  #: the focal length of ``start`` is EXIF's
    source: str  #: "network" or "landmarks"

    def holding(self, identity: NDArray) -> Beginning:
        """Knowing that the identity is ``identity`` (K,)."""
        start, prior = self.start.holding(identity), self.prior.holding(identity)
        return replace(self, start=start, prior=prior)


@dataclass(frozen=True, eq=False)
class Refined:
    """What :func:`~.refine` found."""

    state: State
    landmarks68: NDArray[np.int32]  #: (68,) vertex ids as seen in this view
    energy_before: dict[str, float]  #: by term: landmarks, network, photo, prior
    energy_after: dict[str, float]
    inlier: float  #: 0..1 share of the visible skin that the result explains; 1 if not looked at
    residual: float  #: typical log residual of the photo there; 0 if not looked at
    weights: NDArray[np.float32] = field(repr=False)  #: (S, S) 0..1 belief in the crop's pixels
    steps: int = 0
    improved: bool = False  #: False: the start was the best there is
