"""Closing a mouth that is a hole in the mesh."""

from __future__ import annotations

import igl
import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int32]

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
