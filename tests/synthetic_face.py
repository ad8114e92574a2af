"""Faces like those that licensed model files hold, made from the project's own head.

The region that the Basel Face Model covers (face, ears, neck) is cut from the default model's skin,
the eyes are closed by their balls, and the mesh is refined to exactly the wanted numbers of
vertices and triangles.  Identity and expression modes are the default model's own, followed by
smooth random ones.  All in mm and sRGB 0..1; ``bfm_files`` turns them into files.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import igl
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from reconstruct_face.backend.model import FaceModel, load_model
from reconstruct_face.backend.model.face_model import split_polygons

FACE_BACK_MM = -32.0  #: the face region ends here, behind the ears
FACE_LOW_MM = -112.0  #: and here, at the neck


@dataclass(frozen=True, eq=False)
class SyntheticFace:
    """V vertices, F triangles, K identity, E expression, A albedo modes; mm and sRGB 0..1."""

    mean: NDArray[np.float64]  #: (V, 3)
    triangles: NDArray[np.int32]  #: (F, 3) counter-clockwise from outside
    mouth_triangles: NDArray[np.int32]  #: (M, 3) that close the mouth
    landmarks68: NDArray[np.int32]  #: (68,)
    identity: NDArray[np.float32]  #: (K, V, 3) mm per standard deviation, the largest first
    arkit: NDArray[np.float32]  #: (52, V, 3) mm at weight 1
    arkit_names: tuple[str, ...]
    expression: NDArray[np.float32]  #: (E, V, 3) mm per standard deviation: principal components
    expression_mean: NDArray[np.float32]  #: (V, 3) mm, a small mean expression
    albedo: NDArray[np.float64]  #: (V, 3)
    albedo_basis: NDArray[np.float32]  #: (A, V, 3)
    uv: NDArray[np.float64]  #: (V, 2) a cylindrical unwrapping, 0..1


@lru_cache(maxsize=4)
def synthetic_face(
    vertices: int,
    triangles: int | None = None,
    mouth: int | None = None,
    whole_head: bool = False,
    identity: int = 199,
    expressions: int = 79,
    albedo: int = 199,
) -> SyntheticFace:
    """A face with exactly ``vertices`` and, where given, ``triangles`` and ``mouth`` triangles."""
    model = load_model()
    region = _region(model, whole_head)
    first = _with_hubs(model.mean.astype(np.float64), region)
    first[-2:] = model.eye_centers + [0, 0, model.eye_radius]
    mesh, loop = _refined(region, first, vertices, triangles, mouth)
    mean = mesh.points
    # The triangles of the caps come last in the region, right eye before left.
    ends = np.cumsum([len(region.faces) - sum(map(len, region.eyes)), *map(len, region.eyes)])
    caps = []
    for side in range(2):
        inside = (mesh.part >= ends[side]) & (mesh.part < ends[side + 1])
        cap = np.setdiff1d(mesh.faces[inside], mesh.faces[~inside])
        away = mean[cap] - model.eye_centers[side]
        length = np.linalg.norm(away, axis=1, keepdims=True)
        mean[cap] = model.eye_centers[side] + away / length * model.eye_radius
        caps.append(cap)
    flat = np.concatenate([model.identity_basis, model.expression_basis[:52]])
    flat = _with_hubs(np.ascontiguousarray(flat.transpose(1, 0, 2)), region)
    modes = mesh.operator.astype(np.float32) @ flat.reshape(len(first), -1).astype(np.float32)
    modes = np.ascontiguousarray(modes.reshape(vertices, -1, 3).transpose(1, 0, 2))
    own, arkit = np.split(modes, [len(model.identity_basis)])
    rng = np.random.default_rng(9)
    return SyntheticFace(
        mean=mean,
        triangles=mesh.faces,
        mouth_triangles=_fan(loop),
        landmarks68=_landmarks(model, mean),
        identity=_sorted(_extended(own, mean, identity, 0.06, rng)),
        arkit=arkit,
        arkit_names=model.expression_names[:52],
        expression=_sorted(_extended(_principal(arkit), mean, expressions, 0.02, rng)),
        expression_mean=(0.02 * arkit.mean(axis=0)).astype(np.float32),
        albedo=_colours(model, mean, caps),
        albedo_basis=_sorted(_smooth(mean, albedo, rng) * np.float32(0.03)),
        uv=_cylinder(mean),
    )


@dataclass
class _Region:
    faces: NDArray[np.int32]
    eyes: list[list[int]]  #: the rims, right and left; the vertices after the model's close them
    mouth: list[int]


def _region(model: FaceModel, whole_head: bool) -> _Region:
    """The part of the skin, each eye closed by a fan round a new vertex."""
    skin = model.mask("skin") > 0.5
    polygons = model.polygons[model.polygon_material == 0]
    polygons = polygons[skin[polygons].all(axis=1)]
    if not whole_head:
        centre = model.mean[polygons].mean(axis=1)
        inside = (centre[:, 2] > FACE_BACK_MM) & (centre[:, 1] > FACE_LOW_MM)
        polygons = polygons[inside & (centre[:, 1] < 95)]
    faces = split_polygons(polygons)
    loops = boundary_loops(faces)
    assert len(loops) == 4, [len(loop) for loop in loops]
    middle = [model.mean[loop].mean(axis=0) for loop in loops]
    lips = model.mean[model.landmarks68[60:68]].mean(axis=0)
    mouth = int(np.argmin([np.linalg.norm(point - lips) for point in middle]))
    eyes = [
        int(np.argmin([np.linalg.norm(point - centre) for point in middle]))
        for centre in model.eye_centers
    ]
    rims = [loops[k] for k in eyes]
    caps = [
        (b, a, len(model.mean) + k)
        for k, rim in enumerate(rims)
        for a, b in zip(rim, rim[1:] + rim[:1], strict=True)
    ]
    faces = np.concatenate([faces, np.array(caps, np.int32)])
    return _Region(faces, rims, loops[mouth])


def boundary_loops(faces: NDArray) -> list[list[int]]:
    """The borders of the mesh, each in the direction in which its triangles run."""
    ends = np.stack([faces, np.roll(faces, -1, axis=1)], axis=2).reshape(-1, 2).astype(np.int64)
    count = int(ends.max()) + 1
    key, back = ends[:, 0] * count + ends[:, 1], ends[:, 1] * count + ends[:, 0]
    after = dict(ends[~np.isin(key, back)].tolist())
    loops = []
    while after:
        start = min(after)
        loop, here = [start], after.pop(start)
        while here != start:
            loop.append(here)
            here = after.pop(here)
        loops.append(loop)
    return loops


class _Mesh:
    """A mesh that is refined; ``operator`` tells each vertex as a mixture of the first ones."""

    def __init__(self, points: NDArray[np.float64], faces: NDArray[np.int32]) -> None:
        self.first, self.faces = points, faces
        self.part = np.arange(len(faces))  #: the first triangle that each one comes from
        self.operator = sp.identity(len(points), format="csr")

    @property
    def points(self) -> NDArray[np.float64]:
        return self.operator @ self.first

    def quarter(self) -> None:
        """Four triangles from each, smoothed."""
        ends, inverse = self._edges()[:2]
        count, faces = len(self.points), self.faces
        m = count + inverse  # the middles of (0, 1), (1, 2), (2, 0)
        corners = [np.stack([faces[:, k], m[:, k], m[:, k - 1]], axis=1) for k in range(3)]
        self.faces = np.concatenate([*corners, m]).astype(np.int32)
        self.part = np.tile(self.part, 4)
        self._halve(ends)
        self.smooth()

    def _edges(self) -> tuple[NDArray, NDArray, NDArray]:
        """(N, 2) ends, (F, 3) the edge of each triangle's corner and the next, (N,) uses."""
        low = np.minimum(self.faces, np.roll(self.faces, -1, axis=1)).astype(np.int64)
        high = np.maximum(self.faces, np.roll(self.faces, -1, axis=1))
        count = int(high.max()) + 1
        key, inverse, uses = np.unique(low * count + high, return_inverse=True, return_counts=True)
        return np.stack([key // count, key % count], axis=1), inverse.reshape(-1, 3), uses

    def _halve(self, ends: NDArray) -> None:
        """Add a vertex between each two ``ends`` (N, 2)."""
        rows = np.repeat(np.arange(len(ends)), 2)
        half = sp.csr_matrix(
            (np.full(rows.size, 0.5), (rows, ends.ravel())), (len(ends), len(self.points))
        )
        self.operator = sp.vstack([self.operator, half @ self.operator]).tocsr()

    def split(self, count: int, border: bool = False, near: NDArray | None = None) -> None:
        """Put ``count`` vertices into the longest edges, inside or on the border.

        ``near`` (V,) chooses the border by its vertices.
        """
        while count:
            count -= self._split(count, border, near)

    def _split(self, count: int, border: bool, near: NDArray | None) -> int:
        points = self.points
        ends, inverse, uses = self._edges()
        length = np.linalg.norm(points[ends[:, 0]] - points[ends[:, 1]], axis=1)
        length[(uses == 1) != border] = -1
        if near is not None:
            marked = np.zeros(len(points), bool)
            marked[: len(near)] = near
            length[~marked[ends].any(axis=1)] = -1
        order = length + 1e-9 * np.arange(len(length))  # no two alike
        longest = order[inverse].max(axis=1)
        wins = np.zeros(len(ends), int)
        for k in range(3):
            np.add.at(wins, inverse[:, k], order[inverse[:, k]] == longest)
        chosen = np.flatnonzero((wins == uses) & (length > 0))
        chosen = chosen[np.argsort(-length[chosen], kind="stable")][:count]
        assert len(chosen), "no edge to split"
        new = np.full(len(ends), -1)
        new[chosen] = len(points) + np.arange(len(chosen))
        self._replace(new[inverse])
        self._halve(ends[chosen])
        return len(chosen)

    def _replace(self, new: NDArray) -> None:
        """Cut in two each triangle with a new vertex (F, 3), -1 for none, on an edge of its."""
        cut, edge = np.nonzero(new >= 0)
        at = np.arange(3)
        turned = np.take_along_axis(self.faces[cut], (edge[:, None] + at) % 3, axis=1)
        a, b, c = turned.T
        middle = new[cut, edge]
        keep = np.ones(len(self.faces), bool)
        keep[cut] = False
        halves = np.concatenate([np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)])
        self.faces = np.concatenate([self.faces[keep], halves]).astype(np.int32)
        self.part = np.concatenate([self.part[keep], self.part[cut], self.part[cut]])

    def smooth(self) -> None:
        """Every vertex inside goes half way to the middle of its neighbours."""
        near = igl.adjacency_matrix(self.faces).astype(float)
        half = 0.5 * sp.identity(near.shape[0]) + 0.5 * sp.diags(1 / near.sum(axis=1).A1) @ near
        fixed = np.zeros(near.shape[0], bool)
        fixed[np.concatenate([np.array(loop) for loop in boundary_loops(self.faces)])] = True
        step = sp.diags(fixed.astype(float)) + sp.diags((~fixed).astype(float)) @ half
        self.operator = (step @ self.operator).tocsr()


def _refined(
    region: _Region, first: NDArray, vertices: int, triangles: int | None, mouth: int | None
) -> tuple[_Mesh, list[int]]:
    """The mesh in the wanted numbers, without unused vertices, and the loop of its mouth."""
    used = np.unique(region.faces)
    number = np.full(len(first), -1)
    number[used] = np.arange(len(used))
    mesh = _Mesh(first[used], number[region.faces].astype(np.int32))
    mesh.operator = sp.identity(len(first), format="csr")[used]
    mesh.first = first
    lips = np.zeros(len(used), bool)
    lips[number[region.mouth]] = True
    border = 2 * vertices - triangles if triangles is not None else vertices
    while (
        4 * len(mesh.points) < vertices
        and 2 * _mouth_size(mesh, lips) <= (mouth or vertices) + 2
        and 2 * sum(map(len, boundary_loops(mesh.faces))) <= border
    ):
        before = len(lips)
        mesh.quarter()
        lips = _widened(mesh, lips[:before])
    if mouth is not None:
        mesh.split(mouth + 2 - _mouth_size(mesh, lips), border=True, near=lips)
    if triangles is not None:
        wanted = 2 * (vertices - len(mesh.points)) - (triangles - len(mesh.faces))
        lips = _widened(mesh, lips)
        mesh.split(wanted, border=True, near=~lips)
    mesh.split(vertices - len(mesh.points))
    mesh.smooth()
    points = mesh.points
    middle = first[region.mouth].mean(axis=0)
    loop = min(
        boundary_loops(mesh.faces), key=lambda k: np.linalg.norm(points[k].mean(axis=0) - middle)
    )
    return mesh, loop


def _mouth_size(mesh: _Mesh, lips: NDArray) -> int:
    return max(
        (
            len(loop)
            for loop in boundary_loops(mesh.faces)
            if lips[[v for v in loop if v < len(lips)]].any()
        ),
        default=0,
    )


def _widened(mesh: _Mesh, lips: NDArray) -> NDArray:
    """(V,) the vertices of the loop that has any of ``lips``."""
    out = np.zeros(len(mesh.points), bool)
    for loop in boundary_loops(mesh.faces):
        if lips[[v for v in loop if v < len(lips)]].any():
            out[loop] = True
    return out


def _fan(loop: list[int]) -> NDArray[np.int32]:
    """(N - 2, 3) triangles in a strip that close ``loop``, from one corner of the mouth on."""
    strip, low, high = [], 0, len(loop) - 1
    while high - low > 1:
        strip.append((loop[low + 1], loop[low], loop[high]))
        low += 1
        if high - low > 1:
            strip.append((loop[high], loop[high - 1], loop[low]))
            high -= 1
    return np.array(strip, np.int32)


def _with_hubs(values: NDArray, region: _Region) -> NDArray:
    """``values`` (V, ...) with those of the eyes' hubs, the mean of their rims, added."""
    hubs = [values[rim].mean(axis=0, keepdims=True) for rim in region.eyes]
    return np.concatenate([values, *hubs])


def _landmarks(model: FaceModel, mean: NDArray) -> NDArray[np.int32]:
    corners = model.mean[model.landmarks68_triangles].astype(np.float64)
    exact = np.einsum("nk,nkd->nd", model.landmarks68_barycentric, corners)
    return np.argmin(np.linalg.norm(mean[:, None] - exact, axis=2), axis=0).astype(np.int32)


def _colours(model: FaceModel, mean: NDArray, caps: list[NDArray]) -> NDArray[np.float64]:
    """(V, 3) sRGB 0..1: the default's skin at the nearest point, and eyes with irises."""
    skin = model.polygon_material[model.polygon_of_face] == 0
    faces, uv_faces = model.faces[skin], model.uv_faces[skin]
    points = model.mean.astype(np.float64)
    _, face, nearest = igl.point_mesh_squared_distance(mean, points, faces.astype(np.int64))
    corners = [np.ascontiguousarray(points[faces[face, k]]) for k in range(3)]
    weights = igl.barycentric_coordinates(np.ascontiguousarray(nearest), *corners)
    uv = np.einsum("nk,nkd->nd", weights, model.uv[uv_faces[face]])
    side = len(model.albedo_mean)
    pixel = np.clip(np.stack([(1 - uv[:, 1]) * side, uv[:, 0] * side], 1).astype(int), 0, side - 1)
    linear = model.albedo_mean[pixel[:, 0], pixel[:, 1]].astype(np.float64)
    colour = np.where(linear < 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    for which, cap in enumerate(caps):
        off = np.linalg.norm((mean[cap] - model.eye_centers[which])[:, :2], axis=1)
        colour[cap] = np.select([off[:, None] < 2.2, off[:, None] < 5.8], [0.08, 0.35], 0.86)
    return np.clip(colour, 0.02, 0.98)


def _smooth(mean: NDArray, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(count, V, 3) random waves of about 4 to 15 cm, root mean square about 1."""
    out = np.empty((count, len(mean), 3), np.float32)
    for k in range(count):
        wave = rng.normal(size=(3, 3)) / 25.0
        out[k] = np.sin(mean @ wave + rng.uniform(0, 2 * np.pi, 3)) * np.sqrt(2) * 0.97**k
    return out


def _extended(
    own: NDArray, mean: NDArray, count: int, size: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """``own`` (N, V, 3) cut or filled up with smooth random modes of ``size`` mm."""
    if count <= len(own):
        return own[:count]
    return np.concatenate([own, size * _smooth(mean, count - len(own), rng)])


def _principal(shapes: NDArray) -> NDArray[np.float32]:
    """Principal components, mm per standard deviation, of weights 0.15 apart in each shape."""
    flat = shapes.reshape(len(shapes), -1) * np.float32(0.15)
    values, vectors = np.linalg.eigh((flat @ flat.T).astype(np.float64))
    vectors = vectors[:, values > 1e-6 * values[-1]]  # some shapes move only what was left out
    return (vectors.T[::-1].astype(np.float32) @ flat).reshape(-1, *shapes.shape[1:])


def _sorted(modes: NDArray) -> NDArray[np.float32]:
    """The largest first."""
    size = np.linalg.norm(modes.reshape(len(modes), -1), axis=1)
    return np.ascontiguousarray(modes[np.argsort(-size)], np.float32)


def _cylinder(mean: NDArray) -> NDArray[np.float64]:
    angle = np.arctan2(mean[:, 0], mean[:, 2] + 60)
    flat = np.stack([angle, mean[:, 1] / 100], axis=1)
    low, high = flat.min(axis=0), flat.max(axis=0)
    return 0.01 + 0.98 * (flat - low) / (high - low)
