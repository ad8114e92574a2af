"""iFacialMocap and Facemotion3D: a line of text a frame, to port 49983.

``name-value|`` or, in its second version, ``name&value|`` with values from 0 to 100, then
``=head#`` with three angles in degrees and a position, and ``rightEye#`` and ``leftEye#``
(ifacialmocap.com, "for developer").  The app sends after it was asked to, at its own port.  It
tells no time.  Its angles are taken in Unity's directions, as its own receiver is one of Unity's.
"""

from __future__ import annotations

import math

import numpy as np

from .packet import FacePacket, Malformed, known_weights
from .unity import from_euler

PORT = 49983
#: What asks the app to send, in the version that tells negative values apart from the separator.
START = b"iFacialMocap_sahuasouryya9218sauhuiayeta91555dy3719|sendDataVersion=v2"
SUBJECT = "iFacialMocap"


def looks_like(data: bytes) -> bool:
    """Whether ``data`` begins as these packets do."""
    return b"|" in data and data[:1].isalpha()


def read(data: bytes) -> FacePacket:
    """The packet ``data``.  Raises :class:`Malformed`."""
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        raise Malformed("no text") from error
    pairs: list[tuple[str, float]] = []
    rotation = None
    for part in text.rstrip("|").split("|"):
        if "#" in part:
            name, _, numbers = part.lstrip("=").partition("#")
            if name == "head":
                rotation = from_euler(*_numbers(numbers)[:3])
            continue
        name, separator, value = part.partition("&" if "&" in part else "-")
        if not separator:
            raise Malformed("a part is no name with a value")
        if name in ("trackingStatus", "hapihapi"):
            continue
        pairs.append((name, _number(value) / 100))
    weights = known_weights(pairs)
    if not weights:
        raise Malformed("no weight of ARKit's")
    return FacePacket(SUBJECT, weights, rotation)


def _numbers(text: str) -> list[float]:
    found = [_number(one) for one in text.split(",")[:6]]
    if len(found) < 3 or not np.isfinite(found).all():
        raise Malformed("no three angles")
    return found


def _number(text: str) -> float:
    # Python's own parser takes "1_000" and "infinity" too.
    if len(text) > 40 or not set(text) <= set("0123456789.+-eE"):
        raise Malformed("no number")
    try:
        value = float(text)
    except ValueError as error:
        raise Malformed("no number") from error
    if not math.isfinite(value):
        raise Malformed("no finite number")
    return value
