"""The reconstructed surface as a renderer takes it: triangles with normals, texture, colour."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..exchange import Reconstruction
from ..exchange.wrinkles import FOLD_HUE, FOLD_STEP, NO_FOLD
from ..geometry import srgb
from ..geometry.triangles import angle_weighted_normals
from ..photo.encode import decode

Float = NDArray[np.float32]
Double = NDArray[np.float64]
Int = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class RenderMesh:
    """V vertices and F triangles in head axes."""

    vertices: Double  #: (V, 3) mm
    normals: Double  #: (V, 3) unit, outward
    faces: Int  #: (F, 3) counter-clockwise seen from outside
    uv: Float  #: (F, 3, 2) v up
    texture: Float  #: (T, T, 3) sRGB 0..1, row 0 at v = 1
    sh_light: Float  #: (9, 3) head axes


def surface_of(reconstruction: Reconstruction, texture: NDArray) -> RenderMesh:
    """The posed head, without what one sees through, with ``texture`` (T, T, 3), sRGB 0..1: one
    texel where it has none.  The expression's folds are multiplied into it."""
    vertices = reconstruction.vertices_posed.astype(np.float64)
    shown = reconstruction.opaque
    return RenderMesh(
        vertices=vertices,
        normals=angle_weighted_normals(vertices, reconstruction.polygons),
        faces=_fan(reconstruction.polygons[shown]),
        uv=np.asarray(reconstruction.uv, np.float32)[_fan(reconstruction.uv_polygons[shown])],
        texture=_folded(reconstruction, np.asarray(texture, np.float32)),
        sh_light=np.asarray(reconstruction.sh_light, np.float32),
    )


def _folded(reconstruction: Reconstruction, texture: Float) -> Float:
    """``texture`` with the folds that the expression gives back."""
    if not reconstruction.folds.size:
        return texture
    steps = decode(reconstruction.folds)[..., :2].astype(np.float32) - NO_FOLD
    brightness = FOLD_STEP * steps @ reconstruction.folds_shown
    brightness = cv2.resize(brightness, texture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    linear = srgb.decode(texture) * np.exp(brightness[..., None] * np.array(FOLD_HUE, np.float32))
    return srgb.encode(linear).astype(np.float32)


def _fan(polygons: NDArray) -> Int:
    """(F, 3) triangles about each polygon's first corner."""
    if polygons.shape[1] == 3:
        return np.ascontiguousarray(polygons, np.int32)
    return np.ascontiguousarray(polygons[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3), np.int32)
