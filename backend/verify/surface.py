"""The reconstructed surface as a renderer takes it: triangles with normals, texture, colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..exchange import Reconstruction

Float = NDArray[np.float32]
Double = NDArray[np.float64]
Int = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Surface:
    """V vertices and F triangles in head axes."""

    vertices: Double  #: (V, 3) mm
    normals: Double  #: (V, 3) unit, outward
    faces: Int  #: (F, 3) counter-clockwise seen from outside
    uv: Float  #: (F, 3, 2) v up
    texture: Float  #: (T, T, 3) sRGB 0..1, row 0 at v = 1
    sh_light: Float  #: (9, 3) head axes


def surface_of(reconstruction: Reconstruction, texture: NDArray) -> Surface:
    """The posed head with ``texture`` (T, T, 3), sRGB 0..1: one texel where it has none."""
    vertices = reconstruction.vertices_posed.astype(np.float64)
    return Surface(
        vertices=vertices,
        normals=smooth_normals(vertices, reconstruction.polygons),
        faces=_fan(reconstruction.polygons),
        uv=np.asarray(reconstruction.uv, np.float32)[_fan(reconstruction.uv_polygons)],
        texture=np.asarray(texture, np.float32),
        sh_light=np.asarray(reconstruction.sh_light, np.float32),
    )


def smooth_normals(vertices: Double, polygons: NDArray) -> Double:
    """(V, 3) unit vertex normals: the polygons' normals weighted by their angles at the vertex.

    Thuermer and Wuethrich 1998, "Computing Vertex Normals from Polygonal Facets": unlike weighting
    by area they do not depend on how a surface was cut into polygons, and Blender's are made so.
    ``polygons`` (P, 3 | 4); a vertex of none gets its direction from the origin, as in Blender.
    """
    corner = vertices[polygons]
    ahead = _unit(np.roll(corner, -1, 1) - corner)
    # A polygon's normal by Newell's sum, which for a quad is the cross product of its diagonals.
    normal = _unit(np.cross(corner, np.roll(corner, -1, 1)).sum(1))
    behind = -np.roll(ahead, 1, 1)
    angle = np.arccos(np.clip((ahead * behind).sum(-1), -1, 1))
    total = np.zeros_like(vertices)
    np.add.at(total, polygons, angle[..., None] * normal[:, None])
    bare = np.linalg.norm(total, axis=1) == 0
    total[bare] = vertices[bare]
    return _unit(total)


def _fan(polygons: NDArray) -> Int:
    """(F, 3) triangles about each polygon's first corner."""
    if polygons.shape[1] == 3:
        return np.ascontiguousarray(polygons, np.int32)
    return np.ascontiguousarray(polygons[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3), np.int32)


def _unit(vectors: Double) -> Double:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-30)
