"""Networks that were trained on an earlier version of a face model whose shapes went less far."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bounded import Damaged, checked
from .face_model import FaceModel


def check_scale(header: dict[str, Any]) -> None:
    """Raise :class:`Damaged` where ``expression_scale`` of a model's ``header`` holds no positive
    factors by digest and name; a header without it is as good."""
    scales = header.get("expression_scale", {})
    checked(scales, {})
    for factors in scales.values():
        checked(factors, dict.fromkeys(factors, float) if isinstance(factors, dict) else {})
        if not all(0 < factor < np.inf for factor in factors.values()):
            raise Damaged("its 'expression_scale' has a factor that is not positive")


def earlier_weights(model: FaceModel, trained_for: str) -> NDArray[np.float64]:
    """(E,) what the weights of a network that was trained for the version with the SHA-256
    ``trained_for`` are multiplied by to move the vertices of ``model`` as far as that one's.

    The model's header says how many times its shapes are that version's (``expression_scale``:
    digest to name to factor); all 1 where it says nothing.
    """
    factors = model.header.get("expression_scale", {}).get(trained_for, {})
    return 1 / np.array([factors.get(name, 1.0) for name in model.expression_names], np.float64)


def oldest(model: FaceModel) -> str:
    """SHA-256 of the first version whose coefficients mean the same, else of ``model`` itself."""
    return [*model.header.get("same_coefficients", []), str(model.header.get("sha256", ""))][0]
