"""Networks that were never trained, as arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def random_tensors(
    shapes: Mapping[str, tuple[int, ...]], rng: np.random.Generator, lively: bool = False
) -> dict[str, NDArray]:
    """Tensors of ``shapes``, kernels as He et al. 2015 draw them; ``lively``: batch norm matters.

    Batch norm's are recognised by their names.
    """
    tensors: dict[str, NDArray] = {}
    for name, shape in shapes.items():
        if name.endswith("tracked"):
            tensors[name] = np.array(100)
            continue
        end = name.rsplit(".", 1)[1]
        if len(shape) > 1:
            values = rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
        elif end == "running_var":
            values = rng.uniform(0.5, 1.5, shape) if lively else np.ones(shape)
        elif end == "weight":
            values = rng.uniform(0.4, 0.8, shape) if lively else np.ones(shape)
        else:
            values = rng.normal(0, 0.1, shape) if lively else np.zeros(shape)
        tensors[name] = values.astype(np.float32)
    return tensors
