"""The FLAME head model (Li et al. 2017): ``.npz``, or the pickle that its authors give out.

Metres, x to the head's left, y up, z forward.  ``shapedirs`` holds 300 identity and 100 expression
modes in one basis, per standard deviation.
"""

from __future__ import annotations

import numpy as np

from ...arrays import Member
from ...errors import ModelError
from . import checks
from .checks import indices, numbers
from .piece import Piece
from .raw import RawModel

MM = 1000.0  #: in a metre
IDENTITY = 300
#: What is read of a file; its shapes and numbers are looked at below.
ARRAYS = {
    name: Member(None, optional=True, finite=False) for name in ("v_template", "shapedirs", "f")
}
LICENCE = (
    "FLAME, Max Planck Institute for Intelligent Systems: the terms that you agreed to for the "
    "download hold (CC-BY 4.0 from 2023 on, no commercial use before) for what is made with it."
)


def read_flame(main: Piece) -> RawModel:
    """``v_template`` (V, 3), ``shapedirs`` (V, 3, 300 + E), ``f`` (F, 3) from 0."""
    fields, where = main.fields, main.name
    mean = numbers(fields, "v_template", (None, 3), where).astype(np.float64) * MM
    count = len(mean)
    basis = numbers(fields, "shapedirs", (count, 3, None), where)
    if basis.shape[2] <= IDENTITY:
        raise ModelError(
            f"shapedirs of {where} has {basis.shape[2]} modes; {IDENTITY} of identity and those of "
            "expression after them are wanted."
        )
    checks.check_size(mean, where)
    triangles = indices(fields, "f", (None, 3), count, where, first=0)
    modes = np.ascontiguousarray(basis.transpose(2, 0, 1), np.float32) * np.float32(MM)
    identity, expression = modes[:IDENTITY], modes[IDENTITY:]
    return RawModel(
        kind=f"FLAME head model ({where})",
        name="flame",
        mean=mean,
        triangles=checks.outward(triangles, mean),
        identity_basis=identity,
        identity_scale=np.ones(len(identity)),
        expression_basis=expression,
        expression_scale=np.ones(len(expression)),
        expression_names=checks.numbered(len(expression)),
        expression_range=checks.expression_range(len(expression), -3, 3),
        licence=LICENCE,
        notes=(
            "FLAME turns jaw, neck and eyes about joints, with corrections by pose; only its "
            "linear modes are taken, in which the jaw hardly opens. The ARKit shapes open it.",
        ),
    )
