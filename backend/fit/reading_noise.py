"""How far the shipped network errs about whose head it is, when it reads a photo.

Measured on drawings with known heads that were read as photos are
(``tools/measure_reading_noise.py``).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..arrays import Member, read_npz
from ..bounded import short
from ..errors import ModelError
from ..model.load import ASSETS

NOISE_FILE = ASSETS / "reading_noise.npz"
#: Coefficients of identity of the face model that the network was trained for.
_COUNT = 144
_ARRAYS = {
    "identity": Member("f8", (_COUNT, _COUNT)),
    "network": Member("u1", (32,)),  # SHA-256 of the weights that were measured
    "count": Member("i4", ()),  # of the pictures
}


@lru_cache(maxsize=1)
def identity_precision() -> NDArray[np.float64]:
    """(K, K) inverse covariance of the errors of a reading's identity, standard deviations^-2.

    Raises :class:`ModelError` when the asset is missing or damaged.
    """
    try:
        covariance = read_npz(NOISE_FILE, _ARRAYS)["identity"]
        np.linalg.cholesky(covariance)  # a LinAlgError, a ValueError, where it is no covariance
        return np.linalg.inv(covariance)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"The network's statistics {NOISE_FILE.name} are missing or damaged ({short(error)}); "
            "install the add-on again."
        ) from error
