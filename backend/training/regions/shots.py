"""Crops of eyes and mouth of drawn heads, with the weights that they show."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...geometry.camera import Camera, intrinsics
from ...geometry.rotation import from_euler
from ...model import FaceModel
from ...model.contour import landmark_points, visible_jaw
from ...model.sampling import sample_identity
from ...network.region_crops import SIZE, placed
from ..synthetic.assembly import assemble
from ..synthetic.background import sample_background
from ..synthetic.develop import developed, sample_development
from ..synthetic.folds import sample_folds
from ..synthetic.light import sample_light
from ..synthetic.picture import Layer, composed, layers_of
from ..synthetic.props import sample_props
from ..synthetic.skin import sample_skin
from ..synthetic.view import detected_marks, sample_angles, sample_distance
from .expressions import brow_field, sample_brows, sample_strength, sample_weights

Float = NDArray[np.float32]
Rng = np.random.Generator

#: Pictures of one head: a head takes as long as two pictures of it.
PER_HEAD = 2
#: Degrees; beyond, the far eye's crop shows the nose.
LARGEST_YAW = 55.0
#: Share of the pictures with shadows, as :mod:`..synthetic.scene` has it.
_SHADOWS = 0.6
#: Photos' eyes are less sharp than their pixels are fine.
_BLUR = 1.2
#: Of dlib's measured errors: some photos are marked better.
_ERRORS = (0.5, 1.0)


@dataclass(frozen=True, eq=False)
class Shot:
    """Three crops of one picture, in the order of :data:`~...network.region_crops.REGIONS`."""

    images: NDArray[np.uint8]  #: (3, S, S, 3) sRGB
    expression: Float  #: (E,)
    truth: Float  #: (3, 68, 2) the landmarks, pixels of the crops
    marks: Float  #: (68, 2) as a detector would have them, pixels of the picture


class Drawer:
    """Draws :class:`Shot` of heads of ``model``."""

    def __init__(self, model: FaceModel) -> None:
        self.model = model
        #: (68, 3) mm: the mean head's landmarks.
        self.template = landmark_points(model, model.mean, model.landmarks68)
        self._field = brow_field(model, self.template[17:27])

    def head(self, rng: Rng) -> list[Shot]:
        """:data:`PER_HEAD` shots of a random head, wholly decided by ``rng``."""
        model = self.model
        identity, meant = sample_identity(model, rng), sample_weights(model, rng)
        moved = meant * sample_strength(model, rng)
        expression = np.clip(moved, *model.expression_range.T).astype(np.float32)
        vertices = model.vertices(identity, moved)
        vertices[:, 1] += sample_brows(model, self._field, rng)
        skin = sample_skin(model, rng)
        skin = replace(skin, folds=sample_folds(model, meant, rng))
        mesh = assemble(model, vertices, sample_props(model, vertices, rng, skin.tone))
        found = []
        for _ in range(PER_HEAD):
            camera = _camera(rng)
            jaw = visible_jaw(model, vertices, camera)
            points = landmark_points(model, vertices, jaw)
            layers = layers_of(model, mesh, skin, camera)
            found.append(self._shot(points, camera, layers, expression, rng))
        return found

    def _shot(
        self, points: NDArray, camera: Camera, layers: list[Layer], expression: Float, rng: Rng
    ) -> Shot:
        pixels = camera.project(points)
        marks = detected_marks(camera, points, pixels, rng)[0]
        marks = pixels + (marks - pixels) * rng.uniform(*_ERRORS)
        to_crop = placed(marks, self.template).to_crop
        light = sample_light(camera.rotation, rng, layers[-1].skin.tone)
        shadows = bool(rng.random() < _SHADOWS)
        how = sample_development(SIZE, rng)
        how = replace(how, blur=how.blur * _BLUR)
        behind = sample_background(SIZE, rng)
        images = []
        for matrix in to_crop:
            seen = np.vstack([matrix, [0.0, 0.0, 1.0]]) @ camera.camera_matrix
            linear = composed(layers, seen, behind, light, shadows, rng)
            images.append(developed(linear, how, rng))
        truth = np.c_[pixels, np.ones(len(pixels))] @ to_crop.transpose(0, 2, 1)
        return Shot(
            np.stack(images), expression, truth.astype(np.float32), marks.astype(np.float32)
        )


def _camera(rng: Rng) -> Camera:
    """About a pixel per mm; the crops have their own."""
    yaw, pitch, roll = sample_angles(rng)
    while abs(yaw) > LARGEST_YAW:
        yaw, pitch, roll = sample_angles(rng)
    distance = sample_distance(rng)
    rotation = from_euler(*np.radians((yaw, pitch, roll)))
    return Camera(intrinsics(distance, (1, 1)), rotation, np.array([0.0, 0.0, distance]))
