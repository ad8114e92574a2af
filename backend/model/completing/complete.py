"""An imported file's :class:`RawModel` with everything that a :class:`FaceModel` holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import igl
import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError
from ...raster import Atlas, rasterize_uv
from ..face_model import FaceModel
from ..importing.raw import RawModel
from . import albedo
from .align import align
from .correspondence import Correspondence, correspond, mirrored
from .identity import ENOUGH, with_default_modes
from .landmarks import Landmarks, find_landmarks
from .mapping import ExpressionMapping
from .mouth import mouth_triangles, sheet_coordinates
from .packing import is_laid_out, packed
from .parts import Parts, classify, connected, eye_spheres, own_eyes
from .registration import Registration, register
from .sources import Eyes, Sources
from .surface import LookupMesh
from .template import ARKIT_COUNT, Template, default_template
from .transfer import transfer
from .unwrap import unwrap

Progress = Callable[[float, str], None]
Float = NDArray[np.float32]
Int = NDArray[np.int32]

NOSE_TIP = 30  #: of the 68 landmarks
GUTTER = 3  #: texels that repeat the border of the texture's islands
#: Of the default's scalp with a counterpart, from which on a mesh is a whole head.
WHOLE_HEAD = 0.6
#: Masks that mean nothing on a mesh whose eyes and mouth are one surface with the skin.
INSIDE = ("teeth", "tongue")
#: Masks that only eyeballs have.
EYEBALL = ("sclera", "iris")
#: Random expressions that the mapping's error is measured with.
TRIALS = 50


@dataclass(frozen=True, eq=False)
class CompletedModel:
    """A face model and what was found about it.  V vertices."""

    model: FaceModel  #: with its own expressions
    arkit_basis: Float  #: (52, V, 3) mm at weight 1
    arkit_names: tuple[str, ...]  #: (52,)
    notes: tuple[str, ...] = ()  #: sentences for the card
    figures: dict[str, float] = field(default_factory=dict)  #: how well what was made fits
    #: ``similarity`` (3, 4) from the default model's axes and ``default_triangle`` (V, 3),
    #: ``default_weights`` (V, 3), ``default_belief`` (V,): the counterparts in the default model;
    #: ``mapping_*``: :class:`~.mapping.ExpressionMapping`
    extras: dict[str, NDArray] = field(default_factory=dict)


def complete(raw: RawModel, progress: Progress | None = None) -> CompletedModel:
    """What ``raw`` lacks, from the default model laid over its mean.

    ``progress(fraction, step)`` is called before each step.  Raises :class:`ModelError` where the
    mesh does not resemble a head.
    """
    return _Completion(raw, progress or (lambda fraction, step: None)).run()


@dataclass(frozen=True, eq=False)
class _Found:
    """Where the default head's points are on the model's mean."""

    registration: Registration
    match: Correspondence
    parts: Parts
    landmarks: Landmarks
    symmetry: Int  #: (V,) each vertex's mirror image
    eyes: Eyes | None  #: the mesh's own eyeballs


@dataclass(frozen=True, eq=False)
class _Mesh:
    """Faces and texture coordinates, the mouth closed."""

    triangles: Int  #: (F, 3)
    material: NDArray[np.uint8]  #: (F,) index into ``kinds``
    kinds: tuple[str, ...]
    uv: Float  #: (U, 2)
    uv_triangles: Int  #: (F, 3)


@dataclass(frozen=True, eq=False)
class _Colours:
    """Textures and masks."""

    mean: Float  #: (T, T, 3) linear albedo
    basis: Float  #: (A, T, T, 3)
    masks: NDArray[np.uint8]  #: (M, V)
    uv_masks: NDArray[np.uint8]  #: (M, T, T)


class _Completion:
    def __init__(self, raw: RawModel, report: Progress) -> None:
        self.raw, self.report = raw, report
        self.mean = np.asarray(raw.mean, np.float64)
        self.template: Template = default_template()
        self.notes: list[str] = []
        self.figures: dict[str, float] = {}

    def run(self) -> CompletedModel:
        found = self._found()
        self.report(0.4, "Transferring ARKit's shapes")
        arkit = self._arkit(found.match, found.registration)
        self.report(0.6, "Unwrapping it")
        mesh = self._mesh(found, arkit)
        self.report(0.85, "Making its textures")
        model = self._model(found, mesh, self._colours(found, mesh))
        self.report(0.95, "Mapping expressions")
        mapping = ExpressionMapping.of(self.raw.expression_basis, arkit, model.expression_range)
        self._measure(mapping)
        extras = self._extras(found) | mapping.extras()
        self.report(1.0, "Completed")
        return CompletedModel(
            model=model,
            arkit_basis=arkit,
            arkit_names=self.template.arkit_names,
            notes=tuple(self.notes),
            figures=self.figures,
            extras=extras,
        )

    def _found(self) -> _Found:
        """Where the default head's points are on it."""
        raw = self.raw
        self.report(0.0, "Laying the default head over it")
        registration = self._register()
        self.report(0.35, "Finding counterparts")
        match = correspond(self.template, registration.vertices, self.mean, raw.triangles)
        parts = classify(
            self.template,
            registration.vertices,
            self.mean,
            raw.triangles,
            None if raw.part_of_triangle is None else (raw.part_names, raw.part_of_triangle),
        )
        landmarks = find_landmarks(self.template, registration, self.surface, raw.landmarks68)
        if raw.landmarks68 is None:
            self.notes.append("Landmarks were found by registration of the default head.")
        eyes = own_eyes(self.template, registration.vertices, self.mean, raw.triangles, parts)
        return _Found(
            registration,
            match,
            parts,
            landmarks,
            self._symmetry(registration),
            eyes and Eyes(*eyes),
        )

    def _mesh(self, found: _Found, arkit: Float) -> _Mesh:
        """Its faces with the mouth closed, and their texture coordinates."""
        triangles, material, kinds = self._faces(found.parts, found.landmarks)
        uv, uv_triangles = self._texture_coordinates(found)
        sheet = self._sheet_coordinates(triangles, arkit, uv, uv_triangles)
        return _Mesh(triangles, material, kinds, *(sheet or (uv, uv_triangles)))

    def _colours(self, found: _Found, mesh: _Mesh) -> _Colours:
        """Albedo and masks."""
        atlas = rasterize_uv(mesh.uv, mesh.uv_triangles, albedo.TEXTURE, GUTTER)
        sources = Sources(self.template, found.registration.vertices, found.eyes)
        mean, basis = self._albedo(sources, atlas, mesh)
        masks = self._masks(found, sources)
        drawn = albedo.painted(atlas, mesh.triangles, masks.T) * atlas.mask[..., None]
        uv_masks = np.ascontiguousarray(np.moveaxis(np.round(drawn), 2, 0), np.uint8)
        return _Colours(mean, basis, masks, uv_masks)

    def _model(self, found: _Found, mesh: _Mesh, colours: _Colours) -> FaceModel:
        raw, landmarks = self.raw, found.landmarks
        eyes = found.eyes or Eyes(*eye_spheres(self.template, found.registration.vertices))
        return FaceModel(
            name=raw.name,
            mean=self.mean.astype(np.float32),
            identity_basis=self._identity(found),
            expression_basis=raw.expression_basis,
            expression_names=tuple(raw.expression_names),
            expression_range=np.asarray(raw.expression_range, np.float32),
            polygons=mesh.triangles,
            polygon_material=mesh.material,
            material_kinds=mesh.kinds,
            uv=mesh.uv,
            uv_polygons=mesh.uv_triangles,
            symmetry=found.symmetry,
            edges=_edges(mesh.triangles),
            landmarks68=landmarks.ids,
            landmarks68_triangles=landmarks.corners,
            landmarks68_barycentric=landmarks.weights,
            contour_candidates=landmarks.contour,
            albedo_mean=colours.mean,
            albedo_basis=colours.basis,
            mask_names=self.template.model.mask_names,
            vertex_masks=colours.masks,
            uv_masks=colours.uv_masks,
            eye_centers=eyes.centres.astype(np.float32),
            eye_radius=eyes.radius,
            header={},
        )

    def _identity(self, found: _Found) -> Float:
        """Its own modes; the default's after them where it has few."""
        own = self.raw.identity_basis
        if len(own) >= ENOUGH:
            return own
        matrix = found.registration.similarity.matrix()[:, :3]
        args = (found.match, matrix, self.mean, self.raw.triangles, found.parts)
        whole = with_default_modes(own, *args)
        self.notes.append(
            f"It has {len(own)} identity modes; {len(whole) - len(own)} of the default head's, "
            "carried over to its mesh, follow them."
        )
        return whole

    def _extras(self, found: _Found) -> dict[str, Any]:
        """What the registration found, to be kept with the model."""
        match = found.match
        return {
            "similarity": found.registration.similarity.matrix(),
            "registered": found.registration.vertices.astype(np.float32),
            "default_triangle": self.template.triangles[match.vertex.triangle],
            "default_weights": match.vertex.weights.astype(np.float32),
            "default_belief": match.belief.astype(np.float32),
        }

    def _register(self) -> Registration:
        raw, count = self.raw, len(self.mean)
        part = connected(raw.triangles, count)
        outer = raw.triangles[part[raw.triangles[:, 0]] == 0]
        self.surface = LookupMesh(self.mean, outer)
        border = np.zeros(count, bool)
        border[np.unique(igl.boundary_facets(outer)[0])] = True
        marks = None if raw.landmarks68 is None else self.mean[raw.landmarks68]
        similarity = align(self.template, self.surface, marks)
        registration = register(self.template, self.surface, border, similarity, marks)
        if registration.covered < 0.5:
            raise ModelError(
                f"Only {registration.covered:.0%} of a face was found in the mesh; check which "
                "file it is."
            )
        self.figures["registration_mm"] = registration.error_mm
        return registration

    def _faces(
        self, parts: Parts, landmarks: Landmarks
    ) -> tuple[Int, NDArray[np.uint8], tuple[str, ...]]:
        """(P, 3) triangles with those that close the mouth, their materials, and the kinds."""
        raw = self.raw
        kept = ~parts.dropped
        if not kept.all():
            self.notes.append(
                "Lashes and what only shades or covers the eyes are left out of its faces; they "
                "would need transparent pictures of their own."
            )
        triangles, material = raw.triangles[kept], parts.material[kept]
        self.kept = np.flatnonzero(kept)
        kinds = list(parts.kind)
        mouth = raw.mouth_triangles
        if mouth is None:
            mouth = mouth_triangles(self.mean, triangles, landmarks.ids)
            if mouth is not None:
                self.notes.append("Its mouth was open behind the lips and is closed.")
        if mouth is not None:
            if "mouth" not in kinds:
                kinds.append("mouth")
            triangles = np.concatenate([triangles, mouth]).astype(np.int32)
            inside = np.full(len(mouth), kinds.index("mouth"), np.uint8)
            material = np.concatenate([material, inside])
        return np.ascontiguousarray(triangles), material, tuple(kinds)

    def _texture_coordinates(self, found: _Found) -> tuple[Float, Int]:
        """(U, 2) and (F, 3), without the sheet that closes the mouth."""
        uv, corners = self._own_coordinates(found.parts, int(found.landmarks.ids[NOSE_TIP]))
        if uv is None or corners is None:
            uv, corners = self._unwrapped(found.registration, found.parts)
        return uv, corners

    def _own_coordinates(self, parts: Parts, nose: int) -> tuple[Float, Int] | tuple[None, None]:
        """The file's own, each part in a place of its own; None where it has none that can be."""
        raw = self.raw
        if raw.uv is None or raw.uv_triangles is None:
            return None, None
        uv, corners = np.asarray(raw.uv, np.float32), raw.uv_triangles[self.kept]
        if not is_laid_out(uv, corners):
            self.notes.append("Its texture coordinates are folded over themselves and not used.")
            return None, None
        kinds = np.array(parts.kind)[parts.material[self.kept]]
        moved = packed(uv, corners, self.mean, raw.triangles[self.kept], kinds, nose)
        if moved is None:
            return uv, corners
        self.notes.append(
            "Its texture coordinates lie in several tiles or over one another; each part was given "
            "a place of its own in one texture."
        )
        return moved

    def _unwrapped(self, registration: Registration, parts: Parts) -> tuple[Float, Int]:
        scalp = self.template.skin & (self.template.model.mask("scalp") > 0.5)
        near = self.surface.nearest(registration.vertices[scalp], self.template.normals[scalp], 1)
        whole = float((near.distance < 15).mean()) > WHOLE_HEAD
        uv, corners = unwrap(self.mean, self.raw.triangles, parts, whole)
        self.notes.append("Texture coordinates were made by unwrapping.")
        return uv, corners[self.kept]

    def _sheet_coordinates(
        self, triangles: Int, arkit: Float, uv: Float, uv_triangles: Int
    ) -> tuple[Float, Int] | None:
        """``uv`` and ``uv_triangles`` with those of the sheet that closes the mouth, if any."""
        sheet = triangles[len(self.kept) :]
        if not len(sheet):
            return None
        jaw = self.template.arkit_names.index("jawOpen")
        found = sheet_coordinates(self.mean + arkit[jaw], sheet, uv, uv_triangles)
        if found is None:  # then it repeats the lips
            place = np.zeros(len(self.mean), np.int32)
            place[self.raw.triangles[self.kept].ravel()[::-1]] = uv_triangles.ravel()[::-1]
            return uv, np.concatenate([uv_triangles, place[sheet]]).astype(np.int32)
        return np.concatenate([uv, found[0]]), np.concatenate([uv_triangles, found[1]])

    def _albedo(self, sources: Sources, atlas: Atlas, mesh: _Mesh) -> tuple[Float, Float]:
        """Mean and basis; the mouth behind the lips has the default's colour and no modes."""
        raw = self.raw
        if raw.albedo_mean is None:
            self.notes.append("It has no colours: those of the default head are used.")
            kinds = np.array(mesh.kinds)[mesh.material]
            return albedo.from_default(sources, atlas, self.mean, mesh.triangles, kinds)
        found = 0 if raw.albedo_basis is None else len(raw.albedo_basis)
        if found > albedo.MODES:
            self.notes.append(f"The first {albedo.MODES} of its {found} colour modes are used.")
        mean, basis = albedo.from_vertices(atlas, mesh.triangles, raw.albedo_mean, raw.albedo_basis)
        sheet = atlas.face_id >= len(self.kept)
        inside = sources.plain(self.template.model.albedo_mean, "mouth")
        if sheet.any() and inside is not None:
            mean[sheet] = inside
            basis[:, sheet] = 0
        return mean, basis

    def _symmetry(self, registration: Registration) -> Int:
        if self.raw.symmetry is not None:
            return self.raw.symmetry
        middle = self.template.landmarks_of(registration.vertices)[27:31, 0].mean()
        return mirrored(self.mean, float(middle))

    def _masks(self, found: _Found, sources: Sources) -> NDArray[np.uint8]:
        """(M, V) the default's masks at the counterparts."""
        default, parts = self.template.model, found.parts
        values, names = default.vertex_masks.T.astype(np.float64), default.mask_names
        out = found.match.carry(values).T * found.match.belief
        if parts.kind == ("skin",):
            for name in INSIDE:
                out[names.index(name)] = 0
        kinds = np.array(parts.kind)[parts.material]
        if sources.eyes is not None:
            mine = np.unique(self.raw.triangles[kinds == "eye"])
            out[:, mine] = sources.at_vertices(values, *sources.of_eyes(self.mean[mine])).T
            skin = np.unique(self.raw.triangles[kinds == "skin"])
            for name in EYEBALL:
                out[names.index(name), skin] = 0
        for kind in albedo.PLAIN:
            mine = np.unique(self.raw.triangles[kinds == kind])
            if kind in parts.kind and kind in names and len(mine):
                out[:, mine] = 0
                out[names.index(kind), mine] = 255
        return np.clip(np.round(out), 0, 255).astype(np.uint8)

    def _arkit(self, match: Correspondence, registration: Registration) -> Float:
        """(52, V, 3) its own where it has ARKit's names, else transferred."""
        raw, names = self.raw, self.template.arkit_names
        own = {name: k for k, name in enumerate(raw.expression_names)}
        missing = [k for k, name in enumerate(names) if name not in own]
        out = np.zeros((ARKIT_COUNT, len(self.mean), 3), np.float32)
        for k, name in enumerate(names):
            if name in own:
                out[k] = raw.expression_basis[own[name]]
        if missing:
            matrix = registration.similarity.matrix()[:, :3]
            out[missing] = transfer(
                match,
                matrix,
                self.mean,
                raw.triangles,
                self.template.arkit[missing],
                lambda part: self.report(0.4 + 0.2 * part, "Transferring ARKit's shapes"),
            )
            if len(missing) < ARKIT_COUNT:
                self.notes.append(
                    f"{', '.join(names[k] for k in missing)} of ARKit's shapes are transferred."
                )
        return out

    def _measure(self, mapping: ExpressionMapping) -> None:
        """How far expressions of one basis come in the other, RMS over the vertices."""
        rng = np.random.default_rng(1)
        low, high = mapping.native_range.T
        pca = low.min() < 0
        there, back, moved, posed = [], [], [], []
        for _ in range(TRIALS):
            native = rng.normal(size=len(low)) if pca else np.zeros(len(low))
            if not pca:
                native[rng.integers(len(low), size=4)] = rng.uniform(0, 1, 4)
            native = np.clip(native, low, high)
            there.append(mapping.to_arkit(native)[1])
            moved.append(np.sqrt(native @ mapping.native @ native))
            weights = np.zeros(ARKIT_COUNT)
            weights[rng.integers(ARKIT_COUNT, size=4)] = rng.uniform(0, 1, 4)
            back.append(mapping.from_arkit(weights)[1])
            posed.append(np.sqrt(weights @ mapping.arkit @ weights))
        self.figures |= {
            "expression_rms_mm": float(np.mean(moved)),
            "to_arkit_error_mm": float(np.mean(there)),
            "arkit_rms_mm": float(np.mean(posed)),
            "from_arkit_error_mm": float(np.mean(back)),
        }


def _edges(triangles: Int) -> Int:
    """(N, 2) each edge once."""
    return np.asarray(igl.edges(triangles.astype(np.int64)), np.int32)
