"""Puts single teeth and gums into the finished head, in place of the source's bands of teeth.

It is the last step: the bands take part in all others, so that the coefficients of identity,
expression and albedo mean what they meant before there were single teeth.  Skin, tongue and
eyeballs keep their order, teeth and gums follow at the end.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from reconstruct_face.backend.geometry.srgb import decode
from scipy.ndimage import distance_transform_edt

from .albedo import GUMS, AlbedoModel
from .head_mesh import MATERIALS, HeadTopology
from .identity import mirrored
from .mouth import MouthMesh, identity_motion, lips_meet, mouth_mesh, rigid_motion
from .raster import rasterise
from .regions import MASK_NAMES
from .teeth import ROWS
from .uv_layout import UvLayout

if TYPE_CHECKING:
    from .assembly import FaceModel

MOVES_MM = 0.05
"""Expressions that move the lower band by less leave the lower teeth alone."""
KINDS = {
    "teeth_upper": "teeth",
    "teeth_lower": "teeth",
    "gums_upper": "tongue",
    "gums_lower": "tongue",
}
"""Part -> material and mask; gums are wet and soft as the tongue is."""


def with_mouth(model: FaceModel) -> FaceModel:
    """The model with 28 teeth and two gums where it had two bands."""
    bands = np.flatnonzero(np.isin(model.topology.part, list(ROWS)))
    kept = np.setdiff1d(np.arange(len(model.mean)), bands)
    mouth = mouth_mesh(lips_meet(model.mean, model.landmarks))
    basis = _identity(model, bands, mouth)
    shapes = _expressions(model, mouth)
    topology = _topology(model.topology, kept, mouth)
    stays = ~np.isin(model.topology.polygon_part, list(ROWS))
    layout = _layout(model.layout, stays, mouth)
    kinds = [KINDS[name] for name in mouth.polygon_part.tolist()]
    material = np.array([MATERIALS.index(kind) for kind in kinds], np.uint8)
    masks = np.array([[KINDS[part] == name for part in mouth.part] for name in MASK_NAMES], float)
    albedo, uv_masks = _textures(model, layout, stays, mouth)
    return replace(
        model,
        topology=topology,
        mean=np.concatenate([model.mean[kept], mouth.piece.vertices]),
        identity=replace(
            model.identity, basis=np.concatenate([model.identity.basis[:, kept], basis], axis=1)
        ),
        expression_basis=np.concatenate([model.expression_basis[:, kept], shapes], axis=1),
        layout=layout,
        polygon_material=np.concatenate([model.polygon_material[stays], material]),
        vertex_masks=np.concatenate([model.vertex_masks[:, kept], masks], axis=1),
        uv_masks=uv_masks,
        albedo=albedo,
    )


def _identity(model: FaceModel, bands: np.ndarray, mouth: MouthMesh) -> np.ndarray:
    """(K, M, 3), exactly symmetric or antisymmetric as the head's components are."""
    piece, identity = mouth.piece, model.identity
    basis = identity_motion(model.mean, identity.basis, bands, model.landmarks, piece.vertices)
    signs = np.where(identity.symmetric, 1.0, -1.0)[:, None, None]
    return (basis + signs * mirrored(basis, piece.symmetry)) / 2


def _expressions(model: FaceModel, mouth: MouthMesh) -> np.ndarray:
    """(E, M, 3): the lower row goes rigidly with the lower band, the upper row stays."""
    band = model.topology.vertices_of("teeth_lower")
    lower = np.char.endswith(mouth.part, "lower")
    shapes = np.zeros((len(model.expression_basis), len(mouth.part), 3))
    for shape, moved in zip(shapes, model.expression_basis[:, band], strict=True):
        if np.abs(moved).max() >= MOVES_MM:
            shape[lower] = rigid_motion(model.mean[band], moved, mouth.piece.vertices[lower])
    return shapes


def _topology(old: HeadTopology, kept: np.ndarray, mouth: MouthMesh) -> HeadTopology:
    lookup = np.full(len(old.part), -1)
    lookup[kept] = np.arange(len(kept))
    stays = ~np.isin(old.polygon_part, list(ROWS))
    piece, count = mouth.piece, len(mouth.part)
    no_source = np.full(piece.quads.shape, -1)
    return replace(
        old,
        source_index=np.concatenate([old.source_index[kept], np.full(count, -1)]).astype(np.int32),
        polygons=np.concatenate([lookup[old.polygons[stays]], piece.quads + len(kept)]).astype(
            np.int32
        ),
        part=np.concatenate([old.part[kept], mouth.part]),
        polygon_part=np.concatenate([old.polygon_part[stays], mouth.polygon_part]),
        source_uv_polygons=np.concatenate([old.source_uv_polygons[stays], no_source]).astype(
            np.int32
        ),
        symmetry=np.concatenate([lookup[old.symmetry[kept]], piece.symmetry + len(kept)]).astype(
            np.int32
        ),
        neck_loop=lookup[old.neck_loop].astype(np.int32),
    )


def _layout(old: UvLayout, stays: np.ndarray, mouth: MouthMesh) -> UvLayout:
    used, local = np.unique(old.polygons[stays], return_inverse=True)
    local = local.reshape(-1, 4)
    return UvLayout(
        np.concatenate([old.uv[used], mouth.piece.uv]),
        np.concatenate([local, mouth.piece.uv_quads + len(used)]).astype(np.int32),
        np.concatenate([old.island[stays], mouth.polygon_part]),
    )


def _textures(
    model: FaceModel, layout: UvLayout, stays: np.ndarray, mouth: MouthMesh
) -> tuple[AlbedoModel, np.ndarray]:
    """Albedo and (M, S, S) masks with the new islands; teeth take the bands' colours, tinted."""
    size = model.albedo.mean.shape[0]
    before = rasterise(model.layout.uv, model.layout.polygons, size).polygon
    teeth = before >= 0
    teeth[teeth] = ~stays[before[teeth]]
    row, column = (ids[0] for ids in np.nonzero(teeth))
    texels = rasterise(layout.uv, layout.polygons, size)
    if texels.overlaps > model.uv_overlaps:
        raise ValueError(f"teeth and gums cover {texels.overlaps} texels twice")
    covered, new = texels.polygon >= 0, texels.polygon >= stays.sum()
    polygons = np.zeros_like(layout.polygons)
    polygons[stays.sum() :] = mouth.piece.quads
    tint = texels.sample(mouth.tint, polygons)[new[covered]]
    part = mouth.polygon_part[texels.polygon[new] - stays.sum()]
    tooth = np.array([KINDS[name] == "teeth" for name in part.tolist()])[:, None]
    mean, basis = model.albedo.mean.copy(), model.albedo.basis.copy()
    mean[new] = tint * np.where(tooth, mean[row, column], decode(GUMS / 255))
    basis[:, new] = tint * np.where(tooth, basis[:, row, column][:, None], 0.0)
    nearest = distance_transform_edt(~covered, return_distances=False, return_indices=True)
    masks = np.where(covered, model.uv_masks, 0.0)
    for plane, name in zip(masks, MASK_NAMES, strict=True):
        plane[new] = np.array([KINDS[one] == name for one in part.tolist()])
    taken = tuple(nearest)
    return AlbedoModel(
        mean[taken], basis[:, taken[0], taken[1]], model.albedo.variance_share
    ), masks
