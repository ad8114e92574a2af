"""Room for teeth and gums in the mouth's cavity, and a root for the tongue.

The source's cavity was made for its two bands of teeth: deep in the cheek, and further with the jaw
open, the single teeth and their gums come through its wall.  So the wall gives way outwards, on the
mean head and on others, at neutral and then in each expression on top of that.  Lips stay, and so
do all other parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from .head_mesh import MATERIALS
from .late_shapes import MIDDLE_MM, ON_TOP
from .regions import smooth_step
from .rings import LIP_RINGS, rings_from
from .tongue import PARTED

if TYPE_CHECKING:
    from .assembly import FaceModel

HEADS, SEED = 6, 20_261_131
"""The mean head and random ones."""
CLEAR_MM = 0.6
"""How far teeth and gums stay off the wall."""
SLACK_MM = 0.15
"""What an expression may push them further out than they are at neutral."""
FINE = 4
"""The wall is looked at in FINE x FINE points of each quad."""
MOST_MM, MOST_ROUNDS = 0.5, 16
"""What the wall gives way in one round at most, and rounds."""
FLESH_MM = 6.0
"""What stays between the wall and the face's skin at least, where there is as much: light goes that
deep, and several expressions add up."""
SPREAD = 3
"""Times that a push goes on to what is beside it."""
REACH_MM = 12.0
"""Teeth further from the wall than that are looked at no more: they are beyond the lips."""
NEXT = (0.0, 0.15, 0.6)
"""How far the lips' seam and the rings behind it may give way."""
AT_MOST_MM = 3.0
"""What the wall gives way in one shape at most."""
SKIN_Z = 0.0
"""z from where on skin is the face's."""
STARTS = ("jaw", "mouth", "cheek")
"""How the names of expressions start that may move wall or teeth; ``tongueOut`` has its share of
``jawOpen``."""
ROOT_Z, ROOT_DOWN = (32.0, 6.0), 34.0
"""z of the tongue from where on it goes down to its root, and where it has by ``ROOT_DOWN`` mm,
to below the wall's floor."""


@dataclass(frozen=True, eq=False)
class Cavity:
    """The wall and what stands in it.

    Attributes:
        quads: (Q, 4) of the wall, seen from the cavity.
        inside: (N,) vertices of teeth and gums.
        free: (V,) how far a vertex may give way, 0 to 1.
        symmetry: (V,) mirror vertices.
        skin: (P, 4) quads of the face's outer skin.
    """

    quads: np.ndarray
    inside: np.ndarray
    free: np.ndarray
    symmetry: np.ndarray
    skin: np.ndarray

    def outside(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How far what is inside stands beyond the wall of a head ``points`` (V, 3), where it is
        nearest.

        Returns:
            (N,) mm, negative within the cavity; (N,) row of ``quads``.
        """
        share = (np.arange(FINE) + 0.5) / FINE
        s, t = (grid.ravel() for grid in np.meshgrid(share, share))
        mix = np.stack([(1 - s) * (1 - t), s * (1 - t), s * t, (1 - s) * t])
        corners, normals = points[self.quads], self.normals(points)[self.quads]
        at = np.einsum("kf,qkx->qfx", mix, corners).reshape(-1, 3)
        away = np.einsum("kf,qkx->qfx", mix, normals).reshape(-1, 3)
        away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
        arms, near = cKDTree(at).query(points[self.inside], distance_upper_bound=REACH_MM)
        found = np.full(len(self.inside), -np.inf)
        close = np.isfinite(arms)
        near = np.where(close, near, 0)
        over = ((points[self.inside] - at[near]) * away[near]).sum(axis=1)
        found[close] = over[close]
        return found, near // FINE**2

    def flesh(self, points: np.ndarray) -> np.ndarray:
        """(V,) mm from the wall to the face's skin on a head ``points`` (V, 3), infinite off it."""
        corners = points[self.skin]
        middles = [corners.mean(axis=1), *((corners + np.roll(corners, -1, 1)) / 2).swapaxes(0, 1)]
        tree = cKDTree(np.concatenate([*middles, points[np.unique(self.skin)]]))
        wall = np.unique(self.quads)
        found = np.full(len(points), np.inf)
        found[wall] = tree.query(points[wall], distance_upper_bound=2 * MOST_MM + FLESH_MM)[0]
        return found

    def normals(self, points: np.ndarray) -> np.ndarray:
        """(V, 3) unit vectors out of the cavity, 0 off the wall."""
        corners = points[self.quads]
        across = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
        found = np.zeros_like(points)
        np.add.at(found, self.quads, -across[:, None])
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)

    def beside(self, values: np.ndarray) -> np.ndarray:
        """(V,) the mean over the four corners of the quads at each vertex."""
        total, count = np.zeros(len(values)), np.zeros(len(values))
        np.add.at(total, self.quads, values[self.quads].mean(axis=1)[:, None])
        np.add.at(count, self.quads, 1)
        return total / np.maximum(count, 1)

    def room(self, heads: np.ndarray, shape: np.ndarray, symmetric: bool) -> np.ndarray:
        """(V, 3) mm by which the wall has to give way on the ``heads`` (H, V, 3) moved by
        ``shape`` (V, 3)."""
        found = np.zeros_like(shape)
        # What the wall cannot hold at neutral is not held by an expression either.
        rest = [np.maximum(self.outside(head)[0], 0) * shape.any() for head in heads]
        for _ in range(MOST_ROUNDS):
            least = np.zeros(len(shape))
            flesh = np.full(len(shape), np.inf)
            for head, before in zip(heads, rest, strict=True):
                posed = head + shape + found
                np.minimum(flesh, self.flesh(posed), out=flesh)
                over, quad = self.outside(posed)
                out = over > before + SLACK_MM
                need = np.minimum(over[out] + CLEAR_MM, MOST_MM)
                np.maximum.at(least, self.quads[quad[out]], need[:, None])
            least *= self.free
            if not least.any():
                break
            push = least
            for _ in range(SPREAD):
                push = np.maximum(least, (push + self.beside(push)) / 2 * (self.free > 0))
            push = np.clip(push * self.free, 0, np.maximum(flesh - FLESH_MM, 0))
            move = push[:, None] * self.normals(heads[0] + shape + found)
            if symmetric:
                move = (move + move[self.symmetry] * [-1, 1, 1]) / 2
            found += move
            size = np.linalg.norm(found, axis=1)
            found *= np.minimum(1, AT_MOST_MM * self.free / np.maximum(size, 1e-9))[:, None]
        return found


def cavity_of(model: FaceModel) -> Cavity:
    """That of the ``model``."""
    topology = model.topology
    wall = model.polygon_material == MATERIALS.index("mouth")
    outer = model.polygon_material == MATERIALS.index("skin")
    seam = model.lip_rings[LIP_RINGS[0]]
    rings = rings_from(topology.polygons[wall], seam, len(NEXT) - 1)
    free = np.zeros(len(model.mean))
    free[topology.polygons[wall]] = 1.0
    free[topology.polygons[outer]] = 0.0
    free[rings] = np.array(NEXT)[:, None]
    parts = ("teeth_upper", "teeth_lower", "gums_upper", "gums_lower")
    inside = np.flatnonzero(np.isin(topology.part, parts))
    skin = topology.polygons[outer]
    near = skin[model.mean[skin[:, 0], 2] > SKIN_Z]
    return Cavity(topology.polygons[wall], inside, free, topology.symmetry, near)


def with_room(model: FaceModel) -> FaceModel:
    """The ``model`` whose cavity holds its teeth and gums, and whose tongue has a root."""
    cavity = cavity_of(model)
    rng = np.random.default_rng(SEED)
    identity = rng.normal(size=(HEADS, len(model.identity.basis)))
    identity[0] = 0.0
    heads = model.mean + np.tensordot(identity, model.identity.basis, 1)
    still = cavity.room(heads, np.zeros_like(model.mean), symmetric=True)
    shapes = widened(model.expression_basis, model.expression_names, cavity, heads + still)
    mean = model.mean + still
    tongue = model.topology.vertices_of("tongue")
    mean[tongue, 1] -= ROOT_DOWN * smooth_step(mean[tongue, 2], *ROOT_Z)
    return replace(model, mean=mean, expression_basis=shapes)


def widened(
    shapes: np.ndarray, names: Sequence[str], cavity: Cavity, heads: np.ndarray
) -> np.ndarray:
    """``shapes`` (E, V, 3) mm that leave room on all ``heads`` (H, V, 3), each at 1 and both
    sides' at once."""
    found = shapes.copy()
    to_left = smooth_step(heads[0, :, 0], -MIDDLE_MM, MIDDLE_MM)[:, None]
    for number, name in enumerate(names):
        if not name.startswith(STARTS) or name.endswith("Right"):
            continue
        other = name.removesuffix("Left") + "Right"
        shape = shapes[number]
        if name in ("mouthLeft", "jawLeft"):
            change = cavity.room(heads, shape, symmetric=False)
            found[number] += change
            found[names.index(other)] += change[cavity.symmetry] * [-1, 1, 1]
            continue
        if name.endswith("Left"):
            shape = shape + shapes[names.index(other)]
        if name in ON_TOP:
            shape = shape + found[names.index(ON_TOP[name])]
        change = cavity.room(heads, shape, symmetric=True)
        if name.endswith("Left"):
            found[number] += to_left * change
            found[names.index(other)] += (1 - to_left) * change
        else:
            found[number] += change
    jaw, tongue = names.index("jawOpen"), names.index("tongueOut")
    found[tongue] += PARTED["jawOpen"] * (found[jaw] - shapes[jaw])
    return found
