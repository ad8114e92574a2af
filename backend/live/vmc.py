"""The VMC protocol: one weight or bone an OSC message, and one that has them shown, to port 39539.

``/VMC/Ext/Blend/Val`` (name, value), ``/VMC/Ext/Blend/Apply``, ``/VMC/Ext/Bone/Pos`` (name,
position, quaternion x y z w in Unity's axes), ``/VMC/Ext/T`` (seconds); protocol.vmc.info,
specification 2.9.  A frame may come in several packets.
"""

from __future__ import annotations

import math

from . import osc
from .osc import Message, messages
from .packet import MOST_NAMES, FacePacket, Malformed, known_weights
from .unity import from_quaternion, to_quaternion

PORT = 39539
SUBJECT = "VMC"


class Collector:
    """Messages of one sender, until it has them shown."""

    def __init__(self) -> None:
        self._weights: dict[str, float] = {}
        self._turn: tuple[float, float, float, float] | None = None
        self._time: float | None = None

    def read(self, data: bytes) -> list[FacePacket]:
        """The frames that ``data`` completes.  Raises :class:`Malformed`; what came before it is
        kept."""
        done = []
        for message in messages(data):
            frame = self._take(message)
            if frame is not None:
                done.append(frame)
        return done

    def _take(self, message: Message) -> FacePacket | None:
        address, arguments = message
        if address == "/VMC/Ext/Blend/Val":
            name, value = _as(arguments, (str, float))
            if len(self._weights) >= MOST_NAMES and name not in self._weights:
                raise Malformed("too many names")
            self._weights[name] = value
        elif address == "/VMC/Ext/Bone/Pos" and arguments[:1] == ("Head",):
            numbers = _as(arguments, (str, *(float,) * 7))[4:]
            if math.hypot(*numbers) < 1e-3:
                raise Malformed("no rotation")
            self._turn = numbers
        elif address == "/VMC/Ext/T":
            (self._time,) = _as(arguments, (float,))
        elif address == "/VMC/Ext/Blend/Apply":
            weights, self._weights = self._weights, {}
            # VRM's own expressions (Joy, A, Blink) are none of ARKit's.
            known = known_weights(weights.items())
            turn = None if self._turn is None else from_quaternion(*self._turn)
            if known or turn is not None:
                return FacePacket(SUBJECT, known, turn, self._time)
        return None


def packet(face: FacePacket) -> bytes:
    """``face`` as one packet, which :class:`Collector` reads: ARKit's names, the head's turn."""
    parts = []
    if face.time is not None:
        parts.append(osc.encoded("/VMC/Ext/T", face.time))
    if face.rotation is not None:
        turn = to_quaternion(face.rotation)
        parts.append(osc.encoded("/VMC/Ext/Bone/Pos", "Head", 0.0, 0.0, 0.0, *turn))
    parts += [osc.encoded("/VMC/Ext/Blend/Val", *one) for one in face.weights.items()]
    return osc.bundled([*parts, osc.encoded("/VMC/Ext/Blend/Apply")])


def _as(arguments: tuple, kinds: tuple[type, ...]) -> tuple:
    """``arguments`` of ``kinds``; whole numbers stand for others.  Raises :class:`Malformed`."""
    if len(arguments) < len(kinds):
        raise Malformed("too few arguments")
    out = []
    for value, kind in zip(arguments, kinds, strict=False):
        if kind is float:
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not math.isfinite(value):
                raise Malformed("an argument is no finite number")
            out.append(float(value))
        elif not isinstance(value, kind) or len(value) > 256:
            raise Malformed("an argument is no short text")
        else:
            out.append(value)
    return tuple(out)
