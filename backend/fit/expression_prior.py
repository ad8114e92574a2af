"""What is believed of an expression before the solve: the contours' word, and the network's.

The network was drawn faces whose brows mostly rest, and its measured error on them is their
spread: it says "none" and is sure of it.  There, and for the gaze, the contours' regressor speaks
alone (``docs/expressions.md``, the table).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .expression_regressor import Opinion
from .noise import LandmarkNoise
from .prior import Prior

#: Expressions of which the network tells nothing: at most a tenth of what is there.
NETWORK_BLIND = ("brow", "eyeLook")
#: How much the network's opinion of the others counts beside the contours'.
NETWORK_EXPRESSION_SHARE = 0.6
#: Landmarks that the regressor has used up: they follow lids in part, and would open them again,
#: by their heights and, going together as they do, by a millimetre sideways.
LIDS, LID_CORNERS = np.array([37, 38, 40, 41, 43, 44, 46, 47]), np.array([36, 45])
#: mm of their further error in the solve.
LIDS_SIGMA_MM, LID_CORNERS_SIGMA_MM = 20.0, 8.0
#: The brows' landmarks as the network has them err by so many times what it says.
BROWS, BROWS_SCALE = np.arange(17, 27), 3.0


def used_up(noise: LandmarkNoise) -> LandmarkNoise:
    """``noise`` for a solve that has the regressor's opinion."""
    return noise.without(LIDS, LIDS_SIGMA_MM).without(LID_CORNERS, LID_CORNERS_SIGMA_MM)


def expression_prior(
    prior: Prior, network: Prior, opinion: Opinion, names: tuple[str, ...]
) -> Prior:
    """``prior`` with the expression of ``opinion``, and of the ``network`` where that sees.

    ``names`` (E,) of the expressions.
    """
    precision = np.linalg.inv(_by_part(opinion.covariance, names))
    pull = precision @ opinion.mean
    seen = np.flatnonzero([not name.startswith(NETWORK_BLIND) for name in names])
    own = network.expression_precision
    own = np.diag(own) if own.ndim == 1 else own
    marginal = np.linalg.inv(np.linalg.inv(own)[np.ix_(seen, seen)])
    precision[np.ix_(seen, seen)] += NETWORK_EXPRESSION_SHARE * marginal
    pull[seen] += NETWORK_EXPRESSION_SHARE * marginal @ network.expression[seen]
    mean = np.linalg.solve(precision, pull)
    return replace(prior, expression=mean, expression_precision=precision)


def _by_part(covariance: NDArray, names: tuple[str, ...]) -> NDArray:
    """Without what eyes, brows and the rest of the face have in common.

    The solve moves brows and mouth on marks that the opinion was made of; the lids stay.
    """
    part = np.array([name[:3] if name.startswith(("brow", "eye")) else "" for name in names])
    return covariance * (part[:, None] == part[None])
