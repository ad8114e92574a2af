"""Binary FBX files as a tree of nodes that can be changed and written again.

The layout is what Blender's own exporter writes (its ``encode_bin.py``), versions 7.1 to 7.7: a
header, records of a name, properties and children, and a footer whose padding goes by the length.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

_MAGIC = b"Kaydara FBX Binary  \x00\x1a\x00"
#: From this version on a record's three lengths have 64 bits instead of 32.
_WIDE = 7500
#: Bytes of a property by its letter; the others have their length before them.
_SIZES = {"Y": 2, "C": 1, "B": 1, "I": 4, "F": 4, "D": 8, "L": 8}
_WHOLE = {"Y": "<h", "I": "<i", "L": "<q"}
_ARRAYS = {"f": "<f4", "d": "<f8", "l": "<i8", "i": "<i4", "b": "<u1", "c": "<u1"}
#: The footer: an identity and 4 zeros, zeros up to a multiple of 16, then this many bytes.
_IDENTITY, _END = 16 + 4, 4 + 120 + 16


@dataclass
class Node:
    """A record: ``properties`` are (letter, the bytes that follow it in the file)."""

    name: str
    properties: list[tuple[str, bytes]]
    children: list[Node] = field(default_factory=list)
    #: Whether zeros end it though it has no children: the format has both.
    ended: bool = False

    def walk(self) -> Iterator[Node]:
        """All nodes below, each before its own."""
        for child in self.children:
            yield child
            yield from child.walk()

    def find(self, *names: str) -> Iterator[Node]:
        """The nodes at the end of a path of ``names`` from here."""
        for child in self.children:
            if child.name == names[0]:
                if len(names) == 1:
                    yield child
                else:
                    yield from child.find(*names[1:])

    def text(self, index: int) -> str:
        """The text of property ``index``; "" where it is no text or there is none."""
        if index >= len(self.properties) or self.properties[index][0] != "S":
            return ""
        return self.properties[index][1][4:].decode("utf-8", "replace")

    def set_text(self, index: int, text: str) -> None:
        data = text.encode()
        self.properties[index] = ("S", struct.pack("<I", len(data)) + data)

    def number(self, index: int) -> int:
        """The whole number of property ``index``; 0 where it is none or there is none."""
        if index >= len(self.properties) or self.properties[index][0] not in _WHOLE:
            return 0
        letter, data = self.properties[index]
        return int(struct.unpack(_WHOLE[letter], data)[0])

    def set_integer(self, index: int, value: int) -> None:
        self.properties[index] = ("I", struct.pack("<i", value))

    def set_double(self, index: int, value: float) -> None:
        self.properties[index] = ("D", struct.pack("<d", value))

    def array(self, index: int = 0) -> NDArray:
        """The numbers of the array property ``index``."""
        letter, data = self.properties[index]
        count, packed, _size = struct.unpack_from("<3I", data)
        values = zlib.decompress(data[12:]) if packed else data[12:]
        return np.frombuffer(values, _ARRAYS[letter], count)

    def set_array(self, values: NDArray, index: int = 0) -> None:
        """Put ``values`` in place of the array property ``index``, in its own kind of number."""
        letter = self.properties[index][0]
        flat = np.ascontiguousarray(values, _ARRAYS[letter])
        data = zlib.compress(flat.tobytes(), 6)
        self.properties[index] = (letter, struct.pack("<3I", flat.size, 1, len(data)) + data)


@dataclass
class Tree:
    """A file: ``root`` has no name and no properties."""

    version: int
    root: Node
    footer: tuple[bytes, bytes]  #: what stands before the padding, and after it


def parse(data: bytes) -> Tree:
    """The tree of a file's bytes, one that Blender's exporter wrote."""
    assert data.startswith(_MAGIC), "no binary FBX"
    (version,) = struct.unpack_from("<I", data, len(_MAGIC))
    root = Node("", [])
    at = len(_MAGIC) + 4
    while (found := _record(data, at, version))[0] is not None:
        root.children.append(found[0])
        at = found[1]
    at = found[1]
    return Tree(version, root, (data[at : at + _IDENTITY], data[-_END:]))


def encode(tree: Tree) -> bytes:
    """The file's bytes."""
    out = bytearray(_MAGIC + struct.pack("<I", tree.version))
    for node in tree.root.children:
        _write(out, node, tree.version)
    out += bytes(_header(tree.version).size + 1)
    out += tree.footer[0]
    out += bytes(16 - len(out) % 16)  # 16 where nothing is missing
    return bytes(out + tree.footer[1])


def _header(version: int) -> struct.Struct:
    return struct.Struct("<3Q" if version >= _WIDE else "<3I")


def _record(data: bytes, at: int, version: int) -> tuple[Node | None, int]:
    """The record at ``at`` and where the next one begins; None for the zeros that end a list."""
    header = _header(version)
    end, count, length = header.unpack_from(data, at)
    size = data[at + header.size]
    at += header.size + 1
    if end == 0:
        return None, at
    node = Node(data[at : at + size].decode(), [])
    at += size
    after = at + length
    for _ in range(count):
        letter = chr(data[at])
        taken = _taken(data, at + 1, letter)
        node.properties.append((letter, data[at + 1 : at + 1 + taken]))
        at += 1 + taken
    assert at == after, f"the properties of {node.name} have another length"
    while at < end:
        child, at = _record(data, at, version)
        if child is None:
            node.ended = True
        else:
            node.children.append(child)
    return node, at


def _taken(data: bytes, at: int, letter: str) -> int:
    """Bytes of the property ``letter`` whose value begins at ``at``."""
    if letter in _SIZES:
        return _SIZES[letter]
    if letter in _ARRAYS:
        return 12 + struct.unpack_from("<I", data, at + 8)[0]
    return 4 + struct.unpack_from("<I", data, at)[0]


def _write(out: bytearray, node: Node, version: int) -> None:
    header = _header(version)
    start = len(out)
    out += bytes(header.size)
    name = node.name.encode()
    out += bytes((len(name),)) + name
    begun = len(out)
    for letter, value in node.properties:
        out += letter.encode() + value
    length = len(out) - begun
    for child in node.children:
        _write(out, child, version)
    if node.children or node.ended:
        out += bytes(header.size + 1)
    header.pack_into(out, start, len(out), len(node.properties), length)
