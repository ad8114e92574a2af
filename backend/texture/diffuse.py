"""Smooth fields on the mesh graph: what is known in some places, carried into the others.

Guided membrane interpolation (Perez et al. 2003, "Poisson image editing") on mesh vertices
instead of pixels, so that it crosses texture seams.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csc_matrix, csr_matrix, identity
from scipy.sparse.linalg import SuperLU, splu

#: Edges over which data are smoothed, and over which they fade to the mean where nothing is known.
SMOOTHING_EDGES = 2.0
FADING_EDGES = 12.0


@dataclass(frozen=True, eq=False)
class Graph:
    """Edges between V vertices, and what every :func:`diffuse` over them shares."""

    edges: NDArray[np.int32]  #: (E, 2)
    divergence: csr_matrix  #: (V, E), the gradient's transpose
    order: NDArray[np.intp]  #: (V,) in which the factors of the system stay sparse
    laplacian: csc_matrix  #: (V, V) in that order
    diagonal: NDArray[np.intp]  #: (V,) where the Laplacian's data hold its diagonal

    @classmethod
    def of(cls, edges: NDArray, count: int) -> Graph:
        """The graph of ``edges`` (E, 2) between ``count`` vertices."""
        i, j, ones = edges[:, 0], edges[:, 1], np.ones(len(edges))
        gradient = coo_matrix(
            (np.r_[ones, -ones], (np.tile(np.arange(len(edges)), 2), np.r_[i, j])),
            shape=(len(edges), count),
        ).tocsr()
        # With the unit matrix every vertex has an entry on the diagonal, also one without edges.
        matrix = (gradient.T @ gradient + identity(count)).tocsc()
        order = np.argsort(_factors(matrix, "MMD_AT_PLUS_A").perm_c)
        matrix = csc_matrix(matrix[order][:, order])
        matrix.sort_indices()
        column = np.repeat(np.arange(count), np.diff(matrix.indptr))
        diagonal = np.flatnonzero(matrix.indices == column)
        matrix.data[diagonal] -= 1
        return cls(edges, csr_matrix(gradient.T), order, matrix, diagonal)


def diffuse(
    graph: Graph,
    values: NDArray,
    confidence: NDArray,
    resting: NDArray,
    symmetry: NDArray,
    fading_edges: float = FADING_EDGES,
) -> NDArray:
    """(V, C) smooth field near ``values`` (V, C) where ``confidence`` (V,) 0..1 is high.

    Minimises sum_edges |r_i - r_j - g_ij|^2 + sum_i c_i |r_i - d_i|^2 + e sum_i |r_i - rest|^2.
    Where only the mirror vertex (``symmetry`` (V,)) is known, its differences guide: g_ij is the
    mirror edge's.  ``resting`` (C,) is what unknown parts tend to, ``fading_edges`` away
    from everything known.
    """
    i, j = graph.edges[:, 0], graph.edges[:, 1]
    mirrored, mirrored_confidence = values[symmetry], confidence[symmetry]
    guide = np.minimum(mirrored_confidence[i], mirrored_confidence[j])
    guide = guide * (1 - np.maximum(confidence[i], confidence[j]))
    step = (mirrored[i] - mirrored[j]) * guide[:, None]
    data = confidence / SMOOTHING_EDGES**2
    rest = 1 / fading_edges**2
    matrix = graph.laplacian.copy()
    matrix.data[graph.diagonal] += (data + rest)[graph.order]
    right = graph.divergence @ step + data[:, None] * values + rest * resting
    out = np.empty(right.shape)
    out[graph.order] = _factors(matrix, "NATURAL").solve(right[graph.order])
    return out


def _factors(matrix: csc_matrix, order: str) -> SuperLU:
    """The factors of a symmetric and positive matrix: without pivoting they stay sparse."""
    return splu(
        matrix,
        permc_spec=order,
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
