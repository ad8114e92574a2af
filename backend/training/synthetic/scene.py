"""What training pictures show, drawn at random: heads with skin and props, cameras and light.

A scene costs some 15 ms, which is more than a GPU needs to draw it: so it can be taken several
times, from other places, in other light.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...model import FaceModel
from ...model.sampling import sample_expression, sample_identity
from ...network.crop_camera import CropPose
from ...network.layout import Layout, anchor_of
from .assembly import Assembly, assemble
from .background import sample_background
from .develop import Development, sample_development
from .light import Light, sample_light
from .props import sample_props
from .skin import Skin, sample_skin
from .view import View, sample_view

Float = NDArray[np.float32]
Rng = np.random.Generator

#: Share of the pictures whose lamps cast shadows: some cameras' flashes and most skies do not.
_SHADOWS = 0.6


@dataclass(frozen=True, eq=False)
class Shot:
    """One picture of a scene."""

    view: View
    light: Light
    shadows: bool
    how: Development
    label: Float  #: (label_size,)


@dataclass(frozen=True, eq=False)
class Scene:
    """A head, what is around it, and its pictures."""

    mesh: Assembly
    skin: Skin
    background: Float  #: (S, S, 3) linear
    shots: tuple[Shot, ...]


def sample_scene(model: FaceModel, size: int, shots: int, rng: Rng) -> Scene:
    """A random scene for ``shots`` pictures of ``size`` pixels, wholly decided by ``rng``."""
    identity, expression = sample_identity(model, rng), sample_expression(model, rng)
    vertices = model.vertices(identity, expression)
    skin = sample_skin(model, rng)
    mesh = assemble(model, vertices, sample_props(model, vertices, rng, skin.tone))
    taken = []
    for _ in range(shots):
        view = sample_view(model, vertices, size, rng)
        light = sample_light(view.camera.rotation, rng, skin.tone)
        label = label_of(model, view, size, identity, expression, skin, light)
        shadows = bool(rng.random() < _SHADOWS)
        taken.append(Shot(view, light, shadows, sample_development(size, rng), label))
    return Scene(mesh, skin, sample_background(size, rng), tuple(taken))


def label_of(
    model: FaceModel,
    view: View,
    size: int,
    identity: NDArray,
    expression: NDArray,
    skin: Skin,
    light: Light,
) -> Float:
    """(label_size,) what the network shall say of a picture of ``size`` pixels."""
    pose = CropPose.of_camera(view.camera, anchor_of(model), size).vector()
    label = np.concatenate([pose, identity, expression, skin.albedo, light.sh.ravel()])
    assert label.size == Layout.of(model).label_size
    return label.astype(np.float32)
