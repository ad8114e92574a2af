"""Joins the steps into one model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from . import gaussian_process
from . import identity as identity_space
from .albedo import AlbedoModel, Painted, build_albedo
from .cavity import with_room
from .expression import build_expressions, expression_names
from .eyes_in_head import with_eyes
from .head_mesh import MATERIALS, HeadReducer, HeadTopology, build_topology
from .landmarks import Landmarks, find_anatomy, place_landmarks
from .lashes import with_lashes
from .late_shapes import with_late_steps
from .lip_contact import LipContact
from .lip_seal import LipSeal
from .mouth_in_head import with_mouth
from .raster import TexelMap, rasterise
from .regions import MASK_NAMES, Anatomy, SurfacePoints, region_masks, smooth_step
from .rings import lid_rings, lip_rings
from .source_data import SourceData
from .tear import with_tears
from .uv_layout import UvLayout, build_uv, classify_islands

PRINCIPAL_COMPONENTS = 104
SMOOTH_COMPONENTS = 40
TEXTURE_SIZE = 512
DENSITY_BEHIND = 0.29
"""Texels per millimetre at the back of the head, by those of the face; 0.30 gives the face just
60 % of the width."""
FIRST_DENSITY_BEHIND = 0.42
"""The same when the albedo's components were first made and the network learned them."""
TRAGUS_SOURCE_VERTEX = 12089
"""Vertex of base.obj on the left tragus, in front of the ear canal."""


@dataclass(frozen=True)
class IdentitySpace:
    """Components ordered by falling variance on the face.

    Attributes:
        basis: (K, V, 3) mm for N(0, 1) coefficients.
        symmetric: (K,) bool, mirror symmetric (otherwise antisymmetric).
        smooth: (K,) bool, from the Gaussian process (otherwise a principal component of the sampled
            heads).
        sigma_mm: (K,) root-mean-square displacement of the face's vertices at coefficient 1,
            before the lips are brought together.
        variances: all variances of the sampled heads, falling, in the metric of the principal
            components.
        mixing: (K, T) as in :class:`.identity.Components`; 0 for those of the process.
    """

    basis: np.ndarray
    symmetric: np.ndarray
    smooth: np.ndarray
    sigma_mm: np.ndarray
    variances: np.ndarray
    mixing: np.ndarray


@dataclass(frozen=True)
class FaceModel:
    """The finished model, before quantisation. Shapes as in the asset file (see
    ``docs/face_model.md``)."""

    topology: HeadTopology
    mean: np.ndarray
    identity: IdentitySpace
    expression_basis: np.ndarray
    expression_names: tuple[str, ...]
    layout: UvLayout
    polygon_material: np.ndarray
    vertex_masks: np.ndarray
    uv_masks: np.ndarray
    albedo: AlbedoModel
    anatomy: Anatomy
    landmarks: Landmarks
    lid_rings: np.ndarray
    lip_rings: np.ndarray
    uv_overlaps: int


@dataclass(frozen=True)
class Bodies:
    """What the sampled people are mixed from, over all N vertices of the base mesh.

    Attributes:
        drawn: the T targets and the weights of the sampled people.
        targets: (T, N, 3) mm.
        reference: (N, 3) mm, the mean person in the model's axes and about its origin.
    """

    drawn: identity_space.TargetSet
    targets: np.ndarray
    reference: np.ndarray


def load_bodies(source: SourceData) -> Bodies:
    """Reads all identity targets; the origin lies between the ear canals."""
    drawn = identity_space.sample_targets(source)
    targets = np.stack([source.target(path) for path in drawn.paths])
    mean = np.tensordot(drawn.weights.mean(axis=0), targets, axes=1)
    reference = source.base_mesh.vertices + mean
    return Bodies(drawn, targets, reference - reference[TRAGUS_SOURCE_VERTEX] * [0, 1, 1])


@dataclass(frozen=True)
class ShapeData:
    """Mean head and aligned identity targets, in the model's frame."""

    topology: HeadTopology
    reducer: HeadReducer
    island: np.ndarray
    seal: LipSeal
    mean: np.ndarray
    fields: np.ndarray
    target_paths: list[str]
    target_weights: np.ndarray
    face_weights: np.ndarray

    def inside_mouth(self) -> np.ndarray:
        """(V,) 1 for the vertices of the mouth bag."""
        inside = np.zeros(len(self.mean))
        inside[self.topology.polygons[self.island == "mouth"]] = 1.0
        return inside


def load_shapes(source: SourceData, bodies: Bodies | None = None) -> ShapeData:
    """All identity targets (``bodies``, read if not given) on the head, aligned on the face."""
    base = source.base_mesh
    topology = build_topology(base)
    bodies = bodies or load_bodies(source)
    drawn, targets = bodies.drawn, bodies.targets
    reducer = HeadReducer(base, topology, bodies.reference)
    head = reducer.reference_head()
    mean = (head + identity_space.mirrored(head, topology.symmetry)) / 2
    island = classify_islands(topology, base.uv, source.mask("inside-mouth"), mean)
    seal = LipSeal(topology, island, mean)
    mean = mean + seal.closing()
    mean = (mean + identity_space.mirrored(mean, topology.symmetry)) / 2
    fields = np.stack([reducer.displacement(target) for target in targets])
    weights = face_weights(mean, topology)
    fields = seal.sealed(identity_space.remove_rigid_motion(fields, mean, weights))
    return ShapeData(
        topology, reducer, island, seal, mean, fields, drawn.paths, drawn.weights, weights
    )


def face_weights(head: np.ndarray, topology: HeadTopology) -> np.ndarray:
    """(V,) 1 on the front of the face's outer surface, falling to 0 at about 95 mm from the nose
    tip."""
    anatomy = find_anatomy(head, topology)
    distance = np.linalg.norm(head - anatomy.nose_tip, axis=1)
    front = smooth_step(head[:, 2] - anatomy.eye_centers[0, 2], -60, -40)
    return np.where(topology.part == "skin", smooth_step(distance, 97, 83) * front, 0.0)


def build_model(source: SourceData) -> FaceModel:
    """Runs every step of the build.

    Lips are brought together late: landmarks, texture and the meaning of all coefficients are those
    of the head before, so what was trained or saved with it stays usable. Single teeth and
    true eyes take the place of the source's bands and of plain eyeballs after that, lashes are
    added, and last the expressions are finished, the mouth's cavity is widened, and tears are
    added.
    """
    shapes = load_shapes(source)
    topology, mean = shapes.topology, shapes.mean
    identity = build_identity(shapes)
    landmarks = place_landmarks(mean, topology, shapes.island)
    expressions = build_expressions(source, shapes.reducer, topology, mean, landmarks)
    anatomy = find_anatomy(mean, topology)
    source_masks = {name: source.mask(name) for name in ("lips", "eyelids", "ears")}

    def laid_out(behind: float) -> tuple[UvLayout, TexelMap, Painted]:
        density = texel_density(mean, anatomy, behind)
        layout = build_uv(topology, shapes.island, mean, source.base_mesh.uv, density)
        texels = rasterise(layout.uv, layout.polygons, TEXTURE_SIZE)
        points = points_at_texels(texels, topology, layout, mean, source.base_mesh.uv)
        return layout, texels, Painted(points, region_masks(points, anatomy, source_masks))

    layout, texels, painted = laid_out(DENSITY_BEHIND)
    weighed = laid_out(FIRST_DENSITY_BEHIND)[2]
    vertex_masks = region_masks(
        points_at_vertices(topology, layout, mean, source.base_mesh.uv), anatomy, source_masks
    )
    covered = texels.polygon >= 0
    uv_masks = np.zeros((len(MASK_NAMES), TEXTURE_SIZE, TEXTURE_SIZE))
    for plane, name in zip(uv_masks, MASK_NAMES, strict=True):
        plane[covered] = painted.masks[name]
    mean, identity = with_lips_together(shapes, identity)
    model = FaceModel(
        topology=topology,
        mean=mean,
        identity=identity,
        expression_basis=expressions,
        expression_names=expression_names(),
        layout=layout,
        polygon_material=material_of(topology, layout),
        vertex_masks=np.stack([vertex_masks[name] for name in MASK_NAMES]),
        uv_masks=uv_masks,
        albedo=build_albedo(painted, anatomy, covered, weighed),
        anatomy=anatomy,
        landmarks=landmarks,
        lid_rings=lid_rings(topology, shapes.island, shapes.mean),
        lip_rings=lip_rings(topology, shapes.island, shapes.mean),
        uv_overlaps=texels.overlaps,
    )
    return with_tears(with_room(with_late_steps(with_lashes(with_eyes(with_mouth(model))))))


def build_identity(shapes: ShapeData) -> IdentitySpace:
    """Principal components of sampled heads, and what a Gaussian process adds to them."""
    skin = np.where(shapes.topology.part == "skin", identity_space.OUTSIDE_FACE_WEIGHT, 0.0)
    metric = np.maximum(shapes.face_weights, skin)
    found = identity_space.principal_components(
        shapes.fields, shapes.target_weights, metric, shapes.topology.symmetry, PRINCIPAL_COMPONENTS
    )
    principal = found.basis
    smooth, smooth_symmetric = gaussian_process.smooth_fields(
        shapes.mean, shapes.topology, shapes.face_weights, shapes.inside_mouth()
    )
    smooth = shapes.seal.sealed(smooth)
    extra, extra_symmetric = gaussian_process.residual_components(
        smooth, smooth_symmetric, principal, metric, SMOOTH_COMPONENTS
    )
    basis = np.concatenate([principal, extra])
    flags = np.concatenate([found.symmetric, extra_symmetric])
    signs = np.where(flags, 1.0, -1.0)[
        :, None, None
    ]  # exactly, where the metric was so only to a few micrometres
    basis = (basis + signs * identity_space.mirrored(basis, shapes.topology.symmetry)) / 2
    sigma = np.sqrt((basis[:, shapes.face_weights > 0.5] ** 2).sum(axis=2).mean(axis=1))
    order = np.argsort(-np.round(sigma, 6), kind="stable")
    from_process = np.repeat([False, True], [len(principal), len(extra)])
    mixing = np.pad(found.mixing, ((0, len(extra)), (0, 0)))
    return IdentitySpace(
        basis[order],
        flags[order],
        from_process[order],
        sigma[order],
        found.variances,
        mixing[order],
    )


def with_lips_together(
    shapes: ShapeData, identity: IdentitySpace
) -> tuple[np.ndarray, IdentitySpace]:
    """Mean (V, 3) and identity space whose heads all have closed lips at neutral."""
    topology, mean = shapes.topology, shapes.mean
    contact = LipContact(topology.polygons, shapes.island == "skin", shapes.island == "mouth", mean)
    closing = contact.closing()
    mean = mean + (closing + identity_space.mirrored(closing, topology.symmetry)) / 2
    basis = contact.closed(identity.basis)
    signs = np.where(identity.symmetric, 1.0, -1.0)[:, None, None]
    basis = (basis + signs * identity_space.mirrored(basis, topology.symmetry)) / 2
    return mean, replace(identity, basis=basis)


def texel_density(head: np.ndarray, anatomy: Anatomy, behind: float) -> np.ndarray:
    """(V,) wanted texels per millimetre: 1 on the face, falling to ``behind`` at the back."""
    distance = np.linalg.norm((head - anatomy.nose_tip + [0, 0, 35]) * [1, 0.8, 1], axis=1)
    return behind + (1 - behind) / (1 + np.exp((distance - 88) / 9))


def material_of(topology: HeadTopology, layout: UvLayout) -> np.ndarray:
    """(F,) uint8 index into ``MATERIALS``; the eye sockets behind the lids count as skin."""
    by_part = {"skin": "skin", "teeth_upper": "teeth", "teeth_lower": "teeth", "tongue": "tongue"}
    names = [
        "mouth" if island == "mouth" else by_part.get(part, "eye")
        for part, island in zip(topology.polygon_part.tolist(), layout.island.tolist(), strict=True)
    ]
    return np.array([MATERIALS.index(name) for name in names], np.uint8)


def points_at_texels(
    texels: TexelMap,
    topology: HeadTopology,
    layout: UvLayout,
    head: np.ndarray,
    source_uv: np.ndarray,
) -> SurfacePoints:
    """The surface points under the covered texels."""
    polygon = texels.polygon[texels.polygon >= 0]
    known = topology.source_uv_polygons[polygon, 0] >= 0
    old_uv = texels.sample(source_uv, np.maximum(topology.source_uv_polygons, 0))
    old_uv[~known] = np.nan
    return SurfacePoints(
        position=texels.sample(head, topology.polygons),
        source_uv=old_uv,
        island=layout.island[polygon],
        part=topology.polygon_part[polygon],
    )


def points_at_vertices(
    topology: HeadTopology, layout: UvLayout, head: np.ndarray, source_uv: np.ndarray
) -> SurfacePoints:
    """The vertices as surface points; one on a seam takes the outer skin's side of it."""
    old_uv = np.full((len(head), 2), np.nan)
    island = np.empty(len(head), layout.island.dtype)
    outer_last = np.argsort(layout.island == "skin", kind="stable")
    for row in outer_last:
        vertices = topology.polygons[row]
        island[vertices] = layout.island[row]
        corners = topology.source_uv_polygons[row]
        if corners[0] >= 0:
            old_uv[vertices] = source_uv[corners]
    return SurfacePoints(head, old_uv, island, topology.part)
