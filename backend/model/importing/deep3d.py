"""Deep3DFaceRecon's ``BFM_model_front.mat`` (Deng et al. 2019): a cut of the Basel Face Model 2009.

Decimetres; the bases are scaled by their standard deviations already; everything counted from 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError
from . import checks
from .basel import LICENCE
from .checks import indices, modes, numbers
from .piece import Piece
from .raw import RawModel

MM = 100.0  #: in a decimetre


def read_deep3d(main: Piece) -> RawModel:
    """``meanshape``, ``idBase``, ``exBase``, ``meantex``, ``texBase``, ``tri``, ``keypoints``."""
    fields, where = main.fields, main.name
    size = np.size(fields.get("meanshape", ()))
    if size % 3 or not size:
        raise ModelError(f"meanshape of {where} has {size} numbers, which is not 3 a vertex.")
    count = size // 3
    mean = checks.flat(fields, "meanshape", size, where).reshape(-1, 3) * MM
    checks.check_size(mean, where)
    landmarks = indices(
        {"keypoints": np.ravel(fields.get("keypoints", ()))}, "keypoints", (68,), count, where
    )
    checks.check_axes(mean, landmarks, where)
    triangles = indices(fields, "tri", (None, 3), count, where)
    colour = checks.flat(fields, "meantex", size, where)
    if colour.min() < -1 or colour.max() > 256 or colour.max() < 2:
        raise ModelError(
            f"meantex of {where} is {colour.min():g} to {colour.max():g}, not colours of 0 to 255."
        )

    def scaled(name: str, unit: float) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        basis = numbers(fields, name, (size, None), where)
        ones = np.ones(basis.shape[1])
        return modes(basis, ones, unit), ones

    identity, identity_scale = scaled("idBase", MM)
    expression, expression_scale = scaled("exBase", MM)
    albedo, albedo_scale = scaled("texBase", 1 / 255)
    return RawModel(
        kind="Deep3DFaceRecon's cut of the Basel Face Model 2009 (BFM_model_front.mat)",
        name="deep3d",
        mean=mean,
        triangles=checks.outward(triangles, mean),
        identity_basis=identity,
        identity_scale=identity_scale,
        expression_basis=expression,
        expression_scale=expression_scale,
        expression_names=checks.numbered(len(expression)),
        expression_range=checks.expression_range(len(expression), -3, 3),
        albedo_mean=np.clip(colour.reshape(-1, 3) / 255, 0, 1).astype(np.float32),
        albedo_basis=albedo,
        albedo_scale=albedo_scale,
        landmarks68=landmarks,
        licence=LICENCE,
        notes=("It ends in front of the ears and at the chin: a face mask, not a head.",),
    )
