"""What the contours of a face say of its expression, whoever it is: mean and covariance of weights.

A small perceptron that never saw a pixel: it learnt from the contours of random heads of the face
model, with the errors that landmarkers make of them (:mod:`..training.contours`).  So it knows how
much of a high brow is a raised one, which a fit of identity and expression with independent priors
does not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..arrays import Member, read_npz
from ..bounded import short
from ..errors import ModelError
from ..model import FaceModel
from .contour_features import (
    FEATURES,
    joined,
    mark_features,
    mesh_features,
    mesh_marks,
    mesh_measures,
)

Double = NDArray[np.float64]
Float = NDArray[np.float32]

REGRESSOR_FILE = Path(__file__).resolve().parents[2] / "assets" / "expression_regressor.npz"
FORMAT = "reconstruct_face.expression_regressor"
VERSION = 1
#: Of the correlation of two weights' errors: the rest is taken as independent.
CORRELATION_SHARE = 0.9
#: Hidden ones.
LAYERS = 3
_ARRAYS = {
    "header": Member("u1", ("bytes",)),
    "template": Member("f8", (68, 3)),
    "mean": Member("f4", (FEATURES,)),
    "spread": Member("f4", (FEATURES,)),
    "sigma_scale": Member("f4", ("expressions",)),
    "correlation": Member("f4", ("expressions", "expressions")),
    "weights_0": Member("f4", ("width", FEATURES)),
    "weights_1": Member("f4", ("width", "width")),
    "weights_2": Member("f4", ("width", "width")),
    "weights_3": Member("f4", ("outputs", "width")),
    "offsets_0": Member("f4", ("width",)),
    "offsets_1": Member("f4", ("width",)),
    "offsets_2": Member("f4", ("width",)),
    "offsets_3": Member("f4", ("outputs",)),
}


@dataclass(frozen=True, eq=False)
class Opinion:
    """A Gaussian on the expression weights."""

    mean: Double  #: (E,)
    covariance: Double  #: (E, E)


@dataclass(frozen=True, eq=False)
class ExpressionRegressor:
    """The perceptron: layers of weights (O, I) and offsets (O,), SiLU between them."""

    names: tuple[str, ...]  #: (E,) of the expressions
    template: Double  #: (68, 3) mm, the mean head's landmarks
    mean: Float  #: (153,) of the features
    spread: Float  #: (153,) their standard deviations
    layers: tuple[tuple[Float, Float], ...]  #: the last one gives means and log sigmas (2 E,)
    sigma_scale: Float  #: (E,) what held-out heads make of the sigmas
    correlation: Float  #: (E, E) of the errors there

    def opinion(self, marks: NDArray | None, mesh: NDArray | None = None) -> Opinion:
        """Of one face: ``marks`` (68, 2) of dlib, ``mesh`` (468, 2), pixels of a photo; one given.

        Raises ValueError where neither is given.
        """
        found = None if marks is None else mark_features(np.asarray(marks)[None], self.template)
        measured = None
        if mesh is not None:
            measured = mesh_features(
                *mesh_measures(mesh_marks(np.asarray(mesh)[None]), self.template)
            )
        means, sigmas = self.run(joined(found, measured))
        share = CORRELATION_SHARE * self.correlation.astype(np.float64)
        share += (1 - CORRELATION_SHARE) * np.eye(len(self.names))
        return Opinion(means[0], share * np.outer(sigmas[0], sigmas[0]))

    def run(self, features: Float) -> tuple[Double, Double]:
        """Means and standard deviations (N, E) for ``features`` (N, 153)."""
        values = (features - self.mean) / self.spread
        for weights, offsets in self.layers[:-1]:
            values = values @ weights.T + offsets
            values = values / (1 + np.exp(-np.clip(values, -60, 60)))
        weights, offsets = self.layers[-1]
        means, logs = np.split((values @ weights.T + offsets).astype(np.float64), 2, axis=1)
        return means, np.exp(np.clip(logs, -4.0, 1.0)) * self.sigma_scale

    def arrays(self) -> dict[str, NDArray]:
        """As the file holds it, matrices in half precision."""
        header = {"format": FORMAT, "version": VERSION, "names": list(self.names)}
        found = {
            "header": np.frombuffer(json.dumps(header).encode(), np.uint8),
            "template": self.template.astype(np.float32),
            "mean": self.mean,
            "spread": self.spread,
            "sigma_scale": self.sigma_scale,
            "correlation": self.correlation.astype(np.float16),
        }
        for i, (weights, offsets) in enumerate(self.layers):
            found[f"weights_{i}"] = weights.astype(np.float16)
            found[f"offsets_{i}"] = offsets
        return found

    @classmethod
    def load(cls, path: str | Path = REGRESSOR_FILE) -> ExpressionRegressor:
        """Of the file at ``path``; raises :class:`ModelError`: missing or damaged."""
        try:
            arrays = read_npz(Path(path), _ARRAYS)
            header = json.loads(bytes(arrays["header"]))
            if (header["format"], header["version"]) != (FORMAT, VERSION):
                raise ValueError(f"{header['format']} {header['version']}")
            names = tuple(str(name) for name in header["names"])
            if 2 * len(names) != len(arrays["offsets_3"]):
                raise ValueError(f"{len(names)} expressions")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"The expression regressor {Path(path).name} is missing or damaged "
                f"({short(error)}); install the add-on again."
            ) from error
        layers = tuple((arrays[f"weights_{i}"], arrays[f"offsets_{i}"]) for i in range(LAYERS + 1))
        return cls(
            names,
            arrays["template"],
            arrays["mean"],
            arrays["spread"],
            layers,
            arrays["sigma_scale"],
            arrays["correlation"],
        )


@lru_cache(maxsize=1)
def _shipped() -> ExpressionRegressor:
    return ExpressionRegressor.load()


def regressor_of(model: FaceModel) -> ExpressionRegressor | None:
    """The shipped one where it knows the expressions of ``model``, else None."""
    found = _shipped()
    return found if found.names == tuple(model.expression_names) else None
