"""The 68 iBUG landmarks, the jaw contour candidates and a few anatomical measures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from .head_mesh import HeadTopology
from .regions import Anatomy
from .render import cast, split_quads

RIGHT_AND_MIDDLE = {
    0: (-71.8, 21.5, -1.6), 1: (-70.8, 2.5, 4.5), 2: (-67.1, -14.7, 11.8), 3: (-61.3, -32.8, 28.7),
    4: (-54.8, -50.3, 38.4), 5: (-45.5, -66.0, 51.8), 6: (-32.1, -79.2, 63.7), 7: (-16.8, -87.9,
        71.7),
    8: (0, -90.0, 75.9),
    17: (-53.6, 36.0, 67.1), 18: (-44.0, 43.0, 78.8), 19: (-31.9, 44.7, 86.8), 20: (-20.1, 42.2,
        90.9),
    21: (-9.5, 36.4, 91.8),
    27: (0, 20.2, 88.8), 28: (0, 7.7, 92.7), 29: (0, -3.7, 99.1), 30: (0, -16.3, 107.9),
    31: (-12.5, -24.4, 91.4), 32: (-6.4, -26.9, 95.5), 33: (0, -28.6, 97.0),
    36: (-42.6, 18.4, 74.2), 37: (-34.5, 22.8, 81.2), 38: (-24.8, 22.3, 81.4), 39: (-17.5, 16.2,
        77.8),
    40: (-25.7, 13.3, 79.8), 41: (-35.4, 13.4, 79.0),
    48: (-21.8, -50.2, 85.0), 49: (-13.7, -43.2, 95.0), 50: (-5.8, -40.0, 97.9), 51: (0, -41.4,
        99.0),
    57: (0, -61.4, 93.5), 58: (-6.7, -60.7, 93.1), 59: (-14.3, -58.1, 91.1),
    60: (-17.6, -50.1, 87.7), 61: (-6.0, -47.9, 93.5), 62: (0, -48.6, 93.6), 66: (0, -50.0, 93.9),
    67: (-6.2, -49.2, 92.4),
}  # fmt: skip
"""Landmark -> position on the mean head in mm, for the subject's right half and the middle.

Measured with ``landmark_study.py``: the median over random heads (and their mirror images) of where
dlib's 300-W predictor sees each point, carried back to the mean head; then moved onto the lid
margins and lip lines by hand.
"""

MIRROR = (
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47,
    46, 39, 38, 37, 36, 41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60,
    67, 66, 65,
)  # fmt: skip
"""Landmark -> its mirror twin."""

CONTOUR_TILT = (0, 4, 8, 15, 28, 46, 64, 80, 90)
"""Degrees from horizontal to vertical of the cutting plane through each jaw landmark, ear to
chin."""
CONTOUR_BACK = (8, 14, 20, 26, 30, 30, 30, 26, 20)
CONTOUR_FRONT = (68, 62, 54, 46, 36, 30, 22, 16, 10)
"""mm behind and before each jaw landmark that its strip of candidates reaches."""
CONTOUR_INNER = (36, 36, 34, 32, 28, 22, 14, 5, 0)
"""mm from the midline where a strip ends, short of eye, nose and lips."""
CONTOUR_STEP = 3.0
CONTOUR_LENGTH = 20


@dataclass(frozen=True)
class Landmarks:
    """iBUG 68 points: nearest vertices (68,), exact triangles (68, 3) with barycentric weights (68,
    3), and the jaw's
    contour candidates (17, C) padded with -1."""

    vertices: np.ndarray
    triangles: np.ndarray
    barycentric: np.ndarray
    contour_candidates: np.ndarray


def find_anatomy(head: np.ndarray, topology: HeadTopology) -> Anatomy:
    """Measures the mean head (V, 3)."""
    eyes = [head[topology.vertices_of(part)] for part in ("eye_right", "eye_left")]
    centers = np.stack([eye.mean(axis=0) for eye in eyes])
    outer = head[(topology.part == "skin") & (np.abs(head[:, 0]) < 1e-6)]
    tip = outer[np.argmax(outer[:, 2])]
    radius = float(np.linalg.norm(eyes[0] - centers[0], axis=1).mean())
    mouth, chin = (np.array(RIGHT_AND_MIDDLE[index], float) for index in (66, 8))
    return Anatomy(centers, radius, tip, mouth, chin, float(head[:, 1].max()))


def landmark_positions() -> np.ndarray:
    """(68, 3) mm on the mean head, exactly mirror symmetric."""
    points = np.zeros((68, 3))
    for index, position in RIGHT_AND_MIDDLE.items():
        points[index] = position
        points[MIRROR[index]] = np.array(position) * [-1, 1, 1]
    return points


def closest_points(
    points: np.ndarray, vertices: np.ndarray, triangles: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Closest surface point to each of N points.

    Not libigl's: on the midline two triangles are equally near, and it takes the other one for two
    landmarks (27, 66), so that the asset would not be built again byte for byte.

    Returns:
        triangle (N,) index and barycentric weights (N, 3).
    """
    tree = cKDTree(vertices[triangles].mean(axis=1))
    chosen, weights = np.zeros(len(points), int), np.zeros((len(points), 3))
    for number, point in enumerate(points):
        near = np.sort(tree.query(point, k=60)[1])
        barycentric = np.stack([_clamped_barycentric(point, vertices[triangles[t]]) for t in near])
        found = np.einsum("tk,tkd->td", barycentric, vertices[triangles[near]])
        best = int(np.argmin(np.round(np.linalg.norm(found - point, axis=1), 9)))
        chosen[number], weights[number] = near[best], barycentric[best]
    return chosen, weights


def _clamped_barycentric(point: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Weights (3,) of the point of a triangle (3, 3) that lies closest to ``point``."""
    edges = corners[1:] - corners[0]
    inner = np.linalg.lstsq(edges.T, point - corners[0], rcond=None)[0]
    weights = np.array([1 - inner.sum(), *inner])
    if (weights >= 0).all():
        return weights
    best, best_distance = weights, np.inf
    for a, b in ((0, 1), (1, 2), (2, 0)):
        along = corners[b] - corners[a]
        t = float(np.clip((point - corners[a]) @ along / (along @ along), 0, 1))
        distance = float(np.linalg.norm(corners[a] + t * along - point))
        if distance < best_distance:
            best_distance, best = distance, np.zeros(3)
            best[a], best[b] = 1 - t, t
    return best


def place_landmarks(head: np.ndarray, topology: HeadTopology, island: np.ndarray) -> Landmarks:
    """Places the points on the outer skin of the mean head; the left half is the mirror image of
    the right."""
    skin = split_quads(topology.polygons[island == "skin"])
    points = landmark_positions()
    half = [index for index in range(68) if MIRROR[index] >= index]
    half = [index if points[index, 0] <= 0 else MIRROR[index] for index in half]
    chosen, weights = closest_points(points[half], head, skin)
    triangles, barycentric = np.zeros((68, 3), int), np.zeros((68, 3))
    for index, triangle, weight in zip(half, chosen, weights, strict=True):
        if MIRROR[index] == index:  # exactly on the plane of symmetry
            weight = np.where(np.abs(head[skin[triangle], 0]) < 1e-6, weight, 0.0)
            weight = weight / weight.sum()
        triangles[index], barycentric[index] = skin[triangle], weight
        if MIRROR[index] != index:
            triangles[MIRROR[index]], barycentric[MIRROR[index]] = (
                topology.symmetry[skin[triangle]],
                weight,
            )
    surface = np.einsum("nk,nkd->nd", barycentric, head[triangles])
    vertices = _nearest_vertices(surface, head, topology, np.unique(skin))
    return Landmarks(
        vertices, triangles, barycentric, contour_strips(surface, head, topology, island)
    )


def _nearest_vertices(
    surface: np.ndarray, head: np.ndarray, topology: HeadTopology, allowed: np.ndarray
) -> np.ndarray:
    """Nearest vertex to each landmark: on the midline for middle points, mirror twins for pairs."""
    middle = allowed[np.abs(head[allowed, 0]) < 1e-6]
    vertices = np.zeros(68, int)
    for index in range(68):
        if surface[index, 0] > 1e-6:
            continue
        pool = middle if MIRROR[index] == index else allowed
        vertices[index] = pool[
            np.argmin(np.round(np.linalg.norm(head[pool] - surface[index], axis=1), 6))
        ]
        vertices[MIRROR[index]] = topology.symmetry[vertices[index]]
    return vertices


def contour_strips(
    surface: np.ndarray, head: np.ndarray, topology: HeadTopology, island: np.ndarray
) -> np.ndarray:
    """For each jaw landmark the vertices along a cut through the head, from behind it to the front
    of the face.

    A turned head's outline is somewhere on that cut; a fitter takes the candidate that lies
    outermost in the picture.

    Returns:
        (17, C) int32, padded with -1.
    """
    skin_quads = topology.polygons[island == "skin"]
    skin = split_quads(skin_quads)
    allowed = np.unique(skin_quads)
    tree = cKDTree(head[allowed])
    strips = np.full((17, CONTOUR_LENGTH), -1, np.int32)
    for index in range(9):
        tilt = np.radians(CONTOUR_TILT[index])
        outward = np.array([-np.cos(tilt), -np.sin(tilt), 0.0])
        depths = np.arange(-CONTOUR_BACK[index], CONTOUR_FRONT[index] + 0.1, CONTOUR_STEP)
        origins = surface[index] + outward * 80 + depths[:, None] * [0, 0, 1]
        triangle, weights = cast(head, skin, origins, np.broadcast_to(-outward, origins.shape))
        hit = triangle >= 0
        points = np.einsum("nk,nkd->nd", weights[hit], head[skin[triangle[hit]]])
        points = points[np.abs(points[:, 0]) >= CONTOUR_INNER[index] - 1e-6]
        strip = list(dict.fromkeys(allowed[tree.query(points)[1]].tolist()))[:CONTOUR_LENGTH]
        strips[index, : len(strip)] = strip
        strips[16 - index, : len(strip)] = topology.symmetry[strip]
    return strips
