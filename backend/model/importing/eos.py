"""Models of the eos library (Huber et al. 2016), such as Surrey's: cereal's binary archives.

Little-endian; a matrix is its rows and columns (int32) and its float32 values column by column, a
list its length (uint64) and its items.  Millimetres, x to the head's left, y up, z forward.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import LARGEST_ARRAY, all_finite
from ...bounded import Damaged, read_bytes, reading
from ...errors import ModelError
from . import checks
from .piece import BLENDSHAPES, CALLED, EOS, Piece
from .raw import RawModel

VERSIONS = (1, 2, 3, 4)
#: Blendshapes and landmarks; eos' own files have 6 and 68.
MOST_NAMES, LONGEST_NAME = 10_000, 200
LICENCE = (
    "A model in eos's format, such as the Surrey Face Model: the terms that it came with hold for "
    "what is made with it."
)


@dataclass(frozen=True, eq=False)
class _Pca:
    mean: NDArray[np.float32]  #: (N,)
    basis: NDArray[np.float32]  #: (N, K) orthonormal
    variance: NDArray[np.float32]  #: (K,)
    triangles: NDArray[np.int32]  #: (F, 3)


class _Reader:
    """Takes values off a buffer; what goes past its end is a ValueError."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = memoryview(data), 0

    def take(self, count: int) -> memoryview:
        if count < 0 or self.at + count > len(self.data):
            raise Damaged("it is cut off")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, code: str) -> int:
        return struct.unpack(f"<{code}", self.take(struct.calcsize(code)))[0]

    def count(self) -> int:
        """Of things with names."""
        count = self.number("Q")
        if count > MOST_NAMES:
            raise ValueError(f"it has {count} names")
        return count

    def array(self, kind: type, shape: tuple[int, ...]) -> NDArray:
        size = int(np.prod(shape, dtype=object)) * np.dtype(kind).itemsize
        return np.frombuffer(self.take(size), kind).reshape(shape)

    def matrix(self) -> NDArray[np.float32]:
        rows, columns = self.number("i"), self.number("i")
        if min(rows, columns) < 0:
            raise ValueError("a matrix has no size")
        return self.array(np.float32, (columns, rows)).T

    def text(self) -> str:
        length = self.number("Q")
        if length > LONGEST_NAME:
            raise Damaged(f"a name in it has {length} characters")
        return bytes(self.take(length)).decode("utf-8", "replace")

    def pca(self) -> _Pca:
        mean, basis, variance = self.matrix(), self.matrix(), self.matrix()
        triangles = self.array(np.int32, (self.number("Q"), 3))
        return _Pca(mean.ravel(), basis, variance.ravel(), triangles)

    def blendshapes(self) -> dict[str, NDArray[np.float32]]:
        return {self.text(): self.matrix().ravel() for _ in range(self.count())}


def recognise(path: Path, start: bytes, size: int) -> str | None:
    """Whether a file of ``size`` bytes that begins so is a model or blendshapes of eos."""
    if len(start) < 16:
        return None
    version, rows, columns = struct.unpack("<Iii", start[:12])
    if version in VERSIONS and rows > 0 and rows % 3 == 0 and columns == 1 and 4 * rows < size:
        return EOS
    count, length = struct.unpack("<QQ", start[:16])
    if 0 < count < 1000 and 0 < length < 100 and start[16 : 16 + length].isascii():
        return BLENDSHAPES
    return None


def read_eos(main: Piece, blendshapes: Piece | None) -> RawModel:
    """Shape, colour and expression parts, landmarks by iBUG's numbers where all 68 are named."""
    where = main.name
    with reading(ModelError, main.path, CALLED[EOS]):
        reader = _Reader(read_bytes(main.path, LARGEST_ARRAY))
        version = reader.number("I")
        shape, colour = reader.pca(), reader.pca()
        expressions: _Pca | dict[str, NDArray[np.float32]] | None = None
        names: dict[str, int] = {}
        if version >= 2 and not reader.number("B"):
            expressions = reader.blendshapes() if reader.number("i") else reader.pca()
        if version >= 3 and not reader.number("B"):
            names = {reader.text(): reader.number("i") for _ in range(reader.count())}
        uv = reader.array(np.float64, (reader.number("Q"), 2))
    if blendshapes is not None:
        expressions = _read_blendshapes(blendshapes)
    if not expressions:
        raise ModelError(f"{where} has no expressions; give expression_blendshapes_*.bin with it.")
    size = len(shape.mean)
    mean = checks.points(shape.mean, 1)
    fields = {"basis": shape.basis, "mean": shape.mean, "variance": shape.variance}
    checks.numbers(fields, "mean", (None,), where)
    count = size // 3
    triangles = checks.indices(
        {"triangles": shape.triangles}, "triangles", (None, 3), count, where, 0
    )
    basis, scale, labels, low, high, offset = _expressions(expressions, size, where)
    mean = mean + checks.points(offset, 1)
    checks.check_size(mean, where)
    landmarks = _landmarks(names, count)
    if landmarks is not None:
        checks.check_axes(mean, landmarks, where)
    identity, identity_scale = _scaled(shape, size, where)
    optional: dict[str, Any] = {}
    if len(colour.mean):
        optional["albedo_basis"], optional["albedo_scale"] = _scaled(colour, size, where)
        checks.numbers({"colour": colour.mean}, "colour", (size,), where)
        values = colour.mean.reshape(-1, 3)
        values = values / 255 if values.max() > 2 else values
        optional["albedo_mean"] = np.clip(values, 0, 1).astype(np.float32)
        optional["albedo_basis"] /= 255 if colour.mean.max() > 2 else 1
    if len(uv) == count and all_finite(uv):
        optional["uv"] = uv.astype(np.float32)
        optional["uv_triangles"] = checks.outward(triangles, mean)
    return RawModel(
        kind=f"eos face model ({where})",
        name="eos",
        mean=mean,
        triangles=checks.outward(triangles, mean),
        identity_basis=identity,
        identity_scale=identity_scale,
        expression_basis=basis,
        expression_scale=scale,
        expression_names=labels,
        expression_range=checks.expression_range(len(labels), low, high),
        landmarks68=landmarks,
        licence=LICENCE,
        **optional,
    )


def _read_blendshapes(piece: Piece) -> dict[str, NDArray[np.float32]]:
    with reading(ModelError, piece.path, CALLED[BLENDSHAPES]):
        return _Reader(read_bytes(piece.path, LARGEST_ARRAY)).blendshapes()


def _scaled(part: _Pca, size: int, where: str) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    basis = checks.numbers({"basis": part.basis}, "basis", (size, None), where)
    fields = {"variance": part.variance}
    variance = checks.flat(fields, "variance", basis.shape[1], where)
    scale = np.sqrt(checks.deviations(variance, "variance", where))
    return checks.modes(basis, scale, 1.0), scale


def _expressions(
    found: _Pca | dict[str, NDArray[np.float32]], size: int, where: str
) -> tuple[NDArray, NDArray, tuple[str, ...], float, float, NDArray]:
    """Basis (E, V, 3), scale, names, range and mean of the expressions."""
    if isinstance(found, _Pca):
        basis, scale = _scaled(found, size, where)
        offset = checks.numbers({"mean": found.mean}, "mean", (size,), where)
        return basis, scale, checks.numbered(len(basis)), -3, 3, offset
    shapes = [checks.numbers(found, name, (size,), where) for name in found]
    basis = np.stack(shapes).astype(np.float32).reshape(len(shapes), -1, 3)
    return basis, np.ones(len(basis)), tuple(found), 0, 1, np.zeros(size)


def _landmarks(names: dict[str, int], count: int) -> NDArray[np.int32] | None:
    found = [names.get(str(k), -1) for k in range(1, 69)]
    return np.array(found, np.int32) if all(0 <= v < count for v in found) else None
