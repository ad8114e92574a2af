"""Albedo textures from colours at the vertices, or the default model's where a file has none."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ...geometry import srgb
from ...geometry.triangles import triangle_normals
from ...raster import Atlas
from .sources import Sources

Float = NDArray[np.float32]
Int = NDArray[np.int32]

TEXTURE = 512  #: texels of the textures' sides
#: Modes that are kept: as many as the original system used.  All 199 would take 600 MB.
MODES = 40
#: Parts of one colour each, which is the same for everybody.
PLAIN = ("teeth", "tongue", "mouth")


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
    sources: Sources, atlas: Atlas, mean: NDArray, triangles: Int, kinds: NDArray
) -> tuple[Float, Float]:
    """The default model's mean (T, T, 3) and basis (A, T, T, 3) on the mesh.

    ``kinds`` (F,) are those of the ``triangles`` (F, 3) of ``mean`` (V, 3) mm.
    """
    model = sources.template.model
    face = atlas.face_id[atlas.mask]
    points = np.einsum(
        "nk,nkd->nd", atlas.barycentric[atlas.mask], np.asarray(mean, np.float64)[triangles[face]]
    )
    of_texel = kinds[face]
    eye = (of_texel == "eye") & (sources.eyes is not None)
    plain = {kind: of_texel == kind for kind in PLAIN if kind in of_texel}
    skin = ~(eye | np.isin(of_texel, list(plain)))
    normals = triangle_normals(mean, triangles)[face]
    found = sources.of_skin(points[skin], normals[skin])
    found_eyes = sources.of_eyes(points[eye]) if eye.any() else None

    def at(picture: NDArray, flat: bool) -> Float:
        texels = np.zeros((len(points), 3), np.float32)
        texels[skin] = sources.texture(picture, *found)
        if found_eyes is not None:
            texels[eye] = sources.texture(picture, *found_eyes)
        for kind, mine in plain.items():
            colour = sources.plain(picture, kind) if flat else None
            texels[mine] = 0.0 if colour is None else colour
        out = np.zeros((*atlas.face_id.shape, 3), np.float32)
        out[atlas.mask] = texels
        return _grounded(out, atlas)

    basis = [at(one.astype(np.float32), False) for one in model.albedo_basis]
    return at(model.albedo_mean, True), np.stack(basis)


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
