"""What a converted network says of a face, as coefficients of an imported model: a start."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..align import ffhq_crop
from ..errors import ModelError
from ..model import FaceModel
from ..model.completing.mapping import ExpressionMapping
from ..model.importing.store import load_extras
from .cards import CALLED, DEEP3D, ORIGINAL
from .deep3d import align, run_deep3d, split_deep3d
from .picture import run_network
from .stats import split
from .store import Network, load_network

Double = NDArray[np.float64]

#: Of which imported model the coefficients are: the beginning of its kind.
MODELS = {
    ORIGINAL: "Basel Face Model 2009 (BFM.mat, with exp_80k.npz",
    DEEP3D: "Deep3DFaceRecon's cut",
}


@dataclass(frozen=True, eq=False)
class Opinion:
    """The network's answer, without its camera, light and colours."""

    identity: Double  #: (K,) standard deviations; 0 for components it does not tell
    expression: Double  #: (E,) within ``model.expression_range``


class OpinionGiver:
    """The converted network ``name`` for the imported ``model``.

    Raises :class:`ModelError` where there is no such network, or it is for another model.
    """

    def __init__(self, name: str, model: FaceModel) -> None:
        self.model = model
        self.network = _loaded(name)
        kind = self.network.card.kind
        if not str(model.header.get("kind", "")).startswith(MODELS[kind]):
            raise ModelError(
                f"{name} is {CALLED[kind]}, and {model.name!r} is another face model; import that "
                "one with 'models import' and name it with --model."
            )
        self._extras = load_extras(model.name)

    def ask(self, pixels: NDArray[np.uint8], landmarks68: NDArray) -> Opinion:
        """Of the face with (68, 2) ``landmarks68`` in ``pixels`` (H, W, 3) sRGB."""
        if self.network.card.kind == DEEP3D:
            crop = align(pixels, landmarks68).crop
            found = split_deep3d(run_deep3d(self.network, [crop])[0])
            return self._opinion(found.identity, found.expression)
        crop = ffhq_crop(pixels, landmarks68).image
        assert self.network.stats is not None
        told = split(run_network(self.network, [crop])[0], self.network.stats)
        return self._opinion(
            told.shape / self._extras["identity_scale"][: len(told.shape)],
            told.expression / self._extras["expression_scale"],
        )

    def _opinion(self, identity: Double, expression: Double) -> Opinion:
        """Filled up and kept in range; on ARKit's shapes where the model has those."""
        whole = np.zeros(len(self.model.identity_basis))
        whole[: len(identity)] = identity
        if len(self.model.expression_basis) != len(expression):
            expression, _ = ExpressionMapping.from_extras(self._extras).to_arkit(expression)
        low, high = self.model.expression_range.T
        return Opinion(whole, np.clip(expression, low, high).astype(np.float64))


@lru_cache(maxsize=1)
def _loaded(name: str) -> Network:
    return load_network(name)
