"""What the contours of a face show of its expression, as numbers without pose and size.

Two landmarkers may have marked it: dlib its 68 points, a face mesh its 468 (MediaPipe's topology).
Of the first all points are kept, of the second the few distances that its points tell well: on
renderings it follows the eyebrows' height with an error of 1.7 mm where dlib's is 3.0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.upright import without_pose

Double = NDArray[np.float64]
Float = NDArray[np.float32]

#: The mesh's points that lie where iBUG's lie, and pairs whose middle does (the brows' two edges).
MESH_POINTS: dict[int, int] = {
    0: 127, 16: 356, 27: 168, 28: 6, 30: 1, 31: 98, 33: 2, 35: 327,
    36: 33, 37: 160, 38: 158, 39: 133, 40: 153, 41: 144,
    42: 362, 43: 385, 44: 387, 45: 263, 46: 373, 47: 380,
    48: 61, 51: 0, 54: 291, 57: 17, 61: 81, 62: 13, 63: 311, 65: 402, 66: 14, 67: 178,
}  # fmt: skip
MESH_PAIRS: dict[int, tuple[int, int]] = {
    17: (70, 46), 18: (63, 53), 19: (105, 52), 20: (66, 65), 21: (107, 55),
    22: (336, 285), 23: (296, 295), 24: (334, 282), 25: (293, 283), 26: (300, 276),
}  # fmt: skip
#: Numbers of each part; each is followed by a 1, or by a 0 where it is missing.
MARK_FEATURES, MESH_FEATURES = 140, 11
FEATURES = MARK_FEATURES + 1 + MESH_FEATURES + 1
#: mm by which residuals are divided, and the mesh's numbers on an average face.
_RESIDUAL_MM = 4.0
_MESH_USUAL = np.array([-4.5, -4.5, -6.3, -6.3, 2.8, 2.8, 5.0, 1.5, 45.0, 0.0, 0.0])


def _weights(brows: float, jaw: float, others: dict[int, float]) -> Double:
    """(68,) of the rigid alignment: nose and corners of the eyes hardly move."""
    weights = np.zeros(68)
    weights[27:36] = 1.0
    weights[[36, 39, 42, 45]] = 1.5
    weights[17:27] = brows
    weights[[0, 1, 2, 14, 15, 16]] = jaw
    weights[[48, 51, 54, 57]] = 0.05
    for index, weight in others.items():
        weights[index] = weight
    return weights


_MARK_WEIGHTS = _weights(0.1, 0.15, {})
_MESH_WEIGHTS = _weights(
    0.0, 0.0, {0: 0.15, 16: 0.15, 29: 0.0, 32: 0.0, 34: 0.0}
)  # the mesh's own points only


def mark_features(marks: NDArray, template: NDArray) -> Float:
    """(N, 140) of ``marks`` (N, 68, 2) pixels; ``template`` (68, 3) mm, the mean head's."""
    missed, turn = without_pose(marks, template, _MARK_WEIGHTS)
    across, up = turn[:, 0, 2], turn[:, 1, 2]
    pose = np.stack([across, up, across**2, turn[:, 0, 0]], axis=1)
    flat = missed.reshape(len(missed), -1) / _RESIDUAL_MM
    return np.concatenate([flat, pose], axis=1).astype(np.float32)


def mesh_measures(points: NDArray, template: NDArray) -> tuple[Double, Double]:
    """Nine distances (N, 9) of ``points`` (N, 68, 2), see :func:`mesh_marks`, and sines (N, 2).

    In mm: the height of the right and left inner brows, of the outer ones, over the corners of
    their eye and above the mean head's; the lids' opening in tenths of the eye's width, right and
    left; the lips' opening; the mouth's corners over its middle; the mouth's width.  The sines are
    those of yaw and pitch.
    """
    missed, turn = without_pose(points, template, _MESH_WEIGHTS)
    share = _MESH_WEIGHTS / _MESH_WEIGHTS.sum()
    at = missed + np.einsum("pk,nxk->npx", template - share @ template, turn)
    across, up = turn[:, 0, 2], turn[:, 1, 2]
    shortened = np.sqrt(np.clip(1 - up**2, 0.5, 1.0))

    def height(ids: list[int]) -> Double:
        return missed[:, ids, 1].mean(axis=1) / shortened

    def apart(a: int, b: int) -> Double:
        return np.linalg.norm(at[:, a] - at[:, b], axis=1)

    right, left = height([36, 39]), height([42, 45])
    lids = [
        10 * (apart(a, b) + apart(c, d)) / 2 / np.maximum(apart(e, f), 1e-6) / shortened
        for a, b, c, d, e, f in ((37, 41, 38, 40, 36, 39), (43, 47, 44, 46, 42, 45))
    ]
    measures = [
        right - height([20, 21]),
        left - height([22, 23]),
        right - height([17, 18]),
        left - height([25, 26]),
        *lids,
        (apart(61, 67) + apart(62, 66) + apart(63, 65)) / 3,
        height([51, 57]) - height([48, 54]),
        apart(48, 54),
    ]
    return np.stack(measures, axis=1), np.stack([across, up], axis=1)


def mesh_features(measures: Double, sines: Double) -> Float:
    """(N, 11) of what :func:`mesh_measures` gives, about their usual values."""
    return (np.concatenate([measures, 5 * sines], axis=1) - _MESH_USUAL).astype(np.float32)


def mesh_marks(mesh: NDArray) -> Double:
    """(N, 68, 2) iBUG's points as far as ``mesh`` (N, 468, 2) has them; the others are 0."""
    mesh = np.asarray(mesh, np.float64)
    marks = np.zeros((len(mesh), 68, 2))
    for index, point in MESH_POINTS.items():
        marks[:, index] = mesh[:, point]
    for index, (lower, upper) in MESH_PAIRS.items():
        marks[:, index] = (mesh[:, lower] + mesh[:, upper]) / 2
    return marks


def joined(marks: Float | None, mesh: Float | None) -> Float:
    """(N, 153) both parts' features; zeros where one is None."""
    given = marks if marks is not None else mesh
    if given is None:
        raise ValueError("Neither marks nor a mesh were given.")
    parts: list[Float] = []
    for part, size in ((marks, MARK_FEATURES), (mesh, MESH_FEATURES)):
        there = part is not None
        parts.append(part if part is not None else np.zeros((len(given), size), np.float32))
        parts.append(np.full((len(given), 1), float(there), np.float32))
    return np.concatenate(parts, axis=1)
