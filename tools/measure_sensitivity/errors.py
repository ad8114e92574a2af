"""How far texture, teeth, gaze and fit are from what is true of drawn pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
from reconstruct_face.backend.detect import Detection
from reconstruct_face.backend.fit import fit, gather
from reconstruct_face.backend.fit.faces import Face
from reconstruct_face.backend.fit.gaze import estimate_gaze
from reconstruct_face.backend.fit.landmark_fit import LandmarkFit, fit_landmarks
from reconstruct_face.backend.fit.mouth import visible_teeth
from reconstruct_face.backend.fit.noise import dlib_noise
from reconstruct_face.backend.geometry.similarity import Similarity
from reconstruct_face.backend.model import FaceModel
from reconstruct_face.backend.model.sampling import GAZE_DEGREES
from reconstruct_face.backend.network.face_landmarker import face_mesh
from reconstruct_face.backend.photo import Photo
from reconstruct_face.backend.pipeline import Options
from reconstruct_face.backend.texture import build
from reconstruct_face.backend.texture.hair import Hair, find_hair
from reconstruct_face.backend.texture.layout import Layout, interpolate_texels, layout_of
from reconstruct_face.backend.texture.trust import Trust, log_linear
from reconstruct_face.backend.texture.view import View

from .drawn import SIZE, Array, Example

#: Texels of a texture along a side.
TEXTURE = 512

Errors = dict[str, float]


def teeth_errors(_: FaceModel, example: Example) -> Errors:
    """Of :func:`visible_teeth`."""
    found = visible_teeth(example.pixels, example.marks)
    return {"teeth": abs(found - example.teeth), "found": found, "true": example.teeth}


def gaze_errors(model: FaceModel, example: Example) -> Errors:
    """Of :func:`estimate_gaze`; nan where it tells nothing."""
    irises = face_mesh(example.pixels, example.marks).irises
    found = estimate_gaze(model, irises, example.marks, example.vertices, example.camera)
    off = np.linalg.norm(_gaze(model, found) - _gaze(model, example.expression))
    straight = np.linalg.norm(_gaze(model, example.expression))
    told = bool(found.any())
    return {"degrees": float(off if told else straight), "told": float(told)}


def _gaze(model: FaceModel, expression: Array) -> Array:
    """Degrees to the head's left and up, the mean of both eyes."""
    weight = dict(zip(model.expression_names, expression, strict=True))
    aside, up, down = GAZE_DEGREES
    left = weight["eyeLookOutLeft"] + weight["eyeLookInRight"]
    right = weight["eyeLookInLeft"] + weight["eyeLookOutRight"]
    above = weight["eyeLookUpLeft"] + weight["eyeLookUpRight"]
    below = weight["eyeLookDownLeft"] + weight["eyeLookDownRight"]
    return np.array([aside * (left - right), up * above - down * below]) / 2


@dataclass(frozen=True, eq=False)
class Textured:
    """A texture of an example, and what the hair was found from."""

    image: Array
    found: Hair
    asked: tuple[Layout, View, Trust]


def textured(model: FaceModel, example: Example) -> Textured:
    """The texture that :func:`build_texture` makes of the true head."""
    seen: list[tuple[Hair, tuple[Layout, View, Trust]]] = []

    def keep(_: FaceModel, *asked: Any, painted: bool) -> Hair:
        seen.append((find_hair(model, *asked, painted=painted), asked))
        return seen[-1][0]

    camera = example.camera
    with patch.object(build, "find_hair", keep):
        texture = build.build_texture(
            model,
            example.pixels,
            example.vertices,
            camera.camera_matrix,
            camera.rotation,
            camera.translation,
            size=TEXTURE,
            landmarks2d=example.marks,
        )
    return Textured(texture.image, *seen[0])


@dataclass(frozen=True, eq=False)
class Scalp:
    """An example, all that is known before hair is looked for, and the skin's error."""

    example: Example
    asked: tuple[Layout, View, Trust]
    level: Array  #: (3,)


def scalp(model: FaceModel, example: Example) -> Scalp:
    """With the constants as they are."""
    texture = textured(model, example)
    return Scalp(example, texture.asked, _face_error(model, example, texture.image)[0])


def hair_errors(model: FaceModel, given: Scalp) -> Errors:
    """Of :func:`find_hair`; nan where there is none."""
    return _hair_errors(given, find_hair(model, *given.asked))


def _hair_errors(given: Scalp, found: Hair) -> Errors:
    regions, example = given.asked[0].regions, given.example
    area = np.maximum(regions.scalp, regions.hairable)
    cover = np.clip(regions.scalp * found.amount + found.cover, 0, 1)
    under, colour = example.covered & (regions.scalp > 0.5), np.nan
    if example.hair is not None and under.any():
        painted = found.colour[under].mean(axis=0)
        colour = float(np.abs(painted - np.log(example.hair) - given.level).mean())
    return {
        "cover": float((area * np.abs(cover - example.covered)).sum() / area.sum()),
        "hair": colour,
    }


def _face_error(model: FaceModel, example: Example, image: Array) -> tuple[Array, Array, Array]:
    """(3,) mean log error on the face, (N, 3) the rest of it, (3,) that of the irises."""
    true = cv2.resize(example.albedo, (TEXTURE, TEXTURE), interpolation=cv2.INTER_LINEAR)
    error = log_linear(image) - np.log(true)
    face = _bare_face(model)
    level = error[face].mean(axis=0)
    iris = np.median(error[_mask(model, "iris") > 0.95], axis=0)
    return level, error[face] - level, iris - level


@lru_cache(maxsize=1)
def _bare_face(model: FaceModel) -> Array:
    """(TEXTURE, TEXTURE) True on the face where no hair is painted."""
    layout = layout_of(model, TEXTURE)
    atlas = layout.small
    hairable = np.zeros((*atlas.mask.shape, 1), np.float32)
    at = (atlas.face_id[atlas.mask], atlas.barycentric[atlas.mask])
    hairable[atlas.mask] = interpolate_texels(layout.regions.hairable[:, None], model.faces, *at)
    bare = cv2.resize(hairable, (TEXTURE, TEXTURE)) < 0.1
    return bare & (_mask(model, "skin") > 0.9) & (_mask(model, "face") > 0.5)


def _mask(model: FaceModel, name: str) -> Array:
    return cv2.resize(model.uv_mask(name), (TEXTURE, TEXTURE))


def texture_errors(model: FaceModel, example: Example) -> Errors:
    """Of :func:`build_texture`."""
    texture = textured(model, example)
    level, face, iris = _face_error(model, example, texture.image)
    return {
        "face": float(np.abs(face).mean()),
        "level": float(np.abs(level).mean()),
        "iris": float(np.abs(iris).mean()),
        **_hair_errors(Scalp(example, texture.asked, level), texture.found),
    }


def fitted(model: FaceModel, example: Example) -> Example:
    """With the head and the camera that dlib's errors give in the place of the true ones."""
    found = _to_landmarks(model, example)
    vertices = model.vertices(found.identity, found.expression)
    return replace(example, camera=found.camera, vertices=vertices)


def _to_landmarks(model: FaceModel, example: Example) -> LandmarkFit:
    noise, spread = dlib_noise(), example.spread
    size = (SIZE, SIZE)
    return fit_landmarks(
        model, example.detected, size, teeth=example.teeth, noise=noise, spread=spread
    )


def landmark_errors(model: FaceModel, example: Example) -> Errors:
    """Of :func:`fit_landmarks`."""
    found = _to_landmarks(model, example)
    return _shape_errors(model, example, found.identity, found.expression)


def fit_errors(model: FaceModel, example: Example) -> Errors:
    """Of the fit that a photo gets, the detector's part drawn."""
    photo = Photo(example.pixels, Path("drawn"), None, False)
    box = np.concatenate([example.detected.min(axis=0), example.detected.max(axis=0)])
    detection = Detection(box.astype(np.float32), 1.0, "drawn")
    face, options = Face(1, detection, example.detected, example.spread), Options()
    found = fit(gather(photo, face, model, options), model, options)
    return _shape_errors(model, example, found.identity, found.expression)


def _shape_errors(model: FaceModel, example: Example, identity: Array, expression: Array) -> Errors:
    """mm of the posed face after alignment; weights of jaw and mouth."""
    face = model.mask("face") > 0.5
    posed, true = model.vertices(identity, expression)[face], example.vertices[face]
    apart = Similarity.between(posed, true).apply(posed) - true
    mouth = [name.startswith(("mouth", "jaw")) for name in model.expression_names]
    return {
        "mm": float(np.linalg.norm(apart, axis=1).mean()),
        "mouth": float(np.abs(expression - example.expression)[mouth].mean()),
    }
