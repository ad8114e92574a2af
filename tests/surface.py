"""Distances between surfaces, for tests: independent of the code under test."""

import numpy as np
from scipy.spatial import cKDTree


def similarity(source: np.ndarray, target: np.ndarray):
    """Scale, rotation, translation that map ``source`` (N, 3) on ``target`` (Umeyama 1991)."""
    a, b = source - source.mean(0), target - target.mean(0)
    u, d, vt = np.linalg.svd(b.T @ a)
    sign = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = u @ sign @ vt
    scale = np.trace(np.diag(d) @ sign) / (a**2).sum()
    return scale, rotation, target.mean(0) - scale * rotation @ source.mean(0)


def face_region(model, vertices: np.ndarray, radius: float = 95.0) -> np.ndarray:
    """Ids of the face within ``radius`` mm of the nose tip, as the NoW benchmark has it."""
    tip = vertices[model.landmarks68[30]]
    near = np.linalg.norm(vertices - tip, axis=1) < radius
    return np.flatnonzero(near & (model.mask("face") > 0.5))


def dense(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Points spread over the triangles ``faces`` (F, 3), about a millimetre apart."""
    grid = [(i, j, 5 - i - j) for i in range(6) for j in range(6 - i)]
    return np.einsum("gc,fcx->fgx", np.array(grid) / 5.0, vertices[faces]).reshape(-1, 3)


def surface_error(model, found: np.ndarray, true: np.ndarray) -> float:
    """Median distance in mm from the true face to the surface found, after aligning and ICP."""
    region = face_region(model, true)
    inside = np.isin(model.faces, np.flatnonzero(model.mask("face") > 0.2)).all(1)
    samples = dense(found.astype(float), model.faces[inside])
    scale, rotation, shift = similarity(found[region].astype(float), true[region].astype(float))
    samples = scale * samples @ rotation.T + shift
    for _ in range(10):
        _, nearest = cKDTree(samples).query(true[region])
        scale, rotation, shift = similarity(samples[nearest], true[region].astype(float))
        samples = scale * samples @ rotation.T + shift
    return float(np.median(cKDTree(samples).query(true[region])[0]))
