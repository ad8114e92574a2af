"""Where the default head lies in the axes of an imported model: a similarity.

From landmarks where both have them (Umeyama 1991); else by iterated closest points (Besl and McKay
1992) from several starts, the noses put together: both look along z and are in mm.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError
from ...geometry.rotation import about
from ...geometry.similarity import Similarity
from .surface import LookupMesh
from .template import Template

Double = NDArray[np.float64]

#: Of the default head; beyond it the file's units are wrong or it is no head.
SCALE_RANGE = (0.7, 1.4)
#: Pitch in degrees of the starts: what "straight ahead" is differs between models.
PITCHES = (-16.0, 0.0, 16.0)
ROUNDS = 30
#: Part of the closest points that is believed.
TRIMMED = 0.75
#: Mean distance in mm after which it is no face.
WORST_MM = 8.0


def align(template: Template, surface: LookupMesh, landmarks: NDArray | None) -> Similarity:
    """From the default head to the mesh ``surface``; ``landmarks`` (68, 3) mm where it has them.

    Raises :class:`ModelError` where the mesh resembles no head.
    """
    if landmarks is not None:
        found = Similarity.between(template.landmarks[17:], landmarks[17:])
        return _checked(found, _gap(template, surface, found))
    starts = [_start(template, surface, pitch) for pitch in PITCHES]
    fits = [_closest(template, surface, start) for start in starts]
    gaps = [_gap(template, surface, fit) for fit in fits]
    return _checked(fits[int(np.argmin(gaps))], min(gaps))


def _checked(found: Similarity, gap: float) -> Similarity:
    low, high = SCALE_RANGE
    if not low <= found.scale <= high or gap > WORST_MM:
        raise ModelError(
            f"The mesh does not resemble a head that looks forward: laid over the default one, "
            f"{found.scale:.2f} times its size, it is {gap:.1f} mm away from it on average; check "
            "which file it is."
        )
    return found


def _start(template: Template, surface: LookupMesh, pitch: float) -> Similarity:
    """The noses' tips together, the default head turned by ``pitch`` degrees."""
    points = surface.vertices[np.unique(surface.triangles)]
    middle = np.median(points[:, 0])
    near = points[np.abs(points[:, 0] - middle) < 0.15 * np.ptp(points[:, 0])]
    tip = near[np.argmax(near[:, 2])]
    turn = about(np.deg2rad(pitch), 0)
    return Similarity(1.0, turn, tip - turn @ template.landmarks[30])


def _closest(template: Template, surface: LookupMesh, start: Similarity) -> Similarity:
    found = start
    points, normals = template.face_points()
    for _ in range(ROUNDS):
        hits = surface.nearest(found.apply(points), normals @ found.rotation.T, 1)
        cost = np.where(hits.facing > 0.5, hits.distance, np.inf)
        keep = cost <= np.quantile(cost, TRIMMED, method="lower")
        keep &= np.isfinite(cost)
        if keep.sum() < 50:
            return found
        after = Similarity.between(points[keep], hits.points[keep])
        scale = float(np.clip(after.scale, *SCALE_RANGE))
        moved = np.abs(after.apply(points) - found.apply(points)).max()
        found = Similarity(scale, after.rotation, after.translation)
        if moved < 0.05:
            break
    return found


def _gap(template: Template, surface: LookupMesh, found: Similarity) -> float:
    """Mean distance in mm of the default face from the mesh, the nearer three quarters."""
    points, normals = template.face_points()
    hits = surface.nearest(found.apply(points), normals @ found.rotation.T, 1)
    cost = np.where(hits.facing > 0.3, hits.distance, 30.0)
    return float(np.sort(cost)[: int(TRIMMED * len(cost))].mean())
