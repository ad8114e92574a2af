"""What a frame's pixels and landmarks say of the expression, put together.

Three speak of each weight: the networks of eyes and mouth (:mod:`..network.regions`), which have
seen many faces and know no one; the regressor made for this person (:mod:`.appearance`), which is
finer but has only seen drawings, so that a frown's shading may move the lids; people's habits
(:class:`~..fit.prior.Prior`).  They are pooled, densities to the power of their shares (Genest and
Zidek 1986); raised and lowered brows come by their height beside (:mod:`.resting`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..fit.brows import Brows
from ..fit.expression_prior import BY_LANDMARKS
from ..fit.mouth import opening_mm
from ..fit.prior import Prior, square
from ..fit.resting import RestingBrows
from ..fit.scores import FRAME_LOOKS, FRAME_SCALES, look_at
from ..model import FaceModel
from ..network.regions import RegionReading, regions_of
from .solve import WeightPrior
from .source import Bytes

Double = NDArray[np.float64]


@dataclass(frozen=True)
class Shares:
    """How much each counts."""

    networks: float
    appearance: float
    habits: float


#: By the beginnings of the weights' names, the first that fits; raised brows are the landmarks'.
#: Chosen on labelled frames of three films and on a drawn one (docs/expressions.md).
SHARES: dict[str, Shares] = {
    "eyeWide": Shares(0.0, 0.1, 0.3),
    "eye": Shares(1.0, 0.5, 0.0),
    "browDown": Shares(0.6, 0.1, 0.3),
    "brow": Shares(0.0, 0.1, 0.3),
    "mouthSmile": Shares(1.0, 0.05, 0.1),
    "mouthPucker": Shares(1.0, 0.02, 0.1),
    "mouthFrown": Shares(1.0, 0.1, 0.1),
    "cheek": Shares(0.2, 0.5, 0.3),
    "": Shares(0.6, 0.2, 0.3),
}
#: The networks are never surer of a weight: of small ones they say 0.02.
LEAST_SIGMA = 0.1
#: Standard deviations of raised and of lowered brows as their heights have them.
RAISED_SIGMA, LOWERED_SIGMA = 0.12, 0.22
#: mm, detector's and network's opening of the lips together: shut up to the first, not from the
#: second on (one photo's limit is :data:`..fit.mouth.TOUCHING_MM`; between them it would flicker).
SHUT_MM, OPEN_MM = 6.8, 7.8


@dataclass(frozen=True, eq=False)
class Seen:
    """What the networks and the landmarks of one frame say."""

    regions: RegionReading
    brows: Brows
    shut: float  #: 0 to 1: whether the lips touch
    lids: Double | None = None  #: (2, 2, 2) pixels, as :mod:`..fit.lids` has them


class FrameReader:
    """Reads frames of a person whose resting brows are known."""

    def __init__(self, model: FaceModel, resting: RestingBrows) -> None:
        """Raises ValueError where the networks do not know ``model``'s expressions."""
        reader = regions_of(model)
        if reader is None:
            raise ValueError(f"the networks do not know the expressions of {model.name}")
        self._reader, self._brows = reader, resting.reader()

    def read(self, pixels: Bytes, marks: Double) -> Seen:
        """Of a frame (H, W, 3) uint8 and its landmarks (68, 2)."""
        look, template = (
            look_at(self._reader, pixels, marks, FRAME_LOOKS, FRAME_SCALES),
            self._reader.template,
        )
        opening = opening_mm(marks, look.regions.points, template)
        shut = float(np.clip((OPEN_MM - opening) / (OPEN_MM - SHUT_MM), 0.0, 1.0))
        brows = self._brows.read(marks, template, look.raised, look.brows)
        return Seen(look.regions, brows, shut, look.lids)


class Pool:
    """Puts together what is said of a frame; the shares are worked out once."""

    def __init__(self, model: FaceModel, apart: Double | None = None) -> None:
        """``apart`` (E,) as :func:`apart_by` has it; none unless given."""
        names = self._names = model.expression_names
        self._apart = np.zeros(len(names)) if apart is None else apart
        shares = [_share_of(name) for name in names]
        self._networks = np.array([one.networks for one in shares])
        self._appearance = np.sqrt([one.appearance for one in shares])
        habits, left = Prior.of_model(model), np.sqrt([one.habits for one in shares])
        self._habits = square(habits.expression_precision) * np.outer(left, left)
        self._pull = self._habits @ habits.expression

    def together(self, looks: WeightPrior, seen: Seen) -> WeightPrior:
        """``looks``, what :meth:`.appearance.Appearance.look` says, and ``seen``."""
        own = looks.precision * np.outer(self._appearance, self._appearance)
        pull = self._pull + own @ (looks.mean + self._apart)
        precision = self._habits + own
        told = np.zeros((2, len(self._names)))  # diagonal of a precision, and its pull
        for name, value, sigma in zip(
            seen.regions.names, seen.regions.mean, seen.regions.sigma, strict=True
        ):
            i = self._names.index(name)
            one = self._networks[i] / max(sigma, LEAST_SIGMA) ** 2
            told[:, i] += one, one * np.clip(value, 0.0, 1.0)
        for name, (value, _) in seen.brows.weights().items():
            i = self._names.index(name)
            sigma = RAISED_SIGMA if name.startswith(BY_LANDMARKS) else LOWERED_SIGMA
            told[:, i] += sigma**-2.0, sigma**-2.0 * value
        precision[np.diag_indices(len(precision))] += told[0]
        return WeightPrior(np.linalg.solve(precision, pull + told[1]), precision)


def apart_by(names: tuple[str, ...], frames: Iterable[tuple[WeightPrior, Seen]]) -> Double:
    """(E,) what is to be added to what the regressor says so that it agrees with what is seen.

    It knows how this face moves, but not from where: an expression that the texture was made with
    moves all that it says.  So the median over ``frames`` spread over the clip counts; 0 where
    nothing else is said of a weight.
    """
    found = [_said(names, seen) - looks.mean for looks, seen in frames]
    return np.nan_to_num(np.median(found, axis=0)) if found else np.zeros(len(names))


def _said(names: tuple[str, ...], seen: Seen) -> Double:
    """(E,) by networks and, of raised brows, heights; nan where neither says anything."""
    said = dict(zip(seen.regions.names, seen.regions.mean.tolist(), strict=True))
    raised = {n: v for n, (v, _) in seen.brows.weights().items() if n.startswith(BY_LANDMARKS)}
    return np.array([(said | raised).get(name, np.nan) for name in names])


def _share_of(name: str) -> Shares:
    return next(share for start, share in SHARES.items() if name.startswith(start))
