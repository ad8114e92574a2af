"""What the photos of one person say of the person before they are looked at together.

Each photo's fit leans on a prior in which the face model's own one and the network's reading of
the photo are pooled.  Of N photos the face model's counts once: with its precision H and a photo's
prior of mean m and precision P, the reading by itself is the factor by which that prior differs
from the model's, of precision P - H, and the factors of all photos are multiplied,

    precision  H + sum w (P - H),      pull  H h + sum w (P m - H h).

The weights w are how many independent photos each is worth.  The network's answer is a posterior
mean, drawn towards the average face; of several photos the product is drawn less, as it should.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..prior import Prior, square

Double = NDArray[np.float64]


def pooled(
    priors: Sequence[Prior], habits: Prior, weights: NDArray, name: str
) -> tuple[Double, Double]:
    """Mean (K,) and precision (K, K) of "identity" or "albedo", as all ``priors`` have it.

    ``habits`` is the face model's own prior, which is in each of them.  ``weights`` (N,) are how
    many independent photos each is worth.
    """
    own = square(getattr(habits, name + "_precision"))
    precision, pull = own.copy(), own @ getattr(habits, name)
    nothing = np.zeros(len(own))
    for prior, weight in zip(priors, weights, strict=True):
        its = square(getattr(prior, name + "_precision"))
        mean = getattr(prior, name)
        told = _positive(its - own)
        precision += weight * told
        pull += weight * (its @ mean - own @ getattr(habits, name))
        nothing += weight * mean
    if not np.any([np.any(square(getattr(p, name + "_precision")) != own) for p in priors]):
        # Answers without a precision of their own: their mean takes the place of the model's.
        return nothing / max(float(np.sum(weights)), 1e-9), own
    return np.linalg.solve(precision, pull), precision


def _positive(matrix: Double) -> Double:
    """The symmetric ``matrix`` without its negative part."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T, np.float64)
