"""What a packet says of one face, whatever app sent it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..exchange.names import arkit_name

#: Bytes of the largest packet that is looked at: twice those of any app seen.
LARGEST = 16_384
#: The most names of one packet, and characters of a subject's name.
MOST_NAMES, LONGEST_NAME = 400, 64


class Malformed(Exception):
    """The bytes are no packet of a kind that is known."""


@dataclass(frozen=True, eq=False)
class FacePacket:
    """One face at one moment."""

    subject: str  #: how the sender calls it
    #: 0..1 by ARKit's names; empty where the app says that it sees no face
    weights: dict[str, float]
    rotation: NDArray[np.float64] | None = None  #: (3, 3) head to camera, as of ``Motion``
    time: float | None = None  #: seconds by the sender's clock; None: it tells none
    rate: float | None = None  #: the sender's frames a second, where it tells them


def plain_subject(name: str) -> str:
    """``name`` without what cannot be printed, and no longer than :data:`LONGEST_NAME`."""
    kept = "".join(c for c in name if c.isprintable())[:LONGEST_NAME].strip()
    return kept or "face"


def known_weights(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Those of ``pairs`` that ARKit has, in whatever spelling, held between 0 and 1.

    Raises :class:`Malformed` where a value is no finite number, or there are too many names.
    """
    found: dict[str, float] = {}
    for count, (name, value) in enumerate(pairs):
        if count >= MOST_NAMES:
            raise Malformed("too many names")
        if not math.isfinite(value):
            raise Malformed("a weight is no finite number")
        known = arkit_name(name)
        if known is not None:
            found[known] = min(max(value, 0.0), 1.0)
    return found
