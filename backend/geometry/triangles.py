"""Normals and areas of meshes; numpy only.  In torch: :mod:`..differentiable.shading`.

Polygons are counter-clockwise seen from outside.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Shorter vectors have no direction: they stay what they are, next to 0.
_SHORTEST = 1e-12


def unit(vectors: NDArray) -> NDArray:
    """(..., D) of length 1, those of length 0 left as they are; in the dtype of ``vectors``."""
    length = np.maximum(norm(vectors), _SHORTEST)
    out = np.empty_like(vectors)
    # Axis by axis: numpy takes several times as long to divide rows of three by a column.
    for axis in range(vectors.shape[-1]):
        np.divide(vectors[..., axis], length, out=out[..., axis])
    return out


def norm(vectors: NDArray) -> NDArray:
    """(...) the lengths of ``vectors`` (..., D), in their dtype."""
    # numpy.linalg.norm takes eight times as long for rows of three.
    return np.sqrt(dot(vectors, vectors))


def dot(a: NDArray, b: NDArray) -> NDArray:
    """(...) the scalar products of ``a`` and ``b`` (..., D), axis by axis as :func:`unit`."""
    total = a[..., 0] * b[..., 0]
    for axis in range(1, a.shape[-1]):
        total = total + a[..., axis] * b[..., axis]
    return total


def area_vectors(vertices: NDArray, triangles: NDArray) -> NDArray:
    """(F, 3) outward normals as long as twice the area of ``triangles`` (F, 3)."""
    # Axis by axis: numpy.cross takes three times as long for rows of three.
    p, q = (
        [axis[triangles[:, corner]] - axis[triangles[:, 0]] for axis in vertices.T]
        for corner in (1, 2)
    )
    return np.stack(
        [p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]], axis=1
    )


def triangle_areas(vertices: NDArray, triangles: NDArray) -> NDArray:
    """(F,) in the square of the vertices' unit."""
    return np.linalg.norm(area_vectors(vertices, triangles), axis=1) / 2


def triangle_normals(vertices: NDArray, triangles: NDArray) -> NDArray:
    """(F, 3) unit outward normals; 0 where a triangle has no area."""
    return unit(area_vectors(vertices, triangles))


def vertex_normals(vertices: NDArray, triangles: NDArray, by_area: bool = True) -> NDArray:
    """(V, 3) unit outward normals, means of the triangles around; 0 for unused vertices.

    Triangles count by their area, or all alike.  ``vertices`` (V, 3), whose dtype the normals
    have.
    """
    normal = area_vectors(vertices, triangles)
    if not by_area:
        normal = unit(normal)
    total = np.empty_like(vertices)
    for axis in range(3):
        each = np.repeat(normal[:, axis], 3)
        total[:, axis] = np.bincount(triangles.ravel(), each, minlength=len(vertices))
    return unit(total)


def angle_weighted_normals(vertices: NDArray, polygons: NDArray) -> NDArray:
    """(V, 3) unit vertex normals: the polygons' normals weighted by their angles at the vertex.

    Thuermer and Wuethrich 1998, "Computing Vertex Normals from Polygonal Facets": unlike weighting
    by area they do not depend on how a surface was cut into polygons, and Blender's are made so.
    ``polygons`` (P, 3 | 4); a vertex of none gets its direction from the origin, as in Blender.
    """
    corner = vertices[polygons]
    ahead = unit(np.roll(corner, -1, 1) - corner)
    # A polygon's normal by Newell's sum, which for a quad is the cross product of its diagonals.
    normal = unit(np.cross(corner, np.roll(corner, -1, 1)).sum(1))
    behind = -np.roll(ahead, 1, 1)
    angle = np.arccos(np.clip((ahead * behind).sum(-1), -1, 1))
    total = np.zeros_like(vertices)
    np.add.at(total, polygons, angle[..., None] * normal[:, None])
    bare = np.linalg.norm(total, axis=1) == 0
    total[bare] = vertices[bare]
    return unit(total)
