"""A shaded picture of a head with known coefficients, for measuring and for tests."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.harmonics import shade
from ..geometry.srgb import encode_bytes
from ..geometry.triangles import vertex_normals
from ..model import FaceModel
from ..raster.visibility import rasterize

#: Columns of the table of texture positions: cv2.remap takes no side of 32,768 or more.
_COLUMNS = 512


def render_picture(
    model: FaceModel,
    vertices: NDArray,
    albedo: NDArray[np.float32],
    sh_light: NDArray,
    camera_matrix: NDArray,
    rotation: NDArray,
    translation: NDArray,
    size: tuple[int, int],
    background: float = 0.25,
) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 sRGB of the posed ``vertices`` (V, 3) mm, one sample a pixel.

    ``albedo`` (T, T, 3) linear-light RGB in the model's UV layout; ``sh_light`` (9, 3) in head
    coordinates as in :func:`~..geometry.harmonics.shade`; the camera as in ``Reconstruction``;
    ``size`` is (width, height); ``background`` a linear-light grey.
    """
    camera = np.asarray(vertices, np.float64) @ np.asarray(rotation).T + np.asarray(translation)
    raster = rasterize(camera, model.faces, np.asarray(camera_matrix), size)
    seen = raster.mask
    face, weights = raster.face_id[seen], raster.barycentric[seen][:, :, None]
    uv = (model.uv[model.uv_faces[face]] * weights).sum(axis=1)
    normals = vertex_normals(np.asarray(vertices, np.float64), model.faces)[model.faces[face]]
    normals = (normals * weights).sum(axis=1)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    linear = np.full((size[1], size[0], 3), background, np.float32)
    linear[seen] = _sample(albedo, uv) * shade(normals, sh_light)
    return encode_bytes(linear)


def _sample(texture: NDArray[np.float32], uv: NDArray) -> NDArray[np.float32]:
    """(N, 3) bilinear samples of ``texture`` (T, T, 3) at ``uv`` (N, 2), v up."""
    side, count = len(texture), len(uv)
    padded = np.zeros((-(-count // _COLUMNS) * _COLUMNS, 2), np.float32)
    padded[:count] = np.stack([uv[:, 0] * side - 0.5, (1 - uv[:, 1]) * side - 0.5], axis=1)
    table = padded.reshape(-1, _COLUMNS, 2)
    return cv2.remap(texture, table, None, cv2.INTER_LINEAR).reshape(-1, 3)[:count]
