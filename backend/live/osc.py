"""Open Sound Control 1.0: messages and bundles of them (opensoundcontrol.org, specification).

``python-osc`` does the same, but Blender's Python has no packages beside the add-on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .packet import Malformed

Argument = float | int | str | bytes | bool | None

#: Messages of one packet, bundles in bundles, and arguments of a message.
MOST_MESSAGES, _DEEPEST, _MOST_ARGUMENTS = 1000, 4, 64
_BUNDLE = b"#bundle\0"


class Message(NamedTuple):
    """An address and what it is told."""

    address: str
    arguments: tuple[Argument, ...]


def looks_like(data: bytes) -> bool:
    """Whether ``data`` begins as a message or a bundle does."""
    return data[:1] == b"/" or data.startswith(_BUNDLE)


def messages(data: bytes) -> list[Message]:
    """The messages in ``data``, those of bundles too, in order.  Raises :class:`Malformed`."""
    found: list[Message] = []
    for message in _messages(data, 0):
        if len(found) >= MOST_MESSAGES:
            raise Malformed("too many messages")
        found.append(message)
    return found


def encoded(address: str, *arguments: float | str) -> bytes:
    """A message with numbers as floats, and texts."""
    kinds = "".join("s" if isinstance(one, str) else "f" for one in arguments)
    parts = [_padded(address), _padded("," + kinds)]
    parts += [_padded(x) if isinstance(x, str) else struct.pack("!f", x) for x in arguments]
    return b"".join(parts)


def bundled(parts: Iterable[bytes]) -> bytes:
    """Messages to be taken at once."""
    sized = (struct.pack("!i", len(part)) + part for part in parts)
    return _BUNDLE + struct.pack("!Q", 1) + b"".join(sized)


def _padded(text: str) -> bytes:
    data = text.encode() + b"\0"
    return data + b"\0" * (-len(data) % 4)


def _messages(data: bytes, depth: int) -> Iterator[Message]:
    if not data.startswith(_BUNDLE):
        yield _message(data)
        return
    if depth >= _DEEPEST:
        raise Malformed("bundles too deep in bundles")
    at = 16  # after the time tag
    while at < len(data):
        (size,) = _unpack("!i", data, at)
        at += 4
        if size <= 0 or size % 4 or at + size > len(data):
            raise Malformed("a part of a bundle is longer than it")
        yield from _messages(data[at : at + size], depth + 1)
        at += size


def _message(data: bytes) -> Message:
    address, at = _text(data, 0)
    if not address.startswith("/"):
        raise Malformed("no address")
    kinds, at = _text(data, at)
    if not kinds.startswith(",") or len(kinds) > _MOST_ARGUMENTS:
        raise Malformed("no kinds of arguments")
    arguments: list[Argument] = []
    for kind in kinds[1:]:
        if kind in _FIXED:
            code, size = _FIXED[kind]
            (value,) = _unpack(code, data, at)
            at += size
        elif kind in "sS":
            value, at = _text(data, at)
        elif kind == "b":
            (size,) = _unpack("!i", data, at)
            at += 4
            if not 0 <= size <= len(data) - at:
                raise Malformed("a blob is longer than the packet")
            value, at = data[at : at + size], at + (size + 3) // 4 * 4
        elif kind in _CONSTANT:
            value = _CONSTANT[kind]
        else:
            raise Malformed("an unknown kind of argument")
        arguments.append(value)
    return Message(address, tuple(arguments))


_FIXED = {
    "i": ("!i", 4), "f": ("!f", 4), "h": ("!q", 8), "d": ("!d", 8), "t": ("!Q", 8), "r": ("!I", 4),
    "m": ("!I", 4), "c": ("!I", 4),
}  # fmt: skip
_CONSTANT: dict[str, Argument] = {"T": True, "F": False, "N": None, "I": None}


def _unpack(code: str, data: bytes, at: int) -> tuple:
    try:
        return struct.unpack_from(code, data, at)
    except struct.error as error:
        raise Malformed(str(error)) from error


def _text(data: bytes, at: int) -> tuple[str, int]:
    """A text that ends with zeros, and the place after them."""
    end = data.find(b"\0", at)
    if end < 0:
        raise Malformed("a text does not end")
    return data[at:end].decode("utf-8", "replace"), (end // 4 + 1) * 4
