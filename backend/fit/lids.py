"""How far the eyes are open: Google's lids (:mod:`..network.face_landmarker`) as rows of a solve.

dlib's lids hardly tell staring eyes from resting ones, nor shut from half shut.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import Camera
from ..geometry.upright import rigid_view
from ..network.region_crops import POSE_WEIGHTS

Double = NDArray[np.float64]

#: Landmarks of the upper and of the lower lid over the pupil, right eye and left, and the corners.
FACING_LIDS = np.array([[[37, 38], [41, 40]], [[43, 44], [47, 46]]])
EYE_CORNERS = np.array([[36, 39], [42, 45]])
#: mm by which the distance of the lids is off in a photo, and in a film from frame to frame (0.4),
#: whose person's eyes are known.
LIDS_SIGMA_MM, FRAME_LIDS_SIGMA_MM = 0.8, 0.5


def lids_apart_mm(lids: NDArray, marks: NDArray, template: NDArray) -> float:
    """How far the lids are apart over the pupils, in mm, the mean of both eyes.

    ``lids`` as for :func:`lid_rows`, ``marks`` (68, 2) pixels of the same face, ``template``
    (68, 3) mm the mean head's landmarks.
    """
    scale = rigid_view(np.asarray(marks, np.float64)[None], template, POSE_WEIGHTS)[0][0]
    apart = np.linalg.norm(lids[:, 1] - lids[:, 0], axis=1).mean()
    return float(apart / max(float(scale), 1e-9))


def lid_rows(
    lids: NDArray,
    camera: Camera,
    points: NDArray,
    jacobian: NDArray,
    sigma_mm: float = LIDS_SIGMA_MM,
) -> tuple[Double, Double]:
    """Whitened rows (2, N) and their values (2,): the lids of each eye, as far apart as seen.

    ``lids`` (2, 2, 2) pixels of the right eye's upper and lower lid over the pupil, then the left
    one's.  ``points`` (68, 3) mm are the head's landmarks before ``camera``, ``jacobian``
    (68, 2, N) moves their pixels; ``sigma_mm`` is the distances' error.  Only what lies across the
    eye counts: where along a lid its points lie, each has its own idea of.
    """
    seen = camera.project(points)
    scale = camera.focal / float(camera.to_camera(points)[:, 2].mean())
    along = seen[EYE_CORNERS[:, 1]] - seen[EYE_CORNERS[:, 0]]
    across = np.stack([-along[:, 1], along[:, 0]], 1)
    across /= sigma_mm * scale * np.linalg.norm(across, axis=1, keepdims=True)
    upper, lower = FACING_LIDS.transpose(1, 0, 2)
    apart = seen[lower].mean(axis=1) - seen[upper].mean(axis=1)
    moves = jacobian[lower].mean(axis=1) - jacobian[upper].mean(axis=1)
    missed = np.asarray(lids, np.float64)[:, 1] - lids[:, 0] - apart
    return np.einsum("ex,exn->en", across, moves), (across * missed).sum(axis=1)
