"""Closing a mouth that is a hole in the mesh, and a place for it in the texture.

Between closed lips the sheet that closes the mouth has no area, so its texture coordinates are laid
out with the jaw open: it is the dark of a mouth, without teeth.
"""

from __future__ import annotations

import igl
import numpy as np
from numpy.typing import NDArray

from ...raster import rasterize_uv

Int = NDArray[np.int32]

#: Sides of the sheet's island, parts of the texture's, and of the grid on which room is sought.
ISLAND = (0.16, 0.08)
GRID = 64

INNER_LIPS = slice(60, 68)
#: A border whose middle is so near the inner lips', and which is not longer, is the mouth's.
NEAR_MM = 15.0
LONGEST_MM = 220.0


def mouth_triangles(mean: NDArray, triangles: Int, landmarks68: Int) -> Int | None:
    """(M, 3) a strip of triangles from one corner of the mouth to the other, or None.

    None where the inner lips surround no hole.
    """
    lips = mean[landmarks68[INNER_LIPS]].mean(axis=0)
    for loop in igl.boundary_loop_all(triangles.astype(np.int64)):
        border = np.array(loop)
        points = mean[border]
        length = np.linalg.norm(points - np.roll(points, -1, axis=0), axis=1).sum()
        if length < LONGEST_MM and np.linalg.norm(points.mean(axis=0) - lips) < NEAR_MM:
            return _strip(np.roll(border, -int(points[:, 0].argmin())))
    return None


def _strip(loop: NDArray) -> Int:
    """(N - 2, 3) triangles between the two ways round ``loop`` from its first vertex.

    They run against the loop, which runs as the triangles around it do.
    """
    out, ahead, behind = [], 1, len(loop) - 1
    out.append((0, behind, ahead))
    while behind - ahead > 1:
        out.append((ahead, behind, ahead + 1))
        ahead += 1
        if behind - ahead > 1:
            out.append((behind, behind - 1, ahead))
            behind -= 1
    return loop[np.array(out)].astype(np.int32)


def sheet_coordinates(
    opened: NDArray, sheet: Int, uv: NDArray, uv_triangles: Int
) -> tuple[NDArray[np.float32], Int] | None:
    """Further texture coordinates (N, 2) for the ``sheet`` (M, 3), and (M, 3) into all of them.

    ``opened`` (V, 3) is the head with open jaw.  None where the texture has no room left.
    """
    taken = rasterize_uv(uv, uv_triangles, GRID, 1).mask
    width, height = (int(np.ceil(GRID * side)) for side in ISLAND)
    windows = np.lib.stride_tricks.sliding_window_view(taken, (height, width))
    free = np.argwhere(~windows.any(axis=(2, 3)))
    if not len(free):
        return None
    # The corner farthest from the middle.
    centre = (np.array(taken.shape) - (height, width)) / 2
    row, column = free[np.linalg.norm(free - centre, axis=1).argmax()]
    ids, corners = np.unique(sheet, return_inverse=True)
    flat = opened[ids, :2] - opened[ids, :2].min(axis=0)
    flat /= np.maximum(flat.max(axis=0), 1e-6)
    low = np.array([column + 1.0, GRID - row - height + 1.0])
    place = (low + flat * (np.array([width, height]) - 2)) / GRID
    return place.astype(np.float32), (corners.reshape(-1, 3) + len(uv)).astype(np.int32)
