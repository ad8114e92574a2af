"""ARKit's shapes on another mesh: deformation transfer (Sumner and Popovic 2004).

Each triangle is to deform as its counterpart in the default head does.  The paper's system over
vertices and a fourth point a triangle is solved in the equal form of Botsch et al. (2006), over the
vertices alone: gradients weighed by area, whose normal matrix is the mesh's Laplacian.  A weak pull
towards the counterparts' displacement puts every connected part where it belongs.  One
factorisation serves all shapes.

The paper's deformations are constant on a triangle, and a finer mesh would show these as facets.
With the means around vertices, and what lies between them elsewhere, the system gives a smooth but
weaker shape (lids close less); what it lacks of the paper's is added without its facets.
"""

from __future__ import annotations

from collections.abc import Callable

import igl
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ...geometry.triangles import triangle_areas
from .correspondence import Correspondence
from .solver import factor

Double = NDArray[np.float64]
Int = NDArray[np.int32]

#: Over this length deformations win against displacements.
LENGTH_MM = 25.0
#: What is narrower than this is a facet.
FACET_MM = 1.5
#: Displacements below the first are none, from the second on they are whole.
STILL_MM = (0.01, 0.04)


def transfer(
    match: Correspondence,
    frame: NDArray,
    mean: NDArray,
    triangles: Int,
    shapes: NDArray,
    progress: Callable[[float], None] | None = None,
) -> NDArray[np.float32]:
    """(S, V, 3) mm: the ``shapes`` (S, D, 3) of the default head on the mesh ``mean`` (V, 3).

    ``frame`` (3, 3) is the scaled rotation from the default's axes to the mesh's.
    """
    points = np.asarray(mean, np.float64)
    count = len(points)
    gradient = igl.grad(points, triangles.astype(np.int64)).tocsr()  # (3 F, V), by coordinate
    gradient.data[~np.isfinite(gradient.data)] = 0
    area = triangle_areas(points, triangles)
    weight = sp.diags(np.tile(area, 3))
    corner_area = np.bincount(triangles.ravel(), np.repeat(area / 3, 3), count)
    pull = (corner_area + 1e-6) * np.maximum(match.belief, 1e-3) / LENGTH_MM**2
    turned = (gradient.T @ weight).tocsr()
    solve = factor(turned @ gradient + sp.diags(pull)).solve
    rotation = frame / np.cbrt(np.linalg.det(frame))
    source = _Source(match)
    # What lies across a triangle falls away here, for gradients lie within it.
    gathered = [(turned @ spread).tocsr() for spread in source.spreads(match.triangle_belief)]
    place = sp.diags(pull * match.belief) @ match.matrix()
    mass = corner_area + 1e-6
    fair = factor(FACET_MM**2 * (turned @ gradient) + sp.diags(mass)).solve
    out = np.empty((len(shapes), count, 3), np.float32)
    for k, shape in enumerate(shapes):
        if progress is not None:
            progress(k / len(shapes))
        pulled = place @ (shape.astype(np.float64) @ frame.T)
        smooth, faceted = (
            solve(part @ wanted.transpose(2, 0, 1).reshape(-1, 3) + pulled)
            for part, wanted in zip(gathered, source.gradients(shape, rotation), strict=True)
        )
        found = smooth + fair(mass[:, None] * (faceted - smooth))
        size = np.linalg.norm(found, axis=1)
        low, high = STILL_MM
        out[k] = found * np.clip((size - low) / (high - low), 0, 1)[:, None]
    return out


class _Source:
    """The default head's deformation at U vertices and T triangles: all that a mesh's F match."""

    def __init__(self, match: Correspondence) -> None:
        template = match.template
        corners, self.rest = template.triangles, template.mean
        wanted = corners[match.triangle.triangle]
        vertices, where = np.unique(wanted, return_inverse=True)
        self.where, self.weights = where.reshape(wanted.shape), match.triangle.weights
        around = np.isin(corners, vertices).any(axis=1)
        self.corners = corners[around]
        self.of_face = (np.cumsum(around) - 1)[match.triangle.triangle]
        frames = _frames(self.rest[self.corners])
        self.inverse = np.linalg.pinv(frames)
        area = np.linalg.norm(np.cross(frames[..., 0], frames[..., 1]), axis=1)
        rows, columns = self.corners.ravel(), np.repeat(np.arange(len(area)), 3)
        shares = sp.csr_matrix((np.repeat(area, 3), (rows, columns)), (len(self.rest), len(area)))[
            vertices
        ]
        total = np.asarray(shares.sum(axis=1)).ravel()
        self.mean = sp.diags(1 / np.maximum(total, 1e-12)) @ shares  # (U, T)

    def spreads(self, belief: Double) -> tuple[sp.csr_matrix, sp.csr_matrix]:
        """(3 F, 3 U), (3 F, 3 T): each triangle takes ``belief`` (F,) of its counterpart's."""
        faces = len(belief)
        values, rows = (self.weights * belief[:, None]).ravel(), np.repeat(np.arange(faces), 3)
        between = sp.csr_matrix((values, (rows, self.where.ravel())), (faces, self.mean.shape[0]))
        shape = (faces, len(self.corners))
        own = sp.csr_matrix((belief, (np.arange(faces), self.of_face)), shape)
        return tuple(sp.block_diag([one] * 3, format="csr") for one in (between, own))

    def gradients(self, shape: NDArray, rotation: Double) -> tuple[Double, Double]:
        """(U, 3, 3), (T, 3, 3) Q - I of the paper, turned into the mesh's axes."""
        moving = np.flatnonzero(np.abs(shape[self.corners]).max(axis=(1, 2)) >= 1e-6)
        moved = (self.rest + shape)[self.corners[moving]]
        change = np.zeros((len(self.corners), 3, 3))
        change[moving] = _frames(moved) @ self.inverse[moving] - np.eye(3)
        change = rotation @ change @ rotation.T
        return (self.mean @ change.reshape(-1, 9)).reshape(-1, 3, 3), change


def _frames(corners: NDArray) -> Double:
    """(N, 3, 3) columns: two edges and the paper's fourth direction."""
    a, b, c = np.moveaxis(np.asarray(corners, np.float64), 1, 0)
    first, second = b - a, c - a
    normal = np.cross(first, second)
    length = np.sqrt(np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12))
    return np.stack([first, second, normal / length], axis=2)
