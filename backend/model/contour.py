"""Which points of the head the 68 landmarks are in a given view: the jaw's depend on it.

Annotators (and so dlib) mark the jaw line as it is *seen*: when the head turns, the line on the far
side is the silhouette of the cheek, which slides over the surface (Zhu et al. 2015, "High-fidelity
pose and expression normalization", section 3).  The near side keeps its anatomical points.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import Camera
from .face_model import FaceModel

#: Below this turn both sides of the jaw are seen as they are on a frontal face.
FRONTAL_YAW_DEGREES = 5.0


def visible_jaw(model: FaceModel, vertices: NDArray, camera: Camera) -> NDArray[np.int32]:
    """(68,) landmark vertex ids, the jaw's far side moved to the silhouette seen by ``camera``.

    ``vertices`` (V, 3) are the posed head in mm.
    """
    ids = model.landmarks68.copy()
    yaw = camera.euler_degrees[0]
    if abs(yaw) < FRONTAL_YAW_DEGREES:
        return ids
    # The head turns to its left (+): its left side, iBUG 9..16, is hidden.
    far_side = range(9, 17) if yaw > 0 else range(8)
    outward = camera.rotation[:2, 0] * (1.0 if yaw > 0 else -1.0)
    for i in far_side:
        strip = model.contour_candidates[i]
        strip = strip[strip >= 0]
        if strip.size:
            ids[i] = strip[np.argmax(camera.project(vertices[strip]) @ outward)]
    return ids


def landmark_points(model: FaceModel, vertices: NDArray, ids: NDArray) -> NDArray[np.float64]:
    """(68, 3) mm the landmarks on ``vertices`` (V, 3), the jaw's as :func:`visible_jaw` has them.

    ``ids`` (68,) are vertices; where one differs from the model's own the landmark is that vertex,
    else the model's exact point on the surface.
    """
    corners = vertices[model.landmarks68_triangles].astype(np.float64)
    points = np.einsum("lc,lcx->lx", model.landmarks68_barycentric, corners)
    moved = ids != model.landmarks68
    points[moved] = vertices[ids[moved]]
    return points


def seen_landmarks(model: FaceModel, vertices: NDArray, camera: Camera) -> NDArray[np.float64]:
    """(68, 3) mm the landmarks on ``vertices`` (V, 3) as ``camera`` sees them."""
    return landmark_points(model, vertices, visible_jaw(model, vertices, camera))
