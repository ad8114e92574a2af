"""Wavefront OBJ files of one mesh, read fast enough for 150 of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...bounded import MB, plain, read_bytes, reading, short
from ...errors import ModelError

#: ICT-FaceKit's files have 26,719 vertices, 52,000 triangles and 4 MB.
LARGEST, MOST_TRIANGLES = 20 * MB, 500_000
_LONGEST_FACE = 4096  #: characters


@dataclass(frozen=True, eq=False)
class Obj:
    """V vertices, F triangles (polygons are fanned), U texture coordinates."""

    points: NDArray[np.float64]  #: (V, 3)
    triangles: NDArray[np.int32]  #: (F, 3) from 0
    uv: NDArray[np.float32] | None  #: (U, 2) v up
    uv_triangles: NDArray[np.int32] | None  #: (F, 3)
    materials: tuple[str, ...]  #: as ``usemtl`` names them, "" before the first
    material_of_triangle: NDArray[np.int32]  #: (F,) index into ``materials``


def read_points(path: Path) -> NDArray[np.float64]:
    """(V, 3) the vertices alone.  Raises :class:`ModelError`."""
    return _table(_lines(path), b"v ", 3, path)


def read_obj(path: Path) -> Obj:
    """Vertices, texture coordinates, faces and materials.  Raises :class:`ModelError`."""
    lines = _lines(path)
    points = _table(lines, b"v ", 3, path)
    has_uv = any(line.startswith(b"vt ") for line in lines)
    uv = _table(lines, b"vt ", 2, path) if has_uv else None
    corners: list[tuple[int, int]] = []
    begins: list[tuple[int, str]] = [(0, "")]  # triangle from which on a material holds
    try:
        for line in lines:
            if line.startswith(b"usemtl "):
                name = plain(line[7:].decode(errors="replace").strip(), 80)
                begins.append((len(corners) // 3, name))
            elif line.startswith(b"f "):
                if len(line) > _LONGEST_FACE or len(corners) > 3 * MOST_TRIANGLES:
                    raise ValueError("there are too many corners")
                ring = [
                    _corner(word, len(points), 0 if uv is None else len(uv))
                    for word in line.split()[1:]
                ]
                for k in range(1, len(ring) - 1):
                    corners += (ring[0], ring[k], ring[k + 1])
    except ValueError as error:
        raise ModelError(f"{path.name} has a face that cannot be read ({short(error)}).") from error
    if not corners:
        raise ModelError(f"{path.name} has no faces.")
    table = np.array(corners, np.int32).reshape(-1, 3, 2)
    with_uv = uv is not None and table[:, :, 1].min() >= 0
    return Obj(
        points,
        np.ascontiguousarray(table[:, :, 0]),
        uv.astype(np.float32) if uv is not None and with_uv else None,
        np.ascontiguousarray(table[:, :, 1]) if with_uv else None,
        *_materials(begins, len(table)),
    )


def _materials(
    begins: list[tuple[int, str]], count: int
) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """The names that some of ``count`` triangles have, and (count,) which one each has."""
    of_triangle = np.zeros(count, np.int32)
    names: dict[str, int] = {}
    for (first, name), (after, _) in zip(begins, [*begins[1:], (count, "")], strict=True):
        if after > first:
            of_triangle[first:after] = names.setdefault(name, len(names))
    return tuple(names), of_triangle


def _lines(path: Path) -> list[bytes]:
    with reading(ModelError, path, "an OBJ file"):
        return read_bytes(path, LARGEST).splitlines()


def _table(lines: list[bytes], start: bytes, columns: int, path: Path) -> NDArray[np.float64]:
    """(N, columns) the numbers of the lines that begin with ``start``."""
    skip = len(start)
    rows = [line[skip:] for line in lines if line.startswith(start)]
    if not rows:
        raise ModelError(f"{path.name} has no vertices; it is not an OBJ file, or empty.")
    try:
        values = np.array(b" ".join(rows).split(), np.float64)
    except ValueError as error:
        raise ModelError(
            f"{path.name} has a number that cannot be read ({short(error)})."
        ) from error
    if len(values) % len(rows) or len(values) // len(rows) < columns:
        raise ModelError(f"{path.name} has lines that are cut off.")
    if not np.isfinite(values).all():
        raise ModelError(f"{path.name} holds values that are not numbers; the file is damaged.")
    return values.reshape(len(rows), -1)[:, :columns]


def _corner(word: bytes, vertices: int, coordinates: int) -> tuple[int, int]:
    """The vertex and the texture coordinate of ``12``, ``12/7``, ``12//3``, ``12/7/3``; from 0."""
    first, _, rest = word.partition(b"/")
    vertex, second = int(first), rest.partition(b"/")[0]
    uv = int(second) if second else 0
    vertex += vertices if vertex < 0 else -1
    uv += coordinates if uv < 0 else -1
    if not 0 <= vertex < vertices or uv >= coordinates > 0:
        raise ValueError(f"{plain(word.decode(errors='replace'), 40)} of {vertices} vertices")
    return vertex, uv
