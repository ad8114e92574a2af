"""Scenes from one process to another, and to a device, as one block of bytes.

A hundred small tensors cost more on the way than they weigh: a file descriptor and a copy each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .develop import Developments
from .pack import Scenes, Shots

_ALIGNED = 16


class Parcel(NamedTuple):
    """Packed :class:`~.pack.Scenes`."""

    data: Tensor  #: (N,) uint8
    shapes: tuple[tuple[torch.dtype, tuple[int, ...]], ...]


def wrap(scenes: Scenes) -> Parcel:
    """``scenes``, on the CPU, as one block."""
    parts = list(_leaves(scenes))
    ends = _ends([part.numel() * part.element_size() for part in parts])
    data = torch.empty(ends[-1], dtype=torch.uint8)
    for part, end in zip(parts, ends, strict=True):
        flat = part.contiguous().view(-1).view(torch.uint8)
        start = end - _padded(len(flat))
        data[start : start + len(flat)] = flat
    shapes = tuple((part.dtype, tuple(part.shape)) for part in parts)
    return Parcel(data, shapes)


def unwrap(parcel: Parcel) -> Scenes:
    """The scenes, wherever the block is by now; nothing is copied."""
    sizes = [_size(dtype, shape) for dtype, shape in parcel.shapes]
    views = iter(
        parcel.data[end - _padded(size) :][:size].view(dtype).view(shape)
        for (dtype, shape), size, end in zip(parcel.shapes, sizes, _ends(sizes), strict=True)
    )

    def take(kind: Any, last: Any) -> Any:
        return kind(*(next(views) for _ in kind._fields[:-1]), last())

    return take(Scenes, lambda: take(Shots, lambda: take(Developments, lambda: next(views))))


def _leaves(part: Any) -> Iterator[Tensor]:
    if isinstance(part, Tensor):
        yield part
    else:
        for each in part:
            yield from _leaves(each)


def _size(dtype: torch.dtype, shape: tuple[int, ...]) -> int:
    return torch.Size(shape).numel() * dtype.itemsize


def _padded(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED


def _ends(sizes: list[int]) -> list[int]:
    """Where each part's place in the block ends."""
    ends, at = [], 0
    for size in sizes:
        at += _padded(size)
        ends.append(at)
    return ends
