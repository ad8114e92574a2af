"""What is checked and prepared of a mesh before a face is looked for on it."""

from __future__ import annotations

import igl
import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from ..geometry.triangles import vertex_normals

Double = NDArray[np.float64]
Int = NDArray[np.int32]

#: A face of fewer vertices has no lids and lips that could move; of more it takes minutes and
#: gigabytes: 52 keys of so many vertices are 560 MB alone.
FEWEST_VERTICES, MOST_VERTICES = 400, 900_000
#: Of the mesh's size, within which two vertices are one.
SAME = 1e-6
#: Cosine between the normals of two vertices in one place from which on they are one: those of a
#: cut through the skin are alike, those of closed lips opposite.
ALIKE = 0.3
#: More vertices than this in one place are looked at in turn.
MOST_IN_ONE_PLACE = 12


def checked(vertices: NDArray, triangles: NDArray) -> tuple[Double, Int]:
    """(V, 3) float64 and (F, 3) int32.  Raises :class:`ModelError` where they are no mesh."""
    points, corners = np.asarray(vertices), np.asarray(triangles)
    if points.ndim != 2 or points.shape[1] != 3 or points.dtype.kind not in "fiu":
        raise ModelError(f"The vertices are {points.dtype} {points.shape}, not numbers (V, 3).")
    if corners.ndim != 2 or corners.shape[1] != 3 or corners.dtype.kind not in "iu":
        raise ModelError(f"The triangles are {corners.dtype} {corners.shape}, not indices (F, 3).")
    if not FEWEST_VERTICES <= len(points) <= MOST_VERTICES:
        raise ModelError(
            f"The mesh has {len(points):,} vertices; a face that can move has {FEWEST_VERTICES} "
            f"to {MOST_VERTICES:,}."
        )
    bad = int((~np.isfinite(points.astype(np.float64))).any(axis=1).sum())
    if bad:
        raise ModelError(
            f"{bad} of the mesh's vertices have coordinates that are no numbers; delete or repair "
            "them."
        )
    if not len(corners):
        raise ModelError("The mesh has no faces, only vertices or edges.")
    if corners.min() < 0 or corners.max() >= len(points):
        raise ModelError("The triangles name vertices that the mesh does not have.")
    if not np.ptp(points, axis=0).max() > 0:
        raise ModelError("All vertices of the mesh are in one place.")
    return points.astype(np.float64), np.ascontiguousarray(corners, np.int32)


def welded(points: Double, triangles: Int) -> tuple[Double, Int, Int]:
    """The mesh with vertices in one place made one: points (W, 3), triangles, and (V,) which.

    Files cut a mesh along the seams of its texture, or at each edge.  Only vertices on borders are
    made one, and none whose normals differ, so that lashes and films stay what they are and closed
    lips are not sewn together.
    """
    border = np.unique(igl.boundary_facets(triangles.astype(np.int64))[0])
    step = SAME * float(np.ptp(points, axis=0).max())
    keys = np.round((points - points.min(axis=0)) / step).astype(np.int64)
    _, place = np.unique(keys, axis=0, return_inverse=True)
    place = place.ravel()
    normals = vertex_normals(points, triangles)
    label = np.full(len(points), -1, np.int64)
    inner = np.ones(len(points), bool)
    inner[border] = False
    label[inner] = np.arange(int(inner.sum()))
    number, left = int(inner.sum()), border
    for _ in range(MOST_IN_ONE_PLACE):
        if not len(left):
            break
        groups, first = np.unique(place[left], return_index=True)
        head = left[first][np.searchsorted(groups, place[left])]
        alike = np.einsum("nd,nd->n", normals[left], normals[head]) > ALIKE
        alike |= left == head
        ids = number + np.searchsorted(groups, place[left])
        label[left[alike]] = ids[alike]
        number += len(groups)
        left = left[~alike]
    label[left] = number + np.arange(len(left))
    _, which, label = np.unique(label, return_index=True, return_inverse=True)
    label = label.ravel().astype(np.int32)
    corners = label[triangles]
    flat = (corners == np.roll(corners, 1, axis=1)).any(axis=1)
    return points[which], np.ascontiguousarray(corners[~flat]), label
