"""The 68 landmarks on an imported mesh, and where the jaw's slide when the head turns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ...geometry.triangles import vertex_normals
from .registration import Registration
from .surface import LookupMesh
from .template import Template

Int = NDArray[np.int32]

#: A point of the jaw's strip farther from the mesh lies beyond its border.
BEYOND_MM = 5.0
#: Along closed lips: files put them anywhere within the mouth, and what is seen of the gap between
#: them is known for the default's only.  With ICT-FaceKit's own, smiles had no upper teeth.
BETWEEN_LIPS = np.array([61, 62, 63, 65, 66, 67])


@dataclass(frozen=True, eq=False)
class Landmarks:
    """iBUG's points as :class:`FaceModel` has them."""

    ids: Int  #: (68,)
    corners: Int  #: (68, 3)
    weights: NDArray[np.float32]  #: (68, 3)
    contour: Int  #: (17, C) vertex ids, padded with -1


def find_landmarks(
    template: Template, registration: Registration, surface: LookupMesh, known: NDArray | None
) -> Landmarks:
    """``known`` (68,) vertex ids where the file has them, else the default's counterparts.

    The exact points of :data:`BETWEEN_LIPS` are always the default's counterparts.
    """
    contour = _contour(template, registration, surface)
    found = _counterparts(template, registration, surface, contour)
    if known is None:
        return found
    ids = np.asarray(known, np.int32)
    corners = _triangles_of(ids, surface)
    weights = np.tile(np.array([1, 0, 0], np.float32), (68, 1))
    corners[BETWEEN_LIPS] = found.corners[BETWEEN_LIPS]
    weights[BETWEEN_LIPS] = found.weights[BETWEEN_LIPS]
    return Landmarks(ids, corners, weights, contour)


def _counterparts(
    template: Template, registration: Registration, surface: LookupMesh, contour: Int
) -> Landmarks:
    """Where the registration has the default's landmarks."""
    model = template.model
    registered = registration.vertices
    normals = vertex_normals(registered, template.triangles)
    corners = model.landmarks68_triangles
    points = template.landmarks_of(registered)
    facing = np.einsum("lk,lkd->ld", model.landmarks68_barycentric, normals[corners])
    facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-9)
    hits = surface.nearest(points, facing)
    found = surface.triangles[hits.triangle]
    ids = found[np.arange(68), hits.weights.argmax(axis=1)]
    return Landmarks(
        ids.astype(np.int32),
        found.astype(np.int32),
        hits.weights.astype(np.float32),
        contour,
    )


def _triangles_of(ids: Int, surface: LookupMesh) -> Int:
    """(68, 3) for each vertex a triangle that has it, with it as the first corner."""
    out = np.repeat(ids[:, None], 3, axis=1)
    for row, vertex in enumerate(ids):
        face, corner = np.nonzero(surface.triangles == vertex)
        if len(face):
            out[row] = np.roll(surface.triangles[face[0]], -corner[0])
    return out.astype(np.int32)


def _contour(template: Template, registration: Registration, surface: LookupMesh) -> Int:
    """(17, C) the vertices nearest to the default's candidates."""
    candidates = template.model.contour_candidates
    used = np.unique(surface.triangles)
    tree = cKDTree(surface.vertices[used])
    out = np.full(candidates.shape, -1, np.int32)
    there = candidates >= 0
    gap, near = tree.query(registration.vertices[candidates[there]])
    out[there] = np.where(gap < BEYOND_MM, used[near], -1)
    return out
