"""What the accuracy benchmark measures of one reconstruction."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..geometry.similarity import Similarity
from ..model import FaceModel
from .surface import ClosestPoints, Double, align, sample_surface

RADIUS_MM = 95.0  #: about the nose tip
SAMPLES = 4000
_ALIGN_EVERY = 3  #: of these points, for the alignment
_NOSE_TIP = 30  #: iBUG
_JAW = 17  #: landmarks that depend on the view


def surface_distances(
    model: FaceModel, found: NDArray, true: NDArray, true_model: FaceModel | None = None
) -> Double:
    """(N,) mm from points of the true face (W, 3) to the reconstructed surface (V, 3).

    ``found`` is of ``model``, ``true`` of ``true_model``: the same one unless given.

    The protocol of the NoW benchmark (Sanyal et al. 2019, "Learning to Regress 3D Face Shape and
    Expression from an Image without 3D Supervision"): points within 95 mm of the nose tip, the
    reconstruction aligned by a similarity from landmarks and then by ICP.  The points lie evenly on
    the true outer face, without eyes and mouth; distances are exact, point to triangle.
    """
    true_model = true_model or model
    points = true_points(true_model, true)
    surface = ClosestPoints(found, _near_face(model, found))
    start = Similarity.between(inner_landmarks(model, found), inner_landmarks(true_model, true))
    moved = align(surface, points[::_ALIGN_EVERY], start)
    nearest = moved.apply(surface.closest(moved.inverse(points)))
    return np.linalg.norm(nearest - points, axis=1)


def true_points(model: FaceModel, vertices: NDArray, count: int = SAMPLES) -> Double:
    """(count, 3) points even over the face of ``vertices`` (V, 3) within 95 mm of the nose tip."""
    vertices = np.asarray(vertices, np.float64)
    tip = inner_landmarks(model, vertices)[_NOSE_TIP - _JAW]
    face = model.mask("face")[model.faces].min(axis=1) > 0.5
    triangles = model.faces[face & (_gaps(vertices[model.faces], tip).min(axis=1) < RADIUS_MM)]
    # Triangles on the border count as far as they lie inside.
    ids, weights = sample_surface(vertices, triangles, count)
    points = np.einsum("nc,ncx->nx", weights, vertices[triangles[ids]])
    return points[_gaps(points, tip) < RADIUS_MM]


def inner_landmarks(model: FaceModel, vertices: NDArray) -> Double:
    """(51, 3) landmarks 17..67 on ``vertices`` (V, 3)."""
    corners = np.asarray(vertices, np.float64)[model.landmarks68_triangles[_JAW:]]
    return np.einsum("lc,lcx->lx", model.landmarks68_barycentric[_JAW:], corners)


def _near_face(model: FaceModel, vertices: NDArray) -> NDArray[np.int32]:
    """(F, 3) triangles of the outer skin that can be closest to a point of the face."""
    skin = model.faces[_outer_skin(model)]
    tip = inner_landmarks(model, vertices)[_NOSE_TIP - _JAW]
    return skin[_gaps(vertices[skin], tip).min(axis=1) < 1.5 * RADIUS_MM]


@lru_cache(maxsize=2)
def _outer_skin(model: FaceModel) -> NDArray[np.bool_]:
    """(F,) the triangles a scanner would see: no eye sockets, no mouth."""
    return model.mask("skin")[model.faces].min(axis=1) > 0.5


def landmark_error(found: NDArray, true: NDArray) -> float:
    """Mean distance of (68, 2) landmarks as a part of the square root of the true ones' box.

    The normalised mean error of Zhu et al. 2016, "Face Alignment Across Large Poses: A 3D
    Solution".
    """
    true = np.asarray(true, np.float64)
    side = np.sqrt(np.prod(np.ptp(true, axis=0)))
    return float(np.linalg.norm(np.asarray(found) - true, axis=1).mean() / side)


def _gaps(points: NDArray, centre: NDArray) -> Double:
    return np.linalg.norm(points - centre, axis=-1)
