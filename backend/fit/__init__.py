"""The fit of a head to what a photo shows of one face.

:func:`gather` puts the evidence together, :func:`fit` fits a face model to it.
"""

from __future__ import annotations

from numpy.typing import NDArray

from ..exchange.options import Options
from ..model import FaceModel
from .evidence import Evidence, gather, network_knows
from .result import FaceFit
from .with_network import fit_with_network
from .without_network import fit_to_landmarks, fit_without_network

__all__ = ["Evidence", "FaceFit", "fit", "gather"]


def fit(
    evidence: Evidence, model: FaceModel, options: Options, identity: NDArray | None = None
) -> FaceFit:
    """Fit ``model`` to ``evidence``, both gathered and loaded for ``options``.

    ``identity`` (K,) in standard deviations is kept where it is known.
    """
    if evidence.reading is not None:
        return fit_with_network(evidence, model, options.quality, identity)
    if options.estimate == "landmarks" or network_knows(options):
        if identity is None:
            return fit_to_landmarks(evidence, model)
        return fit_without_network(evidence, model, "fast", identity)
    return fit_without_network(evidence, model, options.quality, identity)
