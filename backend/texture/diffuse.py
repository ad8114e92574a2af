"""Smooth fields on the mesh graph: what is known in some places, carried into the others.

Guided membrane interpolation (Perez et al. 2003, "Poisson image editing") on mesh vertices
instead of pixels, so that it crosses texture seams.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import splu

#: Edges over which data are smoothed, and over which they fade to the mean where nothing is known.
SMOOTHING_EDGES = 2.0
FADING_EDGES = 12.0


def diffuse(
    edges: NDArray,
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
    count = len(values)
    i, j = edges[:, 0], edges[:, 1]
    mirrored, mirrored_confidence = values[symmetry], confidence[symmetry]
    guide = np.minimum(mirrored_confidence[i], mirrored_confidence[j])
    guide = guide * (1 - np.maximum(confidence[i], confidence[j]))
    step = (mirrored[i] - mirrored[j]) * guide[:, None]
    ones = np.ones(len(edges))
    gradient = coo_matrix(
        (np.r_[ones, -ones], (np.tile(np.arange(len(edges)), 2), np.r_[i, j])),
        shape=(len(edges), count),
    ).tocsr()
    data = confidence / SMOOTHING_EDGES**2
    rest = 1 / fading_edges**2
    matrix = gradient.T @ gradient + diags(data + rest)
    right = gradient.T @ step + data[:, None] * values + rest * resting
    # Symmetric and positive: without pivoting the factors stay sparse.
    factors = splu(
        matrix.tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    return factors.solve(right)
