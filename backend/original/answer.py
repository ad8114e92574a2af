"""What a converted network says of a face, in the terms of an imported model and of our cameras."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..align import ffhq_crop
from ..errors import ModelError
from ..geometry.camera import Camera
from ..geometry.rotation import FACING
from ..model import FaceModel
from ..model.completing.mapping import ExpressionMapping
from ..model.stored import load_extras
from ..network.layout import anchor_of
from .cards import CALLED, DEEP3D, ORIGINAL
from .deep3d import align, split_deep3d
from .deep3d_network import run_deep3d
from .face import MICROMETRES, posed, rotation, to_image
from .network import SIZE, run_network
from .stats import split
from .store import Network, load_network

Double = NDArray[np.float64]

#: Of which imported model the coefficients are: the beginning of its kind.
MODELS = {
    ORIGINAL: "Basel Face Model 2009 (BFM.mat, with exp_80k.npz",
    DEEP3D: "Deep3DFaceRecon's cut",
}
#: Where a camera stands that stands for a scaled-orthographic one: over a head's depth of 200 mm
#: its scale varies by 2.5 %.
FAR_MM = 8000.0


@dataclass(frozen=True, eq=False)
class NetworkAnswer:
    """The network's answer, without its light and colours."""

    identity: Double  #: (K,) standard deviations; 0 for components it does not tell
    expression: Double  #: (E,) within ``model.expression_range``
    camera: Camera  #: of the photo; its principal point is not the picture's middle


class AskedNetwork:
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

    def ask(self, pixels: NDArray[np.uint8], landmarks68: NDArray) -> NetworkAnswer:
        """Of the face with (68, 2) ``landmarks68`` in ``pixels`` (H, W, 3) sRGB."""
        if self.network.card.kind == DEEP3D:
            aligned = align(pixels, landmarks68)
            found = split_deep3d(run_deep3d(self.network.run, [aligned.crop])[0])
            matrix, turn, moved = found.camera
            # The network's model lies about its own middle.
            moved = moved - turn @ self.model.mean.astype(np.float64).mean(axis=0)
            camera = Camera(matrix, turn, moved)
            return self._answer(
                found.identity, found.expression, of_photo(camera, aligned.to_photo)
            )
        crop = ffhq_crop(pixels, landmarks68)
        assert self.network.stats is not None
        told = split(run_network(self.network.run, [crop.image])[0], self.network.stats)
        pitch, yaw, roll, _, _, scale = told.pose
        anchor = anchor_of(self.model)
        place = to_image(posed(anchor[None], told.pose), SIZE)[0]
        focal = MICROMETRES * scale * FAR_MM
        matrix = np.array([[focal, 0, place[0]], [0, focal, place[1]], [0, 0, 1.0]])
        turn = FACING @ rotation(pitch, yaw, roll).T  # rows times R are R^T times columns
        camera = Camera(matrix, turn, np.array([0.0, 0.0, FAR_MM]) - turn @ anchor)
        return self._answer(
            told.shape / self._extras["identity_scale"][: len(told.shape)],
            told.expression / self._extras["expression_scale"],
            of_photo(camera, crop.to_photo),
        )

    def _answer(self, identity: Double, expression: Double, camera: Camera) -> NetworkAnswer:
        """Filled up and kept in range; on ARKit's shapes where the model has those."""
        whole = np.zeros(len(self.model.identity_basis))
        whole[: len(identity)] = identity
        if len(self.model.expression_basis) != len(expression):
            expression, _ = ExpressionMapping.from_extras(self._extras).to_arkit(expression)
        low, high = self.model.expression_range.T
        kept = np.clip(expression, low, high).astype(np.float64)
        return NetworkAnswer(whole, kept, camera)


def of_photo(camera: Camera, to_photo: Double) -> Camera:
    """The ``camera`` of a crop as one of the photo, of which ``to_photo`` (3, 3) is a similarity.

    It stands in the same place and looks the same way; the crop is a part of its picture, turned.
    """
    zoom = float(np.sqrt(abs(np.linalg.det(to_photo[:2, :2]))))
    turn = np.eye(3)
    turn[:2, :2] = to_photo[:2, :2] / zoom
    matrix = np.diag([zoom * camera.focal, zoom * camera.focal, 1.0])
    matrix[:2, 2] = to_photo[:2] @ [*camera.camera_matrix[:2, 2], 1.0]
    return Camera(matrix, turn @ camera.rotation, turn @ camera.translation)


@lru_cache(maxsize=1)
def _loaded(name: str) -> Network:
    return load_network(name)
