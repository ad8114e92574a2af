"""The fit of a head to what a photo shows of one face.

:func:`gather` puts the evidence together, :func:`fit` fits a face model to it.
"""

from __future__ import annotations

from numpy.typing import NDArray

from ..exchange.options import Options
from ..model import FaceModel
from .evidence import Evidence, gather, network_knows
from .observation import Beginning
from .result import FaceFit
from .with_network import begin_with_network, fit_with_network
from .without_network import begin_without_network, fit_to_landmarks, fit_without_network

__all__ = ["Beginning", "Evidence", "FaceFit", "begin", "fit", "gather", "schedule_of"]


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


def begin(evidence: Evidence, model: FaceModel) -> Beginning:
    """Where :func:`fit` starts to refine, and what it leans on."""
    if evidence.reading is not None:
        return begin_with_network(evidence, model)
    return begin_without_network(evidence, model)


def schedule_of(evidence: Evidence, options: Options) -> str:
    """The quality with which :func:`fit` refines: "fast" where it goes by landmarks alone."""
    known = evidence.reading is not None
    if not known and (options.estimate == "landmarks" or network_knows(options)):
        return "fast"
    return options.quality
