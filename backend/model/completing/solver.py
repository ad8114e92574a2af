"""Sparse symmetric systems."""

from __future__ import annotations

import scipy.sparse as sp
from scipy.sparse.linalg import SuperLU, splu


def factor(matrix: sp.spmatrix) -> SuperLU:
    """The factors of a symmetric positive definite ``matrix``.

    Without pivoting, which such a matrix does not need and which would fill the factors tenfold.
    """
    return splu(
        matrix.tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
