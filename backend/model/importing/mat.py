"""MATLAB files of version 5 to 7, of which the known numeric arrays alone are read.

The format is that of "MAT-File Format" (MathWorks): elements of a type, a size in bytes and data,
matrices being made of them, each variable compressed by itself or not at all.  What is declared is
held against what there is before anything is made of it: ``scipy.io.loadmat`` reads all variables,
makes cells and structs of any declared size, and inflates a file to a thousand times its length.
"""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ...arrays import LARGEST_ARRAY, LARGEST_FILE
from ...bounded import MB, Damaged, open_regular, plain

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
_STRUCT, _FIRST_NUMERIC, _LAST_NUMERIC = 2, 6, 15
_OTHER_CLASSES = {1: "cells", 2: "a struct", 3: "an object", 4: "text", 5: "a sparse matrix"}
_COMPLEX = 0x0800
#: Variables and fields of a struct; the largest known file has 16.
_MOST_NAMES = 1000
_LONGEST_NAME = 256
_CHUNK = MB


@dataclass
class Mat:
    """What was read of a file."""

    names: list[str] = field(default_factory=list)  #: all variables
    arrays: dict[str, NDArray] = field(default_factory=dict)  #: known variables
    structs: dict[str, dict[str, NDArray]] = field(default_factory=dict)  #: known fields of structs


def read_mat(path: Path, known: set[str], structs: Mapping[str, set[str]]) -> Mat:
    """The variables ``known`` and, of those named in ``structs``, the fields.

    What is known but holds no numbers is there as an array of text that says what it is.  Raises
    OSError, :class:`Damaged`.
    """
    found = Mat()
    with open_regular(path, LARGEST_FILE) as file:
        size = os.fstat(file.fileno()).st_size
        header = file.read(_HEADER)
        if len(header) < _HEADER or header[126:128] not in (b"IM", b"MI"):
            raise Damaged("it has no MATLAB header")
        reader = _Reader(known, structs, "<" if header[126:128] == b"IM" else ">")
        while file.tell() < size:
            if len(found.names) == _MOST_NAMES:
                raise Damaged(f"it has more than {_MOST_NAMES} variables")
            whole = _Part(_exactly(file.read), size - file.tell(), reader.order)
            kind, element = whole.next()
            end = file.tell() + element.left + element.padding
            if kind == _COMPRESSED:
                element = _Part(_exactly(_Inflated(file, element.left).read), 2**32, reader.order)
                kind, element = element.next()
            if kind != _MATRIX:
                raise Damaged("it holds something else than variables")
            reader.variable(element, found)
            file.seek(min(end, size))
    return found


class _Inflated:
    """The content of the next ``size`` bytes of ``file``, which zlib compressed."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size
        self._zlib = zlib.decompressobj()
        self._pending = b""
        self._made = 0

    def read(self, count: int) -> bytes:
        """At most ``count`` bytes, none at the end."""
        while not self._zlib.eof:
            if not self._pending:
                self._pending = self._file.read(min(self._left, 65536))
                self._left -= len(self._pending)
                if not self._pending:
                    return b""
            try:
                data = self._zlib.decompress(self._pending, count)
            except zlib.error as error:
                raise Damaged(f"its compressed data are damaged ({error})") from error
            self._pending = self._zlib.unconsumed_tail
            self._made += len(data)
            if self._made > LARGEST_FILE:
                raise Damaged(f"it holds more than {LARGEST_FILE / MB:,.0f} MB")
            if data:
                return data
        return b""


def _exactly(read: Callable[[int], bytes]) -> Callable[[int], bytes]:
    def wanted(count: int) -> bytes:
        parts = []
        while count:
            data = read(count)
            if not data:
                raise Damaged("it is cut off")
            parts.append(data)
            count -= len(data)
        return b"".join(parts)

    return wanted


class _Part:
    """So many bytes of a stream, which are taken in order."""

    def __init__(
        self, read: Callable[[int], bytes], size: int, order: str, padding: int = 0
    ) -> None:
        self._read, self.left, self.padding, self._order = read, size, padding, order

    def take(self, count: int) -> bytes:
        if not 0 <= count <= self.left:
            raise Damaged("it is cut off")
        self.left -= count
        return self._read(count)

    def number(self) -> int:
        return int.from_bytes(self.take(4), "little" if self._order == "<" else "big")

    def next(self) -> tuple[int, _Part]:
        """Type and data of the next element; the one before has to be at its end."""
        first = self.number()
        if first >> 16:  # a small one: type and size in one word, the data in the other
            size = first >> 16
            data = self.take(4)
            if size > 4:
                raise Damaged("an element of it has no size")
            return first & 0xFFFF, _Part(io.BytesIO(data).read, size, self._order)
        size = self.number()
        if size > self.left:
            raise Damaged("it is cut off")
        padding = min(-size % 8, self.left - size) if first != _COMPRESSED else 0
        self.left -= size + padding
        return first, _Part(self._read, size, self._order, padding)

    def end(self) -> None:
        """Past what was not taken of it."""
        while self.left:
            self.take(min(self.left, _CHUNK))
        self._read(self.padding)
        self.padding = 0

    def bytes(self, most: int) -> bytes:
        """All of it, if it is not longer than ``most``."""
        if self.left > most:
            raise Damaged("a name in it is too long")
        data = self.take(self.left)
        self.end()
        return data


class _Reader:
    def __init__(self, known: set[str], structs: Mapping[str, set[str]], order: str) -> None:
        self._known, self._structs, self.order = known, structs, order
        self._total = 0

    def variable(self, part: _Part, found: Mat) -> None:
        """Read the variable, if it is known, into ``found``."""
        kind, shape, name = self._start(part)
        found.names.append(plain(name, 60))
        if kind == _STRUCT and name in self._structs and prod(shape) == 1:
            found.structs[name] = dict(self._fields(part, self._structs[name]))
        elif name in self._known:
            found.arrays[name] = self._array(part, kind, shape)

    def _start(self, part: _Part) -> tuple[int, tuple[int, ...], str]:
        """Class, shape and name of a matrix.  Complex numbers count as class 0."""
        flags = self._integer(self._small(part, 8)[:4])
        shape = tuple(np.frombuffer(self._small(part, 32, multiple=4), self.order + "i4").tolist())
        if not shape or min(shape) < 0:
            raise Damaged("a matrix in it has no shape")
        name = self._small(part, _LONGEST_NAME).decode("latin-1")
        return 0 if flags & _COMPLEX else flags & 0xFF, shape, name

    def _integer(self, data: bytes) -> int:
        return int.from_bytes(data, "little" if self.order == "<" else "big")

    def _small(self, part: _Part, most: int, multiple: int = 1) -> bytes:
        data = part.next()[1].bytes(most)
        if len(data) % multiple:
            raise Damaged("an element of it has no size")
        return data

    def _fields(self, part: _Part, known: set[str]) -> Iterator[tuple[str, NDArray]]:
        """The known fields of a struct of one element."""
        length = self._integer(self._small(part, 4))
        if not 0 < length <= _LONGEST_NAME:
            raise Damaged("a struct in it has no names")
        text = self._small(part, _LONGEST_NAME * _MOST_NAMES, length)
        for at in range(0, len(text), length):
            name = text[at : at + length].split(b"\0")[0].decode("latin-1")
            kind, inner = part.next()
            if kind != _MATRIX:
                raise Damaged("a struct in it is damaged")
            if name in known:
                yield name, self._array(inner, *self._start(inner)[:2])
            inner.end()

    def _array(self, part: _Part, kind: int, shape: tuple[int, ...]) -> NDArray:
        if not _FIRST_NUMERIC <= kind <= _LAST_NUMERIC:
            return np.array(_OTHER_CLASSES.get(kind, "no real numbers"))
        stored, data = part.next()
        if stored not in _NUMBERS:
            raise Damaged("a matrix in it holds no numbers")
        dtype = np.dtype(self.order + _NUMBERS[stored])
        if prod(shape) * dtype.itemsize != data.left:
            raise Damaged(f"a matrix of {shape} in it has {data.left:,} bytes")
        self._total += data.left
        if data.left > LARGEST_ARRAY or self._total > LARGEST_FILE:
            raise Damaged(f"its arrays take more than {self._total / MB:,.0f} MB")
        out = np.empty(prod(shape), dtype)
        view = out.view(np.uint8).data
        for at in range(0, len(view), _CHUNK):
            view[at : at + _CHUNK] = data.take(min(_CHUNK, len(view) - at))
        data.end()
        return out.astype(dtype.newbyteorder("="), copy=False).reshape(shape, order="F")
