"""A face that is heard: against its rest, with gains; and what was heard as a ``Motion``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..exchange.motion import Motion
from ..exchange.names import ARKIT
from ..geometry.rotation import FACING
from ..motion import timecode
from .packet import FacePacket

#: Rates that apps send at, for the nominal rate of a recording.
_RATES = np.array([24, 25, 30, 48, 50, 60, 90, 100, 120], np.float64)
#: A weight that rests above this would be magnified beyond sense.
_MOST_REST = 0.8


@dataclass(frozen=True, eq=False)
class Calibration:
    """What a face does while it rests."""

    rest: Mapping[str, float] = field(default_factory=dict)
    facing: NDArray[np.float64] | None = None  #: (3, 3) head to camera at rest

    @classmethod
    def at(cls, packet: FacePacket) -> Calibration:
        """That ``packet`` shows the face at rest, straight ahead."""
        rest = {name: min(value, _MOST_REST) for name, value in packet.weights.items()}
        return cls(rest, packet.rotation)

    def weights(
        self, packet: FacePacket, gains: Mapping[str, float] | None = None
    ) -> dict[str, float]:
        """Its weights: none at rest, 1 where they were 1, times their ``gains``, at most 1."""
        gains = gains or {}
        out = {}
        for name, value in packet.weights.items():
            rest = self.rest.get(name, 0.0)
            moved = max(value - rest, 0.0) / (1 - rest)
            out[name] = min(moved * gains.get(name, 1.0), 1.0)
        return out

    def rotation(self, packet: FacePacket) -> NDArray[np.float64] | None:
        """(3, 3) its turn, straight ahead at rest."""
        if packet.rotation is None or self.facing is None:
            return packet.rotation
        return FACING @ self.facing.T @ packet.rotation


class Recorder:
    """The frames of one face, to be a :class:`Motion`."""

    def __init__(self, source: str, *, of_day: bool = False) -> None:
        """``source`` says whose they are; ``of_day``: their times are seconds of the day."""
        self.source, self.of_day = source, of_day
        self._frames: dict[float, tuple[dict[str, float], NDArray[np.float64] | None]] = {}

    def __len__(self) -> int:
        return len(self._frames)

    def take(
        self, time: float, weights: dict[str, float], rotation: NDArray[np.float64] | None
    ) -> None:
        """A frame, in whatever order; the first one of a time counts.

        Without ``weights`` the face is not seen.
        """
        self._frames.setdefault(time, (weights, rotation))

    def motion(self) -> Motion:
        """What was recorded: times from its first frame, gaps filled by what was before.

        Raises :class:`ExchangeError` where nothing was.
        """
        times = np.array(sorted(self._frames), np.float64)
        found = [self._frames[time] for time in times]
        there = set().union(*(weights for weights, _ in found)) if found else set()
        names = tuple(name for name in ARKIT if name in there)
        values = np.zeros((len(times), len(names)), np.float32)
        turns = np.tile(FACING, (len(times), 1, 1))
        last, turn = np.zeros(len(names), np.float32), FACING
        for row, (weights, rotation) in enumerate(found):
            last = np.array(
                [weights.get(name, before) for name, before in zip(names, last, strict=True)],
                np.float32,
            )
            turn = turn if rotation is None else rotation
            values[row], turns[row] = last, turn
        rate = _rate(times)
        about = {"source": self.source}
        if self.of_day and len(times):
            about["timecode"] = timecode.to_text(float(times[0]), rate, False)
        posed = any(rotation is not None for _, rotation in found)
        return Motion(
            times - times[0] if len(times) else times,
            names,
            values,
            turns if posed else None,
            None,
            np.array([bool(weights) for weights, _ in found], bool),
            rate,
            about,
        )


def _rate(times: NDArray[np.float64]) -> float:
    """The usual rate nearest to that of ``times``."""
    if len(times) < 2:
        return 60.0
    own = 1 / max(float(np.median(np.diff(times))), 1e-3)
    return float(_RATES[np.abs(np.log(_RATES / own)).argmin()])
