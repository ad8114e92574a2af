"""Points on the visible skin, and how they, their normals and their colour move."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ...geometry.sampling import bilinear
from ...geometry.triangles import area_vectors, unit, vertex_normals
from ...kept import kept
from ...model import FaceModel
from ...model.cached import cached
from ...raster import rasterize_front
from ..observation import State

Float = NDArray[np.float32]

#: Cosine to the ray between which a sample's weight rises from 0 to 1.
FACING = (0.2, 0.5)
#: Belief in places whose look the model knows only roughly.
PARTS = {"brows": 0.5, "lids": 0.4, "beard": 0.8, "lips": 0.7}
#: Pixels kept clear of silhouettes, as a part of the crop's side.
OUTLINE = 0.009


@dataclass(frozen=True, eq=False)
class Samples:
    """N points of the surface on a regular grid of the crop's pixels."""

    face: NDArray[np.int32]  #: (N,)
    barycentric: Float  #: (N, 3)
    cell: NDArray[np.int64]  #: (N, 2) row and column in the grid
    grid: tuple[int, int]  #: rows and columns
    weight: Float  #: (N,) 0..1 belief before the photo is looked at


def choose_samples(
    model: FaceModel,
    state: State,
    crop_matrix: NDArray,
    valid: NDArray[np.bool_],
    count: int,
) -> Samples:
    """About ``count`` points of the skin that ``crop_matrix`` (3, 3) sees in ``valid`` (S, S)."""
    vertices = model.vertices(state.identity, state.expression)
    camera = state.camera.to_camera(vertices).astype(np.float32)
    side = len(valid)
    raster = rasterize_front(camera, model.faces, crop_matrix, (side, side))
    face, barycentric = raster.face_id, raster.barycentric
    normals = vertex_normals(camera, model.faces)
    facing = -(normals * camera).sum(1) / np.linalg.norm(camera, axis=1)
    facing = np.clip((facing - FACING[0]) / (FACING[1] - FACING[0]), 0, 1).astype(np.float32)
    belief = _belief(model) * facing
    shown = (face >= 0) & _skin_faces(model)[face]
    reach = 2 * max(1, round(OUTLINE * side)) + 1
    clear = cv2.erode((shown & valid).astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
    share = _weights(model, belief, face, barycentric) * clear
    stride = max(1, round(float(np.sqrt((share > 0.05).sum() / count))))
    first = stride // 2
    picked = share[first::stride, first::stride]
    row, column = np.nonzero(picked > 0.05)
    y, x = row * stride + first, column * stride + first
    return Samples(
        face[y, x], barycentric[y, x], np.stack([row, column], 1), picked.shape, share[y, x]
    )


def _weights(model: FaceModel, belief: NDArray, face: NDArray, barycentric: NDArray) -> Float:
    """(S, S) the vertices' ``belief`` (V,) at every pixel."""
    return (belief[model.faces[face]] * barycentric).sum(-1) * (face >= 0)


@kept(maxsize=2)
def _belief(model: FaceModel) -> Float:
    """(V,) 0..1 how well the model's albedo describes people here."""

    def mask(name: str, absent: float) -> Float:
        known = name in model.mask_names
        return model.mask(name) if known else np.full(len(model.mean), absent, np.float32)

    belief = mask("face", 1.0) * (1 - mask("scalp", 0.0)) * (1 - mask("mouth", 0.0))
    for name, share in PARTS.items():
        belief = belief * (1 - (1 - share) * mask(name, 0.0))
    return belief


@kept(maxsize=2)
def _skin_faces(model: FaceModel) -> NDArray[np.bool_]:
    """(F,) True for triangles of skin: not eyes, teeth, tongue, mouth."""
    skin = np.array([kind == "skin" for kind in model.material_kinds])
    return skin[model.polygon_material][model.polygon_of_face]


@kept(maxsize=4)
@cached
def _albedo_maps(model: FaceModel, side: int) -> Float:
    """(side, side, 3 A + 3) mean and basis, averaged down."""
    maps = (model.albedo_mean, *model.albedo_basis)
    side = min(side, len(model.albedo_mean))
    small = [
        cv2.resize(one.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
        for one in maps
    ]
    return np.concatenate(small, axis=2)


class SampledModel:
    """The face model restricted to samples: their corners and the triangles around these.

    Coefficients are identity and expression one after the other, P in all.
    """

    def __init__(self, model: FaceModel, samples: Samples, albedo_side: int) -> None:
        corners = model.faces[samples.face]
        touched = np.zeros(len(model.mean), bool)
        touched[corners] = True
        ring = model.faces[touched[model.faces].any(1)]
        used, local = np.unique(ring, return_inverse=True)
        place = np.zeros(len(model.mean), np.int64)
        place[used] = np.arange(len(used))
        self.faces = local.reshape(ring.shape)
        self.mean = model.mean[used].astype(np.float32)
        bases = [model.identity_basis[:, used], model.expression_basis[:, used]]
        self.basis = np.ascontiguousarray(np.concatenate(bases).transpose(1, 2, 0))  # (U, 3, P)
        # Sparse matrices: from triangles to their corners, and from vertices to samples.
        self._around = _matrix(self.faces.T, np.ones((3, len(ring)), np.float32), len(used))
        self._at = _matrix(place[corners].T, samples.barycentric.T, len(used)).T.tocsr()
        self.point_basis = _times(self._at, self.basis)  # (N, 3, P)
        uv = (model.uv[model.uv_faces[samples.face]] * samples.barycentric[..., None]).sum(1)
        maps = _albedo_maps(model, albedo_side)
        texels = np.stack([uv[:, 0], 1 - uv[:, 1]], 1) * len(maps) - 0.5
        colours = bilinear(maps, texels).reshape(len(uv), -1, 3)
        self.albedo_mean, self.albedo_basis = colours[:, 0], colours[:, 1:]  # (N, 3), (N, A, 3)

    def at(self, coefficients: Float) -> tuple[Float, Float]:
        """Points (N, 3) mm and unit normals (N, 3) for ``coefficients`` (P,)."""
        vertices = self.mean + self.basis @ coefficients
        normals = unit(_times(self._around, area_vectors(vertices, self.faces)))
        return _times(self._at, vertices), unit(_times(self._at, normals))

    def normal_basis(self, coefficients: Float) -> Float:
        """(N, 3, P) derivative of the samples' normals by the coefficients."""
        vertices = self.mean + self.basis @ coefficients
        a, b, c = vertices[self.faces].transpose(1, 0, 2)
        first, second = b - a, c - a
        total = _times(self._around, np.cross(first, second))
        a, b, c = (self.basis[self.faces[:, k]] for k in range(3))
        change = _cross_matrix(first) @ (c - a) - _cross_matrix(second) @ (b - a)
        normals, change = _normalised(total, _times(self._around, change))
        return _normalised(_times(self._at, normals), _times(self._at, change))[1]


def _matrix(rows: NDArray, values: NDArray, count: int) -> csr_array:
    """(``count``, M) with ``values`` (3, M) in the ``rows`` (3, M) of each column."""
    columns = np.broadcast_to(np.arange(rows.shape[1]), rows.shape)
    where = rows.ravel(), columns.ravel()
    return csr_array((values.ravel(), where), shape=(count, rows.shape[1]))


def _times(matrix: csr_array, values: Float) -> Float:
    """(M, ...) of ``matrix`` (M, N) and ``values`` (N, ...)."""
    return (matrix @ values.reshape(len(values), -1)).reshape(-1, *values.shape[1:])


def _normalised(vectors: Float, change: Float) -> tuple[Float, Float]:
    """Unit ``vectors`` (N, 3) and their change, given the ``change`` (N, 3, P) of the vectors."""
    length = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    direction = vectors / length
    along = direction[:, None] @ change
    return direction, (change - direction[:, :, None] * along) / length[..., None]


def _cross_matrix(vectors: Float) -> Float:
    """(N, 3, 3) M with ``M @ x = vectors x x`` (cross product)."""
    x, y, z = vectors.T
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).reshape(-1, 3, 3)
