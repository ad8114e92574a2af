"""The default head laid over an imported model's mean: which point is which.

First pose, size and the default's own identity modes are fitted to the planes at the closest points
(Chen and Medioni 1991).  Then every vertex gets a displacement, which stiffness along the edges
ties to its neighbours' and which is let go step by step: non-rigid ICP with the schedule of Amberg,
Romdhani and Vetter (2007).  Displacements in place of their affine transforms, because pose and
shape are nearly right by then, and the system is then a quarter the size with one right side more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ...geometry.similarity import Similarity
from ...geometry.triangles import vertex_normals
from .solver import factor
from .surface import Hits, LookupMesh
from .template import Template

Double = NDArray[np.float64]

#: Stiffness of the steps (the paper's alpha) and how often the closest points are taken anew.
STIFFNESS = (60.0, 20.0, 7.0, 2.5, 1.0, 0.4)
REPEATS = 2
BENDING = 2.0  #: of the displacements, against their stretching
LANDMARK_WEIGHT = 20.0  #: the paper's beta at the first step; it fades with the stiffness
#: Closest points farther away, or turned further, are not believed.
REACH_MM = (14.0, 4.0)  #: at the first and the last step
FACING = 0.6
#: Of the fit of pose and identity.
ROUNDS = 14
PLANE_SIGMA_MM = 1.0  #: how well a plane is believed
COUNTED = 0.3  #: neighbouring points err alike: part of them that counts
LANDMARK_SIGMA_MM = 1.5
JAW = slice(0, 17)


@dataclass(frozen=True, eq=False)
class Registration:
    """The default head in the shape of another, in that one's axes."""

    similarity: Similarity  #: from the default model's axes to the other's
    vertices: Double  #: (V, 3) of the default model, mm
    error_mm: float  #: root mean square of the face's distance from the mesh
    covered: float  #: 0..1 part of the default's face that has a counterpart
    bent_mm: float  #: root mean square way of the face from what a head of its model would be


def register(
    template: Template,
    surface: LookupMesh,
    border: NDArray[np.bool_],
    similarity: Similarity,
    landmarks: NDArray | None,
    strength: NDArray | None = None,
) -> Registration:
    """Lay ``template`` over ``surface``, whose vertices ``border`` (V,) are on its border.

    ``landmarks`` (68, 3) mm on the mesh where they are known, ``strength`` (68,) how much each
    counts: 0 not at all, all but the jaw's 1 if it is not given.
    """
    run = _Run(template, surface, border, similarity, landmarks, strength)
    run.fit_identity()
    head = run.vertices
    vertices = run.deform()
    normals = vertex_normals(vertices, template.triangles)
    hits = surface.nearest(vertices, normals, within_mm=REACH_MM[1])
    face = template.skin & (template.model.mask("face") > 0.5)
    near = face & (hits.distance < REACH_MM[1]) & (hits.facing > FACING)
    error = np.sqrt((hits.distance[near] ** 2).mean()) if near.any() else np.inf
    share = float(near.sum() / max(1, face.sum()))
    bent = np.sqrt(((vertices - head)[face] ** 2).sum(axis=1).mean())
    return Registration(run.similarity, vertices, float(error), share, float(bent))


class _Run:
    def __init__(
        self,
        template: Template,
        surface: LookupMesh,
        border: NDArray[np.bool_],
        similarity: Similarity,
        landmarks: NDArray | None,
        strength: NDArray | None = None,
    ) -> None:
        self.template, self.surface, self.similarity = template, surface, similarity
        self.landmarks, self.strength = landmarks, strength
        self.on_border = border[surface.triangles].any(axis=1)
        self.vertices = similarity.apply(template.mean)
        model = template.model
        # Eyes, lips and ears lie close to other surfaces and are drawn to the wrong one at first.
        soft = np.maximum.reduce([model.mask(name) for name in ("ears", "lids", "lips")])
        self.trust = np.where(template.skin, 1 - 0.7 * soft, 0)
        self.ids = np.flatnonzero(self.trust > 0)

    def _targets(self, vertices: Double, reach: float) -> tuple[Hits, Double]:
        """Closest points of the N vertices :attr:`ids`, and (N,) belief in them."""
        ids = self.ids
        normals = vertex_normals(vertices, self.template.triangles)[ids]
        hits = self.surface.nearest(vertices[ids], normals, 2, reach)
        good = (hits.distance < reach) & (hits.facing > FACING) & ~self.on_border[hits.triangle]
        return hits, self.trust[ids] * good

    def fit_identity(self) -> None:
        """Pose, size and the default model's own modes (MAP, the modes N(0, 1))."""
        template, modes = self.template, self.template.model.identity_basis
        identity = np.zeros(len(modes))
        ids = self.ids
        reaches = np.geomspace(*REACH_MM, ROUNDS)
        for reach in reaches:
            at = self.similarity
            turn = at.scale * at.rotation
            shape = template.mean + np.tensordot(identity, modes, 1)
            vertices = at.apply(shape)
            hits, belief = self._targets(vertices, reach)
            normal = self.surface.normals[hits.triangle]
            rows = _motion_rows(normal, vertices[ids] - vertices.mean(axis=0))
            turned = normal @ turn  # the normals in the default's axes
            along = (modes[:, ids] * turned.astype(np.float32)).sum(axis=2)
            rows = np.hstack([rows, along.T])
            missed = np.einsum("nd,nd->n", normal, hits.points - vertices[ids])
            weight = COUNTED * belief / PLANE_SIGMA_MM**2
            weight *= 1 / (1 + (missed / (0.3 * reach)) ** 2)  # Cauchy's
            hessian = (rows * weight[:, None]).T @ rows
            gradient = rows.T @ (weight * missed)
            if self.landmarks is not None:
                more, slope = self._mark_rows(vertices, modes, turn)
                hessian, gradient = hessian + more, gradient + slope
            prior = np.r_[np.full(7, 1e-6), np.ones(len(identity))]
            gradient -= prior * np.r_[np.zeros(7), identity]
            change = np.linalg.solve(hessian + np.diag(prior), gradient)
            growth = np.clip(change[6], -0.2, 0.2)
            self.similarity = at.moved(change[:3], change[3:6], growth, vertices.mean(axis=0))
            identity = np.clip(identity + change[7:], -3.5, 3.5)
        self.vertices = self.similarity.apply(template.mean + np.tensordot(identity, modes, 1))

    def _mark_rows(self, vertices: Double, modes: NDArray, turn: Double) -> tuple[Double, Double]:
        """Normal equations of the landmarks, but the jaw's where no strength was given."""
        assert self.landmarks is not None
        model = self.template.model
        counted = np.arange(JAW.stop, 68)
        strength = np.ones(len(counted))
        if self.strength is not None:
            counted = np.flatnonzero(self.strength > 0)
            strength = self.strength[counted]
        weights = model.landmarks68_barycentric[counted]
        corners = model.landmarks68_triangles[counted]
        basis = np.einsum("lk,mlkd->mld", weights, modes[:, corners]) @ turn.T
        points = self.template.landmarks_of(vertices)[counted]
        around, count = points - vertices.mean(axis=0), len(counted)
        rows = np.concatenate(
            [
                np.hstack([_motion_rows(np.tile(axis, (count, 1)), around), (basis @ axis).T])
                for axis in np.eye(3)
            ]
        )
        missed = (self.landmarks[counted] - points).T.ravel()
        weighed = rows.T * np.tile(strength, 3) / LANDMARK_SIGMA_MM**2
        return weighed @ rows, weighed @ missed

    def deform(self) -> Double:
        """(V, 3) every vertex displaced."""
        edges, count = self.template.model.edges, len(self.vertices)
        incidence = sp.csr_matrix(
            (
                np.tile([1.0, -1.0], len(edges)),
                (np.repeat(np.arange(len(edges)), 2), edges.ravel()),
            ),
            (len(edges), count),
        )
        membrane = (incidence.T @ incidence).tocsc()
        stiff = (membrane + BENDING * membrane @ membrane) / 4
        marks, strength = self._marks()
        start, moved = self.vertices, np.zeros((count, 3))
        reaches = np.geomspace(*REACH_MM, len(STIFFNESS))
        for alpha, reach in zip(STIFFNESS, reaches, strict=True):
            for _ in range(REPEATS):
                hits, belief = self._targets(start + moved, reach)
                weight, right = np.full(count, 1e-6), np.zeros((count, 3))
                weight[self.ids] += belief
                right[self.ids] = belief[:, None] * (hits.points - start[self.ids])
                system = alpha * stiff + sp.diags(weight)
                if self.landmarks is not None:
                    beta = LANDMARK_WEIGHT * alpha / STIFFNESS[0] * strength
                    system = system + marks.T @ sp.diags(beta) @ marks
                    right = right + marks.T @ (beta[:, None] * (self.landmarks - marks @ start))
                moved = factor(system).solve(right)
        return self._with_eyes(start + moved)

    def _with_eyes(self, vertices: Double) -> Double:
        """The eyeballs, which touch nothing, moved as the lids around them were."""
        model = self.template.model
        lids = np.flatnonzero(self.template.skin & (model.mask("lids") > 0.5))
        for ids, middle in zip(self.template.eyes(), model.eye_centers, strict=True):
            near = np.linalg.norm(model.mean[lids] - middle, axis=1) < 1.6 * model.eye_radius
            ring = lids[near]
            vertices[ids] += (vertices[ring] - self.vertices[ring]).mean(axis=0)
        return vertices

    def _marks(self) -> tuple[sp.csr_matrix, Double]:
        """(68, V) picks the landmarks; (68,) how much they count."""
        model = self.template.model
        pick = sp.csr_matrix(
            (
                model.landmarks68_barycentric.ravel().astype(np.float64),
                (np.repeat(np.arange(68), 3), model.landmarks68_triangles.ravel()),
            ),
            (68, len(model.mean)),
        )
        if self.strength is not None:
            return pick, self.strength
        strength = np.ones(68)
        strength[JAW] = 0.01  # a line, not points: each file has its own along it
        return pick, strength


def _motion_rows(normals: Double, points: Double) -> Double:
    """(N, 7) how turn 3, shift 3 and log size move ``points`` (N, 3) along ``normals``."""
    return np.hstack(
        [np.cross(points, normals), normals, np.einsum("nd,nd->n", points, normals)[:, None]]
    )
