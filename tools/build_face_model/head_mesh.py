"""The topology of the head: cut from the body, with new eyeballs, reduced to the vertices it
needs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from .eyeball import eyeball_mesh, fit_sphere
from .source_data import BaseMesh

MATERIALS = ("skin", "eye", "teeth", "tongue", "mouth", "iris", "cornea", "lashes", "tear")
NECK_SEED = 857
"""A vertex at the nape on the edge loop where the neck is cut: above the shoulders, 4 cm of throat
below the chin."""
CROWN_SEED = 5368
"""Any vertex of the head above the cut."""
PARTS = {
    "eye_right": "helper-r-eye",
    "eye_left": "helper-l-eye",
    "teeth_upper": "helper-upper-teeth",
    "teeth_lower": "helper-lower-teeth",
    "tongue": "helper-tongue",
}
"""Part name -> OBJ group of the base mesh."""


@dataclass(frozen=True)
class HeadTopology:
    """Everything about the mesh that does not depend on a person's shape.

    Vertices come in the order of ``base.obj`` (skin with mouth bag, teeth, tongue) with the two
    eyeballs last.

    Attributes:
        source_index: (V,) vertex of base.obj; -1 for the new eyeballs.
        polygons: (F, 4) int32 quads, outward.
        part: (V,) str: "skin" (with the mouth bag) or a key of ``PARTS``.
        polygon_part: (F,) str, as ``part``.
        source_uv_polygons: (F, 4) int32 into the base mesh's UVs; -1 for the eyeballs.
        symmetry: (V,) int32, index of the mirror image of each vertex.
        neck_loop: (L,) int32 the boundary loop of the neck, ordered.
        eye_template: (W, 3) unit-sphere positions of one eyeball's vertices, iris at +z.
        eye_quads: (Q, 4) quads of one eyeball, into its own vertices.
    """

    source_index: np.ndarray
    polygons: np.ndarray
    part: np.ndarray
    polygon_part: np.ndarray
    source_uv_polygons: np.ndarray
    symmetry: np.ndarray
    neck_loop: np.ndarray
    eye_template: np.ndarray
    eye_quads: np.ndarray

    def vertices_of(self, part: str) -> np.ndarray:
        """Indices of the vertices of one part."""
        return np.flatnonzero(self.part == part)


def edge_loop(polygons: np.ndarray, start: int, second: int) -> list[int]:
    """Follows the edge loop through an edge of a quad mesh: at each 4-valent vertex straight on,
    until it closes."""
    neighbours: dict[int, set[int]] = defaultdict(set)
    quads_of_edge: dict[frozenset[int], list[int]] = defaultdict(list)
    for number, quad in enumerate(polygons.tolist()):
        for a, b in zip(quad, quad[1:] + quad[:1], strict=True):
            neighbours[a].add(b)
            neighbours[b].add(a)
            quads_of_edge[frozenset((a, b))].append(number)
    loop = [start, second]
    while True:
        before, here = loop[-2:]
        beside = {
            vertex
            for number in quads_of_edge[frozenset((before, here))]
            for vertex in polygons[number].tolist()
        }
        ahead = [vertex for vertex in neighbours[here] if vertex not in beside]
        if len(neighbours[here]) != 4 or len(ahead) != 1:
            raise ValueError(
                f"the edge loop from vertex {start} does not close: irregular vertex {here}"
            )
        if ahead[0] == start:
            return loop
        loop.append(ahead[0])


def _flood(polygons: np.ndarray, seed: int, barrier: set[int]) -> set[int]:
    """Vertices reached from ``seed`` over edges without crossing ``barrier`` (which is
    included)."""
    neighbours: dict[int, set[int]] = defaultdict(set)
    for quad in polygons.tolist():
        for a, b in zip(quad, quad[1:] + quad[:1], strict=True):
            neighbours[a].add(b)
            neighbours[b].add(a)
    seen, stack = {seed}, [seed]
    while stack:
        for vertex in neighbours[stack.pop()] - seen:
            seen.add(vertex)
            if vertex not in barrier:
                stack.append(vertex)
    return seen


def mirror_map(points: np.ndarray, tolerance: float = 0.05) -> np.ndarray:
    """For points (N, 3) symmetric about x = 0: the index of each one's mirror image, as an
    involution."""
    distance, index = cKDTree(points).query(points * [-1, 1, 1])
    if distance.max() > tolerance or (index[index] != np.arange(len(points))).any():
        raise ValueError(f"the mesh is not symmetric about x = 0 (worst {distance.max():.3f} mm)")
    return index


def build_topology(base: BaseMesh) -> HeadTopology:
    """Cuts the head off the body at the neck loop and joins teeth, tongue and two new eyeballs to
    it."""
    body = base.polygons[base.groups == "body"]
    sideways = next(
        vertex
        for quad in body[(body == NECK_SEED).any(axis=1)].tolist()
        for vertex in (quad[quad.index(NECK_SEED) - 1], quad[(quad.index(NECK_SEED) + 1) % 4])
        if base.vertices[vertex, 0] > 0.1
    )
    loop = edge_loop(body, NECK_SEED, sideways)
    head = _flood(body, CROWN_SEED, set(loop))

    kept_rows, kept_part = [], []
    for row, (group, quad) in enumerate(
        zip(base.groups.tolist(), base.polygons.tolist(), strict=True)
    ):
        part = next(
            (
                name
                for name, source in PARTS.items()
                if source == group and not name.startswith("eye")
            ),
            None,
        )
        if group == "body" and head.issuperset(quad):
            part = "skin"
        if part:
            kept_rows.append(row)
            kept_part.append(part)
    polygons = base.polygons[kept_rows]
    source_index = np.unique(polygons)
    lookup = np.full(len(base.vertices), -1)
    lookup[source_index] = np.arange(len(source_index))
    part = np.empty(len(source_index), dtype="<U11")
    for name in np.unique(kept_part):
        part[lookup[polygons[np.array(kept_part) == name]]] = name

    eye_template, eye_quads = eyeball_mesh()
    count, eye_count = len(source_index), len(eye_template)
    symmetry = mirror_map(base.vertices[source_index])
    eye_mirror = mirror_map(eye_template, 1e-6)
    eye_parts = ("eye_right", "eye_left")
    return HeadTopology(
        source_index=np.concatenate([source_index, np.full(2 * eye_count, -1)]).astype(np.int32),
        polygons=np.concatenate(
            [lookup[polygons], eye_quads + count, eye_quads + count + eye_count]
        ).astype(np.int32),
        part=np.concatenate([part, np.repeat(eye_parts, eye_count)]),
        polygon_part=np.concatenate([kept_part, np.repeat(eye_parts, len(eye_quads))]),
        source_uv_polygons=np.concatenate(
            [base.uv_polygons[kept_rows], np.full((2 * len(eye_quads), 4), -1)]
        ).astype(np.int32),
        symmetry=np.concatenate(
            [symmetry, eye_mirror + count + eye_count, eye_mirror + count]
        ).astype(np.int32),
        neck_loop=lookup[loop].astype(np.int32),
        eye_template=eye_template,
        eye_quads=eye_quads,
    )


def _shrink_teeth(teeth: np.ndarray, biting_edge: int) -> np.ndarray:
    """Shortens a row of teeth (N, 3) towards its biting edge (+1 top, -1 bottom) and draws it in
    from lips and cheeks.

    The source's bands reach through the mouth bag, and the chin of many heads, once the jaw opens.
    """
    edge = teeth[:, 1].max() if biting_edge > 0 else teeth[:, 1].min()
    height = np.array([1, 0.62, 1]) if biting_edge > 0 else np.array([1, 0.75, 1])
    back = np.array([0, edge, teeth[:, 2].min()])
    return (teeth - back) * height * [0.94, 1, 0.96] + back - [0, 0, 0.8]


class HeadReducer:
    """Carries positions or displacements of the whole base mesh over to the head's own vertices.

    Linear, so it serves shapes and targets alike. Teeth follow the affine motion and eyeballs the
    translation and uniform scale that fit the source best: the targets' own deformation of them
    would make them lumpy.
    """

    def __init__(self, base: BaseMesh, topology: HeadTopology, reference: np.ndarray) -> None:
        """``reference``: (N, 3) mm, the whole body mesh about which displacements are taken."""
        self._topology = topology
        self._groups = {
            part: np.unique(base.polygons[base.groups == group]) for part, group in PARTS.items()
        }
        self._reference = reference
        self.eye_centers = np.zeros((2, 3))
        radii = []
        for row, part in enumerate(("eye_right", "eye_left")):
            self.eye_centers[row], radius = fit_sphere(reference[self._groups[part]])
            radii.append(radius)
        self.eye_radius = float(np.mean(radii))

    def reference_head(self) -> np.ndarray:
        """(V, 3) mm: the head's vertices at the reference shape."""
        head = self._take(self._reference)
        for part, center in zip(("eye_right", "eye_left"), self.eye_centers, strict=True):
            head[self._topology.vertices_of(part)] = (
                center + self.eye_radius * self._topology.eye_template
            )
        for part, biting_edge in (("teeth_upper", -1), ("teeth_lower", 1)):
            rows = self._topology.vertices_of(part)
            head[rows] = _shrink_teeth(head[rows], biting_edge)
        return head

    def displacement(self, offsets: np.ndarray, affine_teeth: bool = True) -> np.ndarray:
        """(N, 3) displacement of the base mesh -> (V, 3) displacement of the head."""
        head = self._take(offsets)
        for part in ("eye_right", "eye_left"):
            points, moved = self._reference[self._groups[part]], offsets[self._groups[part]]
            head[self._topology.vertices_of(part)] = self._eye_motion(points, moved)
        for part in ("teeth_upper", "teeth_lower") if affine_teeth else ():
            vertices = self._topology.vertices_of(part)
            points = self._reference[self._topology.source_index[vertices]]
            design = np.column_stack([points - points.mean(axis=0), np.ones(len(points))])
            head[vertices] = design @ np.linalg.lstsq(design, head[vertices], rcond=None)[0]
        return head

    def _eye_motion(self, points: np.ndarray, moved: np.ndarray) -> np.ndarray:
        """Translation and uniform scale fitted to the source eyeball's motion, applied to the new
        eyeball."""
        shift = moved.mean(axis=0)
        centred = points - points.mean(axis=0)
        scale = (centred * (moved - shift)).sum() / (centred**2).sum()
        return shift + scale * self.eye_radius * self._topology.eye_template

    def _take(self, field: np.ndarray) -> np.ndarray:
        source = self._topology.source_index
        return np.where(source[:, None] >= 0, field[source], 0.0)
