"""A smooth Gaussian process on the face, for shapes that the artists' targets miss.

After Luethi, Gerig, Jud, Vetter 2017, "Gaussian Process Morphable Models": displacements with a
covariance that only says "nearby points move alike", made low-rank. What the principal components
express already is projected out.
"""

from __future__ import annotations

import numpy as np

from .head_mesh import HeadTopology
from .identity import fix_signs
from .regions import smooth_step

SCALES = ((45.0, 0.55), (20.0, 0.35))
"""(length in mm, standard deviation in mm) of the Gaussian kernels that are summed."""
FUNCTIONS = 60
"""Eigenfunctions kept of each symmetry class."""
EYE_RIGID, EYE_FREE = 1.25, 2.6
"""Within 1.25 eye radii of an eye's centre the field is constant (eyeball and lids move as one),
beyond 2.6 it is free."""


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Covariance (N, M) of the scalar field between points (N, 3) and (M, 3)."""
    squared = np.maximum((a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T, 0)
    total = np.zeros_like(squared)
    for length, sigma in SCALES:
        total += sigma**2 * np.exp(-0.5 * squared / length**2)
    return total


def _evaluation_points(head: np.ndarray, topology: HeadTopology) -> np.ndarray:
    """(V, 3) where the field is read for each vertex: space is shrunk about the eyes and each row
    of teeth."""
    points = head.copy()
    for part in ("eye_right", "eye_left"):
        eye = head[topology.vertices_of(part)]
        center, radius = eye.mean(axis=0), np.linalg.norm(eye[0] - eye.mean(axis=0))
        arm = head - center
        distance = np.linalg.norm(arm, axis=1) / radius
        near = distance < EYE_FREE
        points[near] = (center + arm * smooth_step(distance, EYE_RIGID, EYE_FREE)[:, None])[near]
    for part in ("teeth_upper", "teeth_lower"):
        rows = topology.vertices_of(part)
        points[rows] = head[rows].mean(axis=0)
    return points


def _vertex_areas(head: np.ndarray, polygons: np.ndarray) -> np.ndarray:
    """(V,) a quarter of the area of the quads around each vertex."""
    corner = head[polygons]
    area = (
        np.linalg.norm(np.cross(corner[:, 2] - corner[:, 0], corner[:, 3] - corner[:, 1]), axis=1)
        / 2
    )
    total = np.zeros(len(head))
    for k in range(4):
        np.add.at(total, polygons[:, k], area / 4)
    return total


def smooth_fields(
    head: np.ndarray, topology: HeadTopology, face: np.ndarray, mouth: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Low-rank basis of the process, by the Nystroem method on the face's vertices.

    Args:
        head: (V, 3) mm.
        topology: the head.
        face: (V,) weight of the face, to which the process is confined.
        mouth: (V,) 1 inside the mouth, which has to follow the face around it.

    Returns:
        fields (N, V, 3) mm for N(0, 1) coefficients, and (N,) bool whether each is mirror
        symmetric.
    """
    support = np.flatnonzero(face > 0)
    mirror = np.array([-1.0, 1.0, 1.0])
    points = _evaluation_points(head, topology)
    nodes = points[support]
    root = np.sqrt(_vertex_areas(head, topology.polygons)[support])
    inside = np.isin(
        topology.part, ("eye_right", "eye_left", "teeth_upper", "teeth_lower", "tongue")
    )
    fade = np.maximum(face, inside | (np.linalg.norm(points - head, axis=1) > 0))
    fade = np.maximum(fade, mouth)
    scalar = {}
    for sign in (1.0, -1.0):
        gram = (_kernel(nodes, nodes) + sign * _kernel(nodes, nodes * mirror)) / 2
        values, vectors = np.linalg.eigh(gram * root[:, None] * root)
        values, vectors = values[::-1][:FUNCTIONS], vectors[:, ::-1][:, :FUNCTIONS]
        cross = (_kernel(points, nodes) + sign * _kernel(points, nodes * mirror)) / 2
        scalar[sign] = fade[:, None] * (cross @ (root[:, None] * vectors / np.sqrt(values)))
    fields, flags = [], []
    for symmetric in (True, False):
        for axis in range(
            3
        ):  # x flips under mirroring, so a symmetric field has an odd x and even y and z
            odd = (axis == 0) == symmetric
            part = np.zeros((FUNCTIONS, len(head), 3))
            part[:, :, axis] = scalar[-1.0 if odd else 1.0].T
            fields.append(part)
            flags += [symmetric] * FUNCTIONS
    return np.concatenate(fields), np.array(flags)


def residual_components(
    fields: np.ndarray, symmetric: np.ndarray, known: np.ndarray, metric: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """What the smooth fields add to the known basis: principal components of their residuals.

    Args:
        fields: (N, V, 3) and symmetric: (N,), from :func:`smooth_fields`.
        known: (K, V, 3) basis whose span is projected out.
        metric: (V,) vertex weights.
        count: components to return.

    Returns:
        basis (count, V, 3) for N(0, 1) coefficients, and (count,) bool.
    """
    flat_known = known.reshape(len(known), -1)
    weighted = flat_known * np.repeat(metric, 3)
    gram = weighted @ flat_known.T
    # A ridge, so that the residual does not lean on components too weak to be used.
    share = np.linalg.solve(gram + 1e-3 * np.trace(gram) / len(gram) * np.eye(len(gram)), weighted)
    results, variances, flags = [], [], []
    for sign in (True, False):
        flat = fields[symmetric == sign].reshape((symmetric == sign).sum(), -1)
        residual = flat - (flat @ share.T) @ flat_known
        variance, rotation = np.linalg.eigh((residual * np.repeat(metric, 3)) @ residual.T)
        results.append(rotation.T @ residual)
        variances.append(variance)
        flags.append(np.full(len(variance), sign))
    order = np.argsort(-np.concatenate(variances), kind="stable")[:count]
    basis = np.concatenate(results)[order].reshape(count, *fields.shape[1:])
    return fix_signs(basis), np.concatenate(flags)[order]
