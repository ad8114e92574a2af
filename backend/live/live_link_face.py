"""Epic's Live Link Face: one packet of numbers in network byte order a frame, to port 11111.

A byte (version 6), the device's id and the subject's name as text with its length before it, frame,
part of a frame and rate (a fraction), a byte 61, and 61 float32: ARKit's 52 weights, then yaw,
pitch and roll of head, left and right eye in radians.  A packet that ends after the name says that
no face is seen.  As told by readers of the app's packets; Epic documents none of it.
"""

from __future__ import annotations

import math
import struct

from ..exchange.names import ARKIT
from ..motion.livelink import from_angles
from .packet import FacePacket, Malformed, known_weights, plain_subject

PORT = 11111
VERSION = 6
_COUNT = 61
_LONGEST_TEXT = 256
_MOST_RATE = 1000.0


def looks_like(data: bytes) -> bool:
    """Whether ``data`` begins as these packets do."""
    return len(data) > 9 and data[0] == VERSION and data[1:3] == b"\0\0"


def read(data: bytes) -> FacePacket:
    """The packet ``data``.  Raises :class:`Malformed`."""
    try:
        _, at = _text(data, 1)
        name, at = _text(data, at)
        if at == len(data):
            return FacePacket(plain_subject(name), {})
        frame, part, rate, of, count = struct.unpack_from("!ifiib", data, at)
        if count != _COUNT or len(data) != at + 17 + 4 * _COUNT:
            raise Malformed("not 61 values")
        values = struct.unpack_from(f"!{_COUNT}f", data, at + 17)
    except struct.error as error:
        raise Malformed(str(error)) from error
    if not all(map(math.isfinite, values)):
        raise Malformed("a value is no finite number")
    yaw, pitch, roll = values[len(ARKIT) : len(ARKIT) + 3]
    weights = known_weights(zip(ARKIT, values, strict=False))
    per_second = rate / of if of > 0 else 0.0
    # Some senders write whatever into the part of a frame.
    part = part if 0 <= part < 1 else 0.0
    told = 0 < per_second <= _MOST_RATE and frame >= 0
    return FacePacket(
        plain_subject(name),
        weights,
        from_angles(yaw, pitch, roll),
        (frame + part) / per_second if told else None,
        per_second if told else None,
    )


def _text(data: bytes, at: int) -> tuple[str, int]:
    """A text at ``at``, and where it ends."""
    (length,) = struct.unpack_from("!i", data, at)
    at += 4
    if not 0 <= length <= _LONGEST_TEXT or at + length > len(data):
        raise Malformed("a text is longer than the packet")
    return data[at : at + length].decode("utf-8", "replace"), at + length
