"""What a file's expressions are called here, and which of its shapes are none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...errors import ModelError
from ...exchange.names import arkit_name, listed
from .raw import RawModel

#: Shapes whose names begin so move nothing of the face: no photo and no actor's face tells them.
NOT_OF_THE_FACE = ("pupil",)


def with_known_names(raw: RawModel) -> RawModel:
    """``raw`` with ARKit's names where its expressions are ARKit's in another spelling.

    A name is changed where no other expression has it already.  Shapes of
    :data:`NOT_OF_THE_FACE` are left out.  Raises :class:`ModelError` where nothing remains.
    """
    names = raw.expression_names
    kept = [k for k, name in enumerate(names) if not name.lower().startswith(NOT_OF_THE_FACE)]
    if not kept:
        raise ModelError(f"The {raw.kind} has no expressions of the face, only {listed(names)}.")
    called: list[str] = []
    for k in kept:
        known = arkit_name(names[k])
        free = known is not None and known not in names and known not in called
        called.append(known if known is not None and free else names[k])
    left_out = tuple(name for k, name in enumerate(names) if k not in kept)
    if not left_out and tuple(called) == names:
        return raw
    notes = raw.notes
    if left_out:
        verb = "is no expression" if len(left_out) == 1 else "are no expressions"
        notes = (*notes, f"{listed(left_out)} {verb} of the face and left out.")
    basis = raw.expression_basis
    return replace(
        raw,
        expression_names=tuple(called),
        expression_basis=np.ascontiguousarray(basis[kept]) if left_out else basis,
        expression_scale=raw.expression_scale[kept],
        expression_range=raw.expression_range[kept],
        notes=notes,
    )
