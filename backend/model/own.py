"""A head with expressions of its own: blinks whose lids meet, lips that do not sink in."""

from __future__ import annotations

from typing import NamedTuple

from numpy.typing import NDArray

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

    The model's own basis, not copied, where it names the rings of neither lids nor lips.
    """
    if model.lid_rings is None and model.lip_rings is None:
        return model.expression_basis
    basis = model.expression_basis.copy()
    set_own_blinks(model, neutral, basis)
    set_own_lips(model, neutral, basis)
    return basis
