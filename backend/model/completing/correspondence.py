"""Which point of the default head each vertex, triangle and texel of another mesh is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ...geometry.triangles import triangle_normals, vertex_normals
from .surface import Hits, LookupMesh, interpolate
from .template import Template

Double = NDArray[np.float64]
Int = NDArray[np.int32]

#: Between these distances in mm a counterpart is believed less and less.
NEAR_MM = (4.0, 12.0)
FAR_MM = 30.0  #: farther ones are not looked for


@dataclass(frozen=True, eq=False)
class Correspondence:
    """Counterparts in the registered default head of the V vertices and F triangles of a mesh."""

    template: Template
    registered: Double  #: (D, 3) the default's vertices laid over the mesh, mm
    vertex: Hits
    belief: Double  #: (V,) 0..1 in the vertices' counterparts
    triangle: Hits  #: of the triangles' middles
    triangle_belief: Double  #: (F,)

    def carry(self, values: NDArray) -> NDArray:
        """(V, ...) what ``values`` (D, ...) of the default's vertices are at the mesh's."""
        return interpolate(values, self.template.triangles, self.vertex)

    def matrix(self) -> sp.csr_matrix:
        """(V, D) what :meth:`carry` does."""
        corners = self.template.triangles[self.vertex.triangle]
        rows = np.repeat(np.arange(len(corners)), 3)
        shape = (len(corners), len(self.registered))
        return sp.csr_matrix((self.vertex.weights.ravel(), (rows, corners.ravel())), shape)


def correspond(
    template: Template, registered: Double, mean: NDArray, triangles: Int
) -> Correspondence:
    """Nearest points on the registered head that face the same way."""
    surface, mean = LookupMesh(registered, template.triangles), np.asarray(mean, np.float64)
    vertex = surface.nearest(mean, vertex_normals(mean, triangles), 2, FAR_MM)
    middle = mean[triangles].mean(axis=1)
    triangle = surface.nearest(middle, triangle_normals(mean, triangles), 1, FAR_MM)
    return Correspondence(
        template, registered, vertex, _belief(vertex), triangle, _belief(triangle)
    )


def _belief(hits: Hits) -> Double:
    near = np.clip((NEAR_MM[1] - hits.distance) / (NEAR_MM[1] - NEAR_MM[0]), 0, 1)
    return near * np.clip((hits.facing + 0.2) / 0.7, 0, 1)


def mirrored(mean: NDArray, start_x: float) -> Int:
    """(V,) the vertex nearest to each one's mirror image.

    The plane starts at x = ``start_x`` and is moved until mesh and mirror image lie on each other.
    """
    points = np.asarray(mean, np.float64)
    tree = cKDTree(points)
    normal, offset = np.array([1.0, 0, 0]), start_x
    step = max(1, len(points) // 4000)
    for _ in range(8):
        some = points[::step]
        image = some - 2 * (some @ normal - offset)[:, None] * normal
        gap, near = tree.query(image)
        keep = gap <= np.quantile(gap, 0.8)
        # The plane halves the ways from points to their mirror images' neighbours.
        across = points[near[keep]] - some[keep]
        across *= np.sign(across @ normal)[:, None]
        weight = np.linalg.norm(across, axis=1)
        new = (across * weight[:, None]).sum(axis=0)
        normal = new / max(np.linalg.norm(new), 1e-9)
        middle = (points[near[keep]] + some[keep]) / 2
        offset = float(np.median(middle @ normal))
    image = points - 2 * (points @ normal - offset)[:, None] * normal
    return tree.query(image)[1].astype(np.int32)
