"""dlib's shape predictor from arrays: an ensemble of regression trees, all of a level at once.

Kazemi and Sullivan, "One Millisecond Face Alignment with an Ensemble of Regression Trees" (CVPR
2014).  dlib takes most of a second to read its file number by number and holds Python's lock
meanwhile; :func:`read_cascade` reads the same file in twice as much, but what it finds are arrays
that :mod:`..exchange.cache` keeps and the next process maps into memory in a tenth of it.
"""

from __future__ import annotations

import mmap
import re
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bounded import DAMAGE, Damaged, open_regular, regular_size, short
from ..exchange.cache import let_go, read_cached, read_mapped, write_cached, write_mapped

Float = NDArray[np.float32]
Int = NDArray[np.int32]

#: Raised whenever :func:`read_cascade` finds other arrays in the same file.
_VERSION = 1
#: The predictor's file has 100 MB.
LARGEST = 400_000_000
#: Leaves that are read together: 2 MB of the file, which stay in a core's cache.
_BLOCK = 2048
#: In the eight bytes from a number on: its length, its sign, what comes next; the bits that a
#: float's two numbers may take.
_LENGTH, _SIGN, _BYTE, _ROOM = (np.uint64(value) for value in (0x7F, 0x80, 8, 48))
_ONE, _THREE, _TO_SIGN = np.uint64(1), np.uint64(3), np.uint64(56)
_MASKS = (np.uint64(1) << np.arange(0, 64, 8, dtype=np.uint64)) - np.uint64(1)


@dataclass(frozen=True, eq=False)
class Cascade:
    """L levels of T trees with S splits and S + 1 leaves; M marks, P pixels that are compared."""

    start: Float  #: (M, 2) where the marks are to begin with, in the box's sides
    anchor: Int  #: (L, P) the mark beside which each pixel lies
    offset: Float  #: (L, P, 2) and where from it, about the start
    pair: NDArray[np.int16]  #: (L, T, S, 2) the pixels that a split compares
    threshold: Float  #: (L, T, S)
    leaves: Float  #: (L, T, S + 1, 2 M) how far the marks move

    def marks(
        self, pictures: NDArray[np.uint8], which: NDArray, boxes: NDArray
    ) -> NDArray[np.float64]:
        """(B, M, 2) whole pixels of ``pictures`` (N, H, W), grey, for ``boxes`` (B, 4) in the
        pictures ``which`` (B,): left, top, right and bottom, the last pixel included.

        As dlib's, whose rounding it follows.
        """
        boxes = np.asarray(boxes, np.float64)
        low, size = boxes[:, :2].T[..., None], (boxes[:, 2:] - boxes[:, :2]).T[..., None]
        count, (height, width) = len(boxes), pictures.shape[1:]
        flat = pictures.ravel()
        first = np.asarray(which, np.intp)[:, None] * (height * width)
        limits = np.array([width, height], np.uint64)[:, None, None]
        shape = np.repeat(self.start[None], count, axis=0)
        trees, splits = self.threshold.shape[1:]
        # Of every look's trees, where their splits and their leaves begin.
        split_of = np.arange(count * trees, dtype=np.intp).reshape(count, trees) * splits
        leaf_of = np.arange(trees, dtype=np.intp) * (splits + 1) - splits
        for level, leaves in enumerate(self.leaves):
            at = self._places(level, shape)
            x, y = place = np.floor(low + size * at + 0.5).astype(np.intp)
            inside = (place.view(np.uint64) < limits).all(axis=0)
            seen = flat.take(np.where(inside, first + y * width + x, 0)) * inside
            seen = seen.astype(np.float32)
            one, other = self._pairs[level]
            right = seen.take(one, axis=1)
            right -= seen.take(other, axis=1)
            right = ~(right > self.threshold[level].ravel())
            node = np.zeros((count, trees), np.intp)
            while node[0, 0] < splits:  # all trees are as deep
                node += node + 1 + right.take(split_of + node)
            node += leaf_of
            for own, mine in zip(shape.reshape(count, -1), node, strict=True):
                moved = leaves.reshape(-1, leaves.shape[-1]).take(mine, axis=0)
                moved[0] += own  # one tree after the other, as dlib adds them
                np.add.reduce(moved, axis=0, out=own)
        found = np.floor(low + size * np.moveaxis(shape, -1, 0) + 0.5)
        return np.moveaxis(found, 0, -1)

    def _places(self, level: int, shape: Float) -> Float:
        """(2, B, P) columns and rows of the level's pixels for marks ``shape`` (B, M, 2), in the
        box's sides."""
        turn = _similarity(self.start, shape)
        across, down = self.offset[level].T
        near = shape.take(self.anchor[level], axis=1)
        return np.stack(
            [turn[:, k, :1] * across + turn[:, k, 1:] * down + near[..., k] for k in range(2)]
        )

    @cached_property
    def _pairs(self) -> NDArray[np.intp]:
        """(L, 2, T S) the pixels that splits compare, in the order of trees and splits."""
        pairs = self.pair.reshape(len(self.pair), -1, 2)
        return np.ascontiguousarray(pairs.transpose(0, 2, 1), np.intp)

    def rest(self) -> None:
        """Give back the memory of what is mapped: 65 MB, which the next use reads again."""
        let_go(self.leaves)


def _similarity(start: Float, shape: Float) -> Float:
    """(B, 2, 2) turn and scale that take ``start`` (M, 2) nearest to each ``shape`` (B, M, 2)."""
    a = start.astype(np.float64) - start.mean(axis=0, dtype=np.float64)
    b = shape.astype(np.float64) - shape.mean(axis=1, keepdims=True, dtype=np.float64)
    along = (b * a).sum(axis=(1, 2))
    across = (b[..., 1] * a[:, 0] - b[..., 0] * a[:, 1]).sum(axis=1)
    turn = np.stack([along, -across, across, along], axis=1) / (a * a).sum()
    return turn.reshape(-1, 2, 2).astype(np.float32)


def load_cascade(path: Path) -> Cascade:
    """:func:`read_cascade`, from what was kept of ``path`` where that is so."""
    name, about = "align.cascade", path.stat()
    key = str(path), about.st_size, about.st_mtime_ns, _VERSION
    if small := read_cached(name, key):
        with suppress(*DAMAGE):
            leaves = read_mapped(name, key, int(small.pop("checksum")))
            if leaves is not None:
                return Cascade(**small, leaves=leaves)
    found = read_cascade(path)
    small = {field.name: getattr(found, field.name) for field in fields(Cascade)}
    checksum = write_mapped(name, key, small.pop("leaves"))
    write_cached(name, key, small | {"checksum": np.array(checksum)})
    leaves = read_mapped(name, key, checksum)
    return found if leaves is None else replace(found, leaves=leaves)


def read_cascade(path: Path) -> Cascade:
    """The predictor in dlib's file ``path``.

    Raises OSError, and :class:`Damaged` for what is none, or not of this kind.
    """
    regular_size(path, LARGEST)
    with open_regular(path, LARGEST) as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        return _File(data).cascade()
    except DAMAGE as error:
        raise Damaged(short(error)) from error


class _File:
    """A file of dlib's ``serialize``: numbers of a length byte, whose highest bit is the sign, and
    so many bytes; a float is a whole number and the power of two that it is times."""

    def __init__(self, data: Any) -> None:
        self._data = data
        # Eight bytes from any place on.
        self._words = np.ndarray((len(data) - 7,), "<u8", data, 0, (1,))

    def cascade(self) -> Cascade:
        """All of it, in the order of the file."""
        at = np.zeros(1, np.intp)
        version, at = self._numbers(at)
        (height, at), (width, at) = self._matrix_sides(at)
        if version[0] != 1 or width != 1 or height % 2:
            raise Damaged("it is no shape predictor")
        start, at = self._floats(at, height)
        (levels,), at = self._numbers(at)
        (count,), _ = self._numbers(at)
        first, at = at, np.array([at[0]])
        return self._rest(start.reshape(-1, 2), int(levels), int(count), first)

    def _rest(self, start: Float, levels: int, count: int, first: NDArray[np.intp]) -> Cascade:
        head = self._head(start.size)
        heads = np.array([one.start() for one in re.finditer(re.escape(head), self._data)], np.intp)
        heads = heads[heads > first[0]]
        if len(heads) % (levels * count):
            raise Damaged("its trees are not all alike")
        leaves, ends = np.empty((len(heads), start.size), np.float32), np.empty_like(heads)
        for first_one in range(0, len(heads), _BLOCK):
            part = slice(first_one, first_one + _BLOCK)
            leaves[part], ends[part] = self._floats(heads[part] + len(head), start.size)
        each = len(heads) // (levels * count)
        if not np.isfinite(leaves).all():
            raise Damaged("it holds a number that is none")
        if (ends.reshape(-1, each)[:, :-1] != heads.reshape(-1, each)[:, 1:]).any():
            raise Damaged("its leaves are not all alike")
        # A tree begins where the one before ends; a level with the number of its trees.
        at = np.append(first, ends[each - 1 :: each][:-1])
        size, after = self._numbers(at[::count])
        if (size != count).any():
            raise Damaged("its levels are not all alike")
        at[::count] = after
        (pair, threshold), at = self._splits(at, each - 1)
        leaf_count, at = self._numbers(at)
        if (leaf_count != each).any() or (at != heads[::each]).any():
            raise Damaged("its trees are not all alike")
        anchor, offset = self._pixels(ends[-1:], levels)
        shape = (levels, count, each)
        return Cascade(
            start,
            anchor,
            offset,
            pair.reshape(levels, count, -1, 2),
            threshold.reshape(levels, count, -1),
            leaves.reshape(*shape, start.size),
        )

    def _splits(self, at: NDArray, count: int) -> tuple[tuple[NDArray, Float], NDArray]:
        """(N, count, 2) pixels and (N, count) thresholds of the trees at ``at`` (N,)."""
        found, at = self._numbers(at)
        if (found != count).any():
            raise Damaged("its trees are not all alike")
        pair = np.empty((len(at), count, 2), np.int16)
        threshold = np.empty((len(at), count), np.float32)
        for k in range(count):
            for side in range(2):
                pair[:, k, side], at = self._numbers(at)
            one, at = self._floats(at, 1)
            threshold[:, k] = one[:, 0]
        return (pair, threshold), at

    def _pixels(self, at: NDArray, levels: int) -> tuple[Int, Float]:
        """Anchors (levels, P) and offsets (levels, P, 2), each a list of lists."""
        read: list[list[NDArray]] = []
        for size in (0, 2):
            (outer,), at = self._numbers(at)
            if outer != levels:
                raise Damaged("it has not as many lists of pixels as levels")
            lists = []
            for _ in range(levels):
                (inner,), at = self._numbers(at)
                if size:
                    values, at = self._floats(at, int(inner) * size)
                    lists.append(values.reshape(-1, size))
                else:
                    numbers = []
                    for _ in range(int(inner)):
                        (number,), at = self._numbers(at)
                        numbers.append(number)
                    lists.append(np.array(numbers, np.int32))
            read.append(lists)
        if at[0] != len(self._data):
            raise Damaged("it has more than is known")
        return np.stack(read[0]), np.stack(read[1])

    def _matrix_sides(self, at: NDArray) -> tuple[tuple[int, NDArray], tuple[int, NDArray]]:
        (height,), after = self._numbers(at)
        (width,), end = self._numbers(after)
        return (abs(int(height)), after), (abs(int(width)), end)

    def _head(self, size: int) -> bytes:
        """How a column of ``size`` numbers begins: its sides, as negative numbers."""
        length = (size.bit_length() + 7) // 8
        return bytes([0x80 | length]) + size.to_bytes(length, "little") + b"\x81\x01"

    def _numbers(self, at: NDArray) -> tuple[NDArray[np.int64], NDArray]:
        """(N,) the whole numbers at ``at`` (N,), and where each ends."""
        word = self._word(at)
        length = word & _LENGTH
        if (length > 7).any():
            raise Damaged("it holds a number that is too large")
        value = ((word >> _BYTE) & _MASKS[length]).astype(np.int64)
        negative = (word & _SIGN) != 0
        return np.where(negative, -value, value), at + 1 + length.astype(np.intp)

    def _floats(self, at: NDArray, count: int) -> tuple[Float, NDArray]:
        """(N, count) the floats from ``at`` (N,) on, and where each row ends."""
        out = np.empty((len(at), count), np.float32)
        most = np.zeros(len(at), np.uint64)
        for k in range(count):
            word = self._word(at)
            bits = (word & _LENGTH) << _THREE
            rest = word >> (bits + _BYTE)
            power_bits = (rest & _LENGTH) << _THREE
            whole = ((word >> _BYTE) & ((_ONE << bits) - _ONE)).view(np.int64)
            power = ((rest >> _BYTE) & ((_ONE << power_bits) - _ONE)).view(np.int64)
            np.negative(power, out=power, where=(rest & _SIGN) != 0)
            # Two to this power, by the bits of a double.
            value = whole * ((power + 1023) << 52).view(np.float64)
            value.view(np.uint64)[:] |= (word & _SIGN) << _TO_SIGN
            out[:, k] = value
            bits += power_bits
            np.maximum(most, bits, out=most)
            at = at + 2 + (bits >> _THREE).view(np.int64)
        if most.size and most.max() > _ROOM:
            raise Damaged("it holds a number that is too large")
        return out, at

    def _word(self, at: NDArray) -> NDArray[np.uint64]:
        if at.size and (at.min() < 0 or at.max() >= len(self._words)):
            at = np.clip(at, 0, len(self._data) - 1)
            padded = [self._data[int(one) : int(one) + 8].ljust(8, b"\0") for one in at]
            return np.array([int.from_bytes(one, "little") for one in padded], np.uint64)
        return self._words[at]
