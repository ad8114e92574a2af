"""A head with expressions of its own: blinks whose lids meet, lips that do not sink in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kept import kept
from .face_model import FaceModel, Float, mixed
from .lids import set_own_blinks
from .lips import set_own_lips


class OwnHead(NamedTuple):
    """A head with expressions of its own."""

    neutral: Float  #: (V, 3) mm
    posed: Float  #: (V, 3) mm
    expression_basis: Float  #: (E, V, 3) mm at weight 1


def own_head(model: FaceModel, identity: NDArray, expression: NDArray) -> OwnHead:
    """The head of ``identity`` (K,) with the ``expression`` (E,) as it moves by itself."""
    neutral = model.vertices(identity)
    basis = own_expressions(model, neutral)
    return OwnHead(neutral, neutral + mixed(expression, basis), basis)


def own_expressions(model: FaceModel, neutral: NDArray) -> Float:
    """(E, V, 3) mm: the expression basis of the head ``neutral`` (V, 3) mm, whose shapes
    ``OWN_EXPRESSIONS`` are its own.

    Not to be written to: it is kept, since fit, texture and result of a photo ask for the same
    head.  The model's own basis where it names the rings of neither lids nor lips.
    """
    if model.lid_rings is None and model.lip_rings is None:
        return model.expression_basis
    return _own_expressions(model, np.asarray(neutral, np.float32).tobytes())


@kept(maxsize=1)
def _own_expressions(model: FaceModel, neutral: bytes) -> Float:
    vertices = np.frombuffer(neutral, np.float32).reshape(-1, 3)
    basis = model.expression_basis.copy()
    set_own_blinks(model, vertices, basis)
    set_own_lips(model, vertices, basis)
    basis.flags.writeable = False
    return basis
