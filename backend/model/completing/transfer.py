"""ARKit's shapes on another mesh: deformation transfer (Sumner and Popovic 2004).

Each triangle is to deform as its counterpart in the default head does.  The paper's system over
vertices and a fourth point a triangle is solved in the equal form of Botsch et al. (2006), over the
vertices alone: gradients weighed by area, whose normal matrix is the mesh's Laplacian.  A weak pull
towards the counterparts' displacement puts every connected part where it belongs.  One
factorisation serves all shapes.
"""

from __future__ import annotations

from collections.abc import Callable

import igl
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .correspondence import Correspondence
from .solver import factor

Double = NDArray[np.float64]
Int = NDArray[np.int32]

#: Over this length deformations win against displacements.
LENGTH_MM = 25.0
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
    count, faces = len(points), len(triangles)
    gradient = igl.grad(points, triangles.astype(np.int64)).tocsr()  # (3 F, V), by coordinate
    gradient.data[~np.isfinite(gradient.data)] = 0
    area = np.linalg.norm(
        np.cross(
            points[triangles[:, 1]] - points[triangles[:, 0]],
            points[triangles[:, 2]] - points[triangles[:, 0]],
        ),
        axis=1,
    )
    weight = sp.diags(np.tile(area / 2, 3))
    corner_area = np.bincount(triangles.ravel(), np.repeat(area / 6, 3), count)
    pull = (corner_area + 1e-6) * np.maximum(match.belief, 1e-3) / LENGTH_MM**2
    turned = (gradient.T @ weight).tocsr()
    solve = factor(turned @ gradient + sp.diags(pull)).solve
    rotation = frame / np.cbrt(np.linalg.det(frame))
    source = _Source(match)
    # What lies across a triangle falls away here, for gradients lie within it.
    gathered = (turned @ source.spread(faces, match.triangle_belief)).tocsr()
    place = sp.diags(pull * match.belief) @ match.matrix()
    out = np.empty((len(shapes), count, 3), np.float32)
    for k, shape in enumerate(shapes):
        if progress is not None:
            progress(k / len(shapes))
        wanted = source.gradients(shape, rotation)  # (U, 3, 3) [x, d]
        wanted = wanted.transpose(2, 0, 1).reshape(-1, 3)
        found = solve(gathered @ wanted + place @ (shape.astype(np.float64) @ frame.T))
        size = np.linalg.norm(found, axis=1)
        low, high = STILL_MM
        out[k] = found * np.clip((size - low) / (high - low), 0, 1)[:, None]
    return out


class _Source:
    """The U triangles of the default head that the mesh's F triangles are matched with."""

    def __init__(self, match: Correspondence) -> None:
        template = match.template
        used, self.of_face = np.unique(match.triangle.triangle, return_inverse=True)
        self.corners = template.triangles[used]
        self.rest = template.mean
        self.inverse = np.linalg.pinv(_frames(self.rest[self.corners]))

    def spread(self, faces: int, belief: Double) -> sp.csr_matrix:
        """(3 F, 3 U): each triangle takes ``belief`` (F,) of its counterpart's gradient."""
        one = sp.csr_matrix((belief, (np.arange(faces), self.of_face)), (faces, len(self.corners)))
        return sp.block_diag([one] * 3, format="csr")

    def gradients(self, shape: NDArray, rotation: Double) -> Double:
        """(U, 3, 3) Q - I of the paper, turned into the mesh's axes."""
        moved = (self.rest + shape)[self.corners]
        deformed = _frames(moved) @ self.inverse - np.eye(3)
        still = np.abs(shape[self.corners]).max(axis=(1, 2)) < 1e-6
        deformed[still] = 0
        return rotation @ deformed @ rotation.T


def _frames(corners: NDArray) -> Double:
    """(N, 3, 3) columns: two edges and the paper's fourth direction."""
    a, b, c = np.moveaxis(np.asarray(corners, np.float64), 1, 0)
    first, second = b - a, c - a
    normal = np.cross(first, second)
    length = np.sqrt(np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12))
    return np.stack([first, second, normal / length], axis=2)
