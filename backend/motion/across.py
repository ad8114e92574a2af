"""Motion of one face model's expressions on another: through ARKit's shapes, by least squares.

Every imported model keeps how its own expressions and ARKit's 52 shapes move its mesh
(:mod:`..model.completing.mapping`): weights of the one are sought that move the vertices as those
of the other do, within their ranges.  Numpy only, because Blender's Python has nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from ..exchange.motion import Motion
from ..exchange.names import arkit_name
from ..geometry.least_squares import bounded_least_squares

Double = NDArray[np.float64]

#: Share of a motion's names that are ARKit's where it is one of ARKit's.
_MOST = 0.5


@dataclass(frozen=True, eq=False)
class Translation:
    """Between E expressions of a model and 52 of ARKit's; products are means over the vertices."""

    names: tuple[str, ...]  #: E
    arkit_names: tuple[str, ...]  #: 52
    native: Double  #: (E, E) mm^2
    arkit: Double  #: (52, 52)
    cross: Double  #: (52, E)
    native_range: Double  #: (E, 2)

    def to_arkit(self, motion: Motion) -> Motion:
        """``motion`` of the model's own expressions as one of ARKit's."""
        given = _columns(motion, self.names)
        unit = np.tile([0.0, 1.0], (len(self.arkit_names), 1))
        weights = bounded_least_squares(self.arkit, given @ self.cross.T, unit)
        return _with(motion, self.arkit_names, weights, "")

    def from_arkit(self, motion: Motion, model: str = "") -> Motion:
        """``motion`` of ARKit's expressions as one of the model's own."""
        given = _columns(motion, self.arkit_names)
        weights = bounded_least_squares(self.native, given @ self.cross, self.native_range)
        return _with(motion, self.names, weights, model)


def translation_of(model: str) -> Translation | None:
    """What the imported ``model`` keeps; None where there is no such model here."""
    # Which model a motion or head is of is known by name alone, and "default" has ARKit's names.
    from ..exchange.model_cards import find_model, read_header
    from ..model.stored import load_extras

    try:
        card = find_model(model)
        header, extras = read_header(Path(card.folder)), load_extras(model)
        arrays = {
            field: np.asarray(extras[f"mapping_{field}"], np.float64)
            for field in ("native", "arkit", "cross", "native_range")
        }
        names = tuple(header["model"]["expression_names"])
        return Translation(names, tuple(header["arkit_names"]), **arrays)
    except (ModelError, KeyError, TypeError):
        return None


def translated(motion: Motion, names: tuple[str, ...], model: str) -> Motion | None:
    """``motion`` for a head of ``model`` with the shape keys ``names``; None if no way is known.

    ARKit's motion on a head with its model's own expressions, the other way round, and from one
    model's own to another's.
    """
    theirs = str(motion.header.get("model", ""))
    if sum(arkit_name(name) is not None for name in motion.names) < _MOST * len(motion.names):
        source = translation_of(theirs)
        if source is None or not set(source.names) & set(motion.names):
            return None
        motion = source.to_arkit(motion)
    if any(arkit_name(name) is not None for name in names):
        return motion
    target = translation_of(model)
    if target is None or not set(target.names) & set(names):
        return None
    return target.from_arkit(motion, model)


def _columns(motion: Motion, names: tuple[str, ...]) -> Double:
    """(N, len(names)) the weights under ``names``, ARKit's in whatever spelling; 0 where none."""
    meant = {arkit_name(name) or name: i for i, name in enumerate(motion.names)}
    out = np.zeros((len(motion.times), len(names)))
    for column, name in enumerate(names):
        at = meant.get(arkit_name(name) or name)
        if at is not None:
            out[:, column] = motion.weights[:, at]
    return out


def _with(motion: Motion, names: tuple[str, ...], weights: Double, model: str) -> Motion:
    header: dict[str, Any] = motion.header | {"model": model}
    return replace(motion, names=names, weights=weights.astype(np.float32), header=header)
