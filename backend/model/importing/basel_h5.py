"""The Basel Face Models of 2017 (Gerig et al. 2018) and 2019, HDF5 files of scalismo.

Millimetres, x to the head's left, y up, z forward; orthonormal bases beside their variances;
colours 0..1; vertices counted from 0.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError
from . import checks
from .checks import deviations, flat, indices, modes, numbers, points
from .piece import Piece
from .raw import RawModel

#: What is read, where it is there.
PATHS = tuple(
    f"{group}/{path}"
    for group in ("shape", "expression", "color")
    for path in (
        "model/mean", "model/pcaBasis", "model/pcaVariance",
        "representer/points", "representer/cells",
    )
)  # fmt: skip
LICENCE = (
    "Basel Face Model of 2017 or 2019, University of Basel: not for commercial use and not to be "
    "passed on; the terms that you agreed to for the download hold for what is made with it."
)


def read_h5(main: Piece) -> RawModel:
    """The groups ``shape``, ``expression`` and, where it is there, ``color``."""
    fields, where = main.fields, main.name
    if "expression/model/mean" not in fields:
        raise ModelError(
            f"{where} has no expressions (no group 'expression'): take a file whose name has no "
            "'shape' or 'noexpression' in it."
        )
    size = len(numbers(fields, "shape/model/mean", (None,), where))
    if size % 3:
        raise ModelError(f"shape/model/mean of {where} has {size} numbers, not 3 a vertex.")
    count = size // 3
    cells = np.asarray(fields.get("shape/representer/cells", ()))
    if cells.ndim == 2 and cells.shape[0] == 3:
        cells = cells.T
    triangles = indices({"cells": cells}, "cells", (None, 3), count, where, first=0)
    mean = points(fields["shape/model/mean"], 1)
    offset = numbers(fields, "expression/model/mean", (size,), where)
    mean = mean + points(offset, 1)
    checks.check_size(mean, where)
    identity, identity_scale = _part(fields, "shape", size, where)
    expression, expression_scale = _part(fields, "expression", size, where)
    colour = {}
    if "color/model/mean" in fields:
        values = numbers(fields, "color/model/mean", (size,), where)
        if values.min() < -0.05 or values.max() > 1.05:
            raise ModelError(
                f"color/model/mean of {where} is {values.min():g} to {values.max():g}, not colours "
                "of 0 to 1."
            )
        basis, scale = _part(fields, "color", size, where)
        colour = {
            "albedo_mean": np.clip(values.reshape(-1, 3), 0, 1).astype(np.float32),
            "albedo_basis": basis,
            "albedo_scale": scale,
        }
    return RawModel(
        kind=f"Basel Face Model of 2017 or 2019 ({count} vertices, {where})",
        name=f"bfm-h5-{count}",
        mean=mean,
        triangles=checks.outward(triangles, mean),
        identity_basis=identity,
        identity_scale=identity_scale,
        expression_basis=expression,
        expression_scale=expression_scale,
        expression_names=checks.numbered(len(expression)),
        expression_range=checks.expression_range(len(expression), -3, 3),
        licence=LICENCE,
        **colour,
    )


def _part(
    fields: Mapping[str, NDArray], group: str, size: int, where: str
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """(K, V, 3) per standard deviation, and the deviations."""
    basis = numbers(fields, f"{group}/model/pcaBasis", (size, None), where)
    name = f"{group}/model/pcaVariance"
    variance = deviations(flat(fields, name, basis.shape[1], where), name, where)
    return modes(basis, np.sqrt(variance), 1.0), np.sqrt(variance)
