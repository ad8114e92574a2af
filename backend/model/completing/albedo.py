"""Albedo textures from colours at the vertices, or the default model's where a file has none."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ...geometry import srgb
from ...geometry.triangles import triangle_normals
from ...raster import Atlas
from ...raster.atlas import texel_coordinates
from .correspondence import Correspondence
from .surface import LookupMesh
from .template import Template

Float = NDArray[np.float32]
Int = NDArray[np.int32]

TEXTURE = 512  #: texels of the textures' sides
#: Modes that are kept: as many as the original system used.  All 199 would take 600 MB.
MODES = 40


def from_vertices(
    atlas: Atlas, triangles: Int, mean: NDArray, basis: NDArray | None
) -> tuple[Float, Float]:
    """Mean (T, T, 3) and basis (A, T, T, 3) in linear light from sRGB 0..1 at the vertices.

    The basis is linearised by differences: half of what one standard deviation up and down differ.
    """
    mean = np.clip(np.asarray(mean, np.float32), 0, 1)
    modes = np.zeros((0, *mean.shape), np.float32) if basis is None else basis[:MODES]
    changes = [(srgb.decode(mean + mode) - srgb.decode(mean - mode)) / 2 for mode in modes]
    values = np.concatenate([srgb.decode(mean), *changes], axis=1)
    pictures = painted(atlas, triangles, values).reshape(*atlas.face_id.shape, -1, 3)
    pictures = np.moveaxis(pictures, 2, 0)
    return np.ascontiguousarray(pictures[0]), np.ascontiguousarray(pictures[1:])


def from_default(
    template: Template, match: Correspondence, atlas: Atlas, mean: NDArray, triangles: Int
) -> tuple[Float, Float]:
    """The default model's mean (T, T, 3) and basis (A, T, T, 3) at the counterparts."""
    model = template.model
    points = np.einsum(
        "nk,nkd->nd",
        atlas.barycentric[atlas.mask],
        np.asarray(mean, np.float64)[triangles[atlas.face_id[atlas.mask]]],
    )
    normals = triangle_normals(mean, triangles)[atlas.face_id[atlas.mask]]
    shown = ~template.hidden()
    hits = LookupMesh(match.registered, template.triangles[shown]).nearest(points, normals, 1)
    kept = np.isin(
        model.polygon_material[model.polygon_of_face],
        [model.material_kinds.index(kind) for kind in ("skin", "eye", "mouth")],
    )
    corners = model.uv[model.uv_faces[kept][shown][hits.triangle]]
    uv = np.einsum("nk,nkd->nd", hits.weights, corners)
    side = len(model.albedo_mean)
    place = np.clip(np.round(texel_coordinates(uv, side)).astype(int), 0, side - 1)

    def at(picture: NDArray) -> Float:
        out = np.zeros((*atlas.face_id.shape, 3), np.float32)
        out[atlas.mask] = picture[place[:, 1], place[:, 0]]
        return _grounded(out, atlas)

    return at(model.albedo_mean), np.stack([at(picture) for picture in model.albedo_basis])


def painted(atlas: Atlas, triangles: Int, values: NDArray) -> Float:
    """(T, T, C) the per-vertex ``values`` (V, C) in the texture, its ground their mean."""
    values = np.asarray(values, np.float32)
    corners = triangles[atlas.face_id[atlas.mask]]
    texels = np.repeat(np.arange(len(corners)), 3)
    mixed = sp.csr_matrix(
        (atlas.barycentric[atlas.mask].ravel(), (texels, corners.ravel())),
        (len(corners), len(values)),
    )
    out = np.zeros((*atlas.face_id.shape, values.shape[1]), np.float32)
    out[atlas.mask] = mixed @ values
    return _grounded(out, atlas)


def _grounded(picture: Float, atlas: Atlas) -> Float:
    if atlas.mask.any():
        picture[~atlas.mask] = picture[atlas.mask].mean(axis=0)
    return picture
