"""A place of its own in the texture for everything that a mesh shows.

Files may lay their parts out in several tiles of the texture's plane (UDIM), or several parts over
one another, each with a picture of its own.  This project has one texture: such a layout is taken
apart into regions in which nothing overlaps, and these are packed into the unit square.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from ...geometry.triangles import triangle_areas
from ...raster import rasterize_uv
from .parts import connected

Float = NDArray[np.float32]
Double = NDArray[np.float64]
Int = NDArray[np.int32]

GRID = 256  #: texels of a tile's side on which overlaps are looked for
#: What shares more than this part of its texels, without those of its border, lies over another.
SHARED = 0.04
#: An island whose triangles have this many times the area that they cover is folded.
FOLDED = 1.15
MOST_FOLDED = 0.2  #: part of the triangles that may lie in such islands
#: More pieces than that are no layout but a heap of triangles.
MOST_ISLANDS = 2000
MARGIN = 0.006  #: around each region, of the texture's side
#: Sides of the regions, a millimetre of the face's being 1: the back of the head is rarely seen,
#: eyes are looked at.
SIZES = {"skin": 0.4, "eye": 1.3, "teeth": 0.6, "tongue": 0.5, "mouth": 0.5}


@dataclass(eq=False)
class _Region:
    """Islands in one tile, none over another."""

    tile: tuple[int, int]
    taken: NDArray[np.bool_]  #: (GRID, GRID)
    kind: str
    islands: list[int]


def is_laid_out(uv: NDArray, corners: Int) -> bool:
    """Whether the texture coordinates ``corners`` (F, 3) into ``uv`` (U, 2) are a layout at all.

    False where much of it is folded over itself, or there are no islands but loose triangles.
    """
    island = _islands(uv, corners)
    if int(island.max(initial=-1)) >= MOST_ISLANDS:
        return False
    folded = 0
    for k in range(int(island.max(initial=-1)) + 1):
        mine = corners[island == k]
        ids, local = np.unique(mine, return_inverse=True)
        local = local.reshape(-1, 3).astype(np.int32)
        flat = np.asarray(uv, np.float64)[ids]
        flat = (flat - flat.min(axis=0)) / np.maximum(np.ptp(flat, axis=0), 1e-9)
        cover = rasterize_uv(flat, local, GRID).mask.mean()
        if _flat_areas(flat[local]).sum() > FOLDED * cover:
            folded += len(mine)
    return folded <= MOST_FOLDED * len(corners)


def packed(
    uv: NDArray,
    corners: Int,
    points: NDArray,
    triangles: Int,
    kinds: Sequence[str] | NDArray,
    face_vertex: int,
) -> tuple[Float, Int] | None:
    """(N, 2) texture coordinates in 0..1 and (F, 3) corners into them; None: they are fine as is.

    ``corners`` (F, 3) into ``uv`` (U, 2) are those of the ``triangles`` (F, 3) of ``points`` (V, 3)
    mm, whose ``kinds`` (F,) are those of :class:`~.parts.Parts`.  The region with the vertex
    ``face_vertex`` gets most of the room.
    """
    island = _islands(uv, corners)
    regions = _regions(uv, corners, island, np.asarray(kinds), triangle_areas(points, triangles))
    used = uv[np.unique(corners)]
    if len(regions) == 1 and used.min() >= 0 and used.max() <= 1:
        return None
    out, new = [], np.zeros_like(corners)
    pieces, sizes, count = [], [], 0
    for region in regions:
        mine = np.flatnonzero(np.isin(island, region.islands))
        ids, local = np.unique(corners[mine], return_inverse=True)
        flat = np.asarray(uv, np.float64)[ids]
        low = flat.min(axis=0)
        flat, extent = flat - low, np.maximum(np.ptp(flat, axis=0), 1e-6)
        area = triangle_areas(points, triangles[mine]).sum()
        density = np.sqrt(area / max(_flat_areas(flat[local.reshape(-1, 3)]).sum(), 1e-9))
        face = bool((triangles[mine] == face_vertex).any())
        sizes.append(extent * density * (1.0 if face else SIZES[region.kind]))
        pieces.append(flat / extent)
        new[mine] = local.reshape(-1, 3) + count
        count += len(ids)
    for flat, (left, low, wide, high) in zip(pieces, _packed_boxes(np.array(sizes)), strict=True):
        out.append(flat * [wide, high] + [left, low])
    return np.concatenate(out).astype(np.float32), new.astype(np.int32)


def _islands(uv: NDArray, corners: Int) -> Int:
    """(F,) which piece of the texture's plane each triangle belongs to, from 0."""
    label = connected(corners, len(uv))[corners[:, 0]]
    return np.unique(label, return_inverse=True)[1].astype(np.int32)


def _regions(uv: NDArray, corners: Int, island: Int, kinds: NDArray, area: Double) -> list[_Region]:
    """The islands put together where they are of a kind, in a tile, and not over one another."""
    regions: list[_Region] = []
    for k in np.argsort(-np.bincount(island, area), kind="stable"):
        mine = np.flatnonzero(island == k)
        kind = str(kinds[mine[np.argmax(area[mine])]])
        new = _Region(*_cover(uv, corners[mine]), kind, [int(k)])
        same = [region for region in regions if region.kind == kind]
        if not _put_beside(new, same):
            regions.append(new)
    # Kinds that share a tile without lying over one another stay where they are.
    out: list[_Region] = []
    for region in regions:
        if not _put_beside(region, out):
            out.append(region)
    return out


def _put_beside(new: _Region, regions: list[_Region]) -> bool:
    """Whether ``new`` found room in the tile of one of ``regions``, of which it is then a part."""
    for region in regions:
        shared = int((region.taken & new.taken).sum())
        if region.tile == new.tile and shared <= SHARED * new.taken.sum():
            region.taken |= new.taken
            region.islands += new.islands
            return True
    return False


def _cover(uv: NDArray, corners: Int) -> tuple[tuple[int, int], NDArray[np.bool_]]:
    """The tile of an island, and (GRID, GRID) what of it it covers, without the border's texels.

    Of an island that reaches beyond a tile, the part within.
    """
    flat = np.asarray(uv, np.float64)[np.unique(corners)]
    tile = np.floor((flat.min(axis=0) + flat.max(axis=0)) / 2)
    cover = rasterize_uv(flat - tile, _local(corners), GRID).mask
    return (int(tile[0]), int(tile[1])), binary_erosion(cover)


def _local(corners: Int) -> Int:
    return np.unique(corners, return_inverse=True)[1].reshape(-1, 3).astype(np.int32)


def _flat_areas(corners: Double) -> Double:
    """(F,) of triangles (F, 3, 2) in the plane."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / 2


def _packed_boxes(sizes: Double) -> Double:
    """(N, 4) left, low, width, height in the unit square of boxes as large as ``sizes`` (N, 2) let.

    All by the same factor, the largest with which :func:`_places` finds room.
    """
    sizes = sizes / sizes.max()
    low, high, best = 0.0, 1.0, None
    for _ in range(16):
        scale = (low + high) / 2
        found = _places(sizes * scale + 2 * MARGIN)
        if found is None:
            high = scale
        else:
            low, best = scale, np.hstack([found + MARGIN, sizes * scale])
    assert best is not None  # 2000 margins fit
    return best


def _places(boxes: Double) -> Double | None:
    """(N, 2) lower left corners of ``boxes`` (N, 2) in the unit square, or None without room.

    Each in turn, the tallest first, as low and then as far left as it goes on top of the others
    (bottom-left by the skyline: Burke, Kendall and Whitwell 2004).
    """
    skyline = [(0.0, 1.0, 0.0)]  # from, to, height
    out = np.zeros_like(boxes)
    for k in np.lexsort([-boxes[:, 0], -boxes[:, 1]]):
        wide, high = boxes[k]
        best = None
        for left, _, _ in skyline:
            if left + wide > 1 + 1e-9:
                continue
            under = max(h for a, b, h in skyline if a < left + wide - 1e-9 and b > left + 1e-9)
            if under + high <= 1 + 1e-9 and (best is None or (under, left) < best):
                best = under, left
        if best is None:
            return None
        under, left = best
        out[k] = left, under
        skyline = _raised(skyline, left, left + wide, under + high)
    return out


def _raised(
    skyline: list[tuple[float, float, float]], left: float, right: float, height: float
) -> list[tuple[float, float, float]]:
    """``skyline`` with ``height`` between ``left`` and ``right``."""
    out = [(left, right, height)]
    for a, b, h in skyline:
        if a < left - 1e-12:
            out.append((a, min(b, left), h))
        if b > right + 1e-12:
            out.append((max(a, right), b, h))
    return sorted(out)
