"""The picture on an imported model's card: what a look tells whether it was understood.

Mean face with its landmarks from the front and the side, the texture coordinates as a checkerboard,
what symmetry holds for left and right, the first identity modes at both ends, and expressions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from ...geometry.camera import project
from ...geometry.rotation import from_euler
from ...geometry.triangles import vertex_normals
from ...photo.encode import encode_png
from ...raster import interpolate, rasterize
from ..face_model import FaceModel
from .raw import RawModel

if TYPE_CHECKING:
    from ..completing import CompletedModel

SIZE = 280  #: pixels of one picture's side
COLUMNS = 5
DEVIATIONS = 2.5
_GREY = np.array([0.62, 0.58, 0.55], np.float32)
#: Shown of ARKit's, where the model has them.
_SHOWN = ("jawOpen", "mouthSmileLeft", "mouthPucker", "eyeBlinkLeft", "browInnerUp")
_FIRST_POINTS = (0, 17, 22, 27, 31, 36, 42, 48, 60)  #: where iBUG's lines begin


def draw_card(completed: CompletedModel, raw: RawModel) -> NDArray[np.uint8]:
    """The card's PNG as bytes (uint8)."""
    model = completed.model
    mean = model.mean.astype(np.float64)
    colour = _vertex_colours(model, raw)
    cells = [
        _cell(model, mean, colour, "mean", landmarks=True),
        _cell(model, mean, colour, "from the side", yaw=55, landmarks=True),
        _cell(model, mean, _checkers(model), "texture coordinates"),
        _cell(model, mean, _sides(model), "symmetry"),
        _cell(model, mean, None, "shape"),
    ]
    for k in range(min(2, len(model.identity_basis))):
        for sign in (-1, 1):
            moved = mean + sign * DEVIATIONS * model.identity_basis[k]
            cells.append(_cell(model, moved, None, f"identity {k + 1}: {sign * DEVIATIONS:+g} sd"))
    cells.append(_cell(model, mean + _random(model), None, "random identity"))
    for k in range(min(COLUMNS, len(model.expression_basis))):
        weight = float(model.expression_range[k, 1])
        weight = DEVIATIONS if weight > 1 else weight
        moved = mean + weight * model.expression_basis[k]
        cells.append(_cell(model, moved, None, f"{model.expression_names[k]}: {weight:+g}"))
    names = list(completed.arkit_names)
    for name in _SHOWN:
        if name in names:
            moved = mean + completed.arkit_basis[names.index(name)]
            cells.append(_cell(model, moved, None, name))
    cells += [np.zeros_like(cells[0])] * (-len(cells) % COLUMNS)
    rows = [np.hstack(cells[i : i + COLUMNS]) for i in range(0, len(cells), COLUMNS)]
    return encode_png(np.vstack(rows))


def _cell(
    model: FaceModel,
    vertices: NDArray,
    colour: NDArray | None,
    title: str,
    yaw: float = 0.0,
    landmarks: bool = False,
) -> NDArray[np.uint8]:
    """(SIZE, SIZE, 3) the mesh, seen level from the front or turned by ``yaw`` degrees.

    ``colour`` (V, 3) or, for the corners of the triangles, (F, 3, 3), sRGB 0..1.
    """
    faces = model.faces
    rotation = from_euler(-np.deg2rad(yaw), 0.0, 0.0)
    mean = model.mean.astype(np.float64)
    face = mean[model.landmarks68]
    middle = np.array([face[:, 0].mean(), face[:, 1].mean() + 12, face[:, 2].mean() - 30])
    camera = (vertices - middle) @ rotation.T + [0, 0, 900]
    focal = 900 * SIZE / (1.75 * np.ptp(face[:, 1]))
    matrix = np.array([[focal, 0, SIZE / 2], [0, focal, SIZE / 2], [0, 0, 1.0]])
    raster = rasterize(camera, faces, matrix, (SIZE, SIZE))
    light = np.clip(-vertex_normals(camera, faces)[:, 2:], 0, 1) * 0.75 + 0.25
    shade = interpolate(raster, faces, light.astype(np.float32))
    if colour is None:
        painted = np.broadcast_to(_GREY, (SIZE, SIZE, 3))
    elif colour.ndim == 3:
        painted = np.zeros((SIZE, SIZE, 3), np.float32)
        seen = raster.mask
        weights = raster.barycentric[seen][:, :, None]
        painted[seen] = (colour[raster.face_id[seen]] * weights).sum(axis=1)
    else:
        painted = interpolate(raster, faces, colour.astype(np.float32))
    image = np.where(raster.mask[..., None], painted * shade, 0.12)
    image = np.ascontiguousarray((np.clip(image, 0, 1) * 255).astype(np.uint8))
    if landmarks:
        _draw_landmarks(image, project(camera[model.landmarks68], matrix))
    place = (6, SIZE - 8)
    cv2.putText(image, title, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (235,) * 3, 1, cv2.LINE_AA)
    return image


def _draw_landmarks(image: NDArray[np.uint8], pixels: NDArray) -> None:
    for first, after in zip(_FIRST_POINTS, (*_FIRST_POINTS[1:], 68), strict=True):
        line = (pixels[first:after] * 8).round().astype(np.int32)
        closed = first in (36, 42, 48, 60)
        cv2.polylines(image, [line], closed, (245, 245, 245), 1, cv2.LINE_AA, 3)
    for x, y in (pixels * 8).round().astype(int):
        cv2.circle(image, (int(x), int(y)), 12, (60, 230, 90), -1, cv2.LINE_AA, 3)


def _vertex_colours(model: FaceModel, raw: RawModel) -> NDArray | None:
    """Those of the file, else the texture's at the corners of the triangles."""
    if raw.albedo_mean is not None and len(raw.albedo_mean) == len(model.mean):
        return raw.albedo_mean
    side = len(model.albedo_mean)
    uv = model.uv[model.uv_faces]
    column = np.clip((uv[..., 0] * side).astype(int), 0, side - 1)
    row = np.clip(((1 - uv[..., 1]) * side).astype(int), 0, side - 1)
    return np.clip(np.asarray(model.albedo_mean[row, column], np.float64), 0, 1) ** (1 / 2.2)


def _checkers(model: FaceModel) -> NDArray:
    """(F, 3, 3) fields of a 32nd of the texture, hue by place."""
    uv = model.uv[model.uv_faces].mean(axis=1)
    field = np.floor(uv * 32).astype(int).sum(axis=1) % 2
    flat = np.stack([0.25 + 0.7 * uv[:, 0], 0.25 + 0.7 * uv[:, 1], 0.3 + 0.6 * field], axis=1)
    return np.repeat(flat[:, None], 3, axis=1)


def _sides(model: FaceModel) -> NDArray:
    """(V, 3) the left half by its own height, the right half by its mirror vertices'."""
    mean = model.mean
    height = mean[model.symmetry, 1]
    wave = 0.5 + 0.5 * np.sin(height / 4)
    left = mean[:, 0] > np.median(mean[:, 0])
    wave = np.where(left, 0.5 + 0.5 * np.sin(mean[:, 1] / 4), wave)
    return np.stack([wave, np.where(left, 0.6, 0.35), 1 - 0.6 * wave], axis=1)


def _random(model: FaceModel) -> NDArray:
    coefficients = np.random.default_rng(7).normal(size=len(model.identity_basis))
    return model.vertices(coefficients) - model.mean
