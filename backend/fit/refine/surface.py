"""Points on the visible skin, and how they, their normals and their colour move."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...differentiable.rasterizer import EmbreeRasterizer
from ...differentiable.shading import vertex_normals as tensor_normals
from ...geometry.triangles import vertex_normals
from ...model import FaceModel
from ..observation import State

#: Cosine to the ray between which a sample's weight rises from 0 to 1.
FACING = (0.2, 0.5)
#: Belief in places whose look the model knows only roughly.
PARTS = {"brows": 0.5, "lids": 0.4, "beard": 0.8, "lips": 0.7}
#: Pixels kept clear of silhouettes, as a part of the crop's side.
OUTLINE = 0.009


@dataclass(frozen=True, eq=False)
class Samples:
    """N points of the surface on a regular grid of the crop's pixels."""

    face: NDArray[np.int64]  #: (N,)
    barycentric: NDArray[np.float32]  #: (N, 3)
    cell: NDArray[np.int64]  #: (N, 2) row and column in the grid
    grid: tuple[int, int]  #: rows and columns
    weight: NDArray[np.float32]  #: (N,) 0..1 belief before the photo is looked at


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
    fragments = EmbreeRasterizer().rasterize(
        torch.from_numpy(camera)[None],
        torch.from_numpy(model.faces),
        torch.as_tensor(crop_matrix)[None],
        (side, side),
    )
    face, barycentric = fragments.face_id[0].numpy(), fragments.barycentric[0].numpy()
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


def _weights(
    model: FaceModel, belief: NDArray, face: NDArray, barycentric: NDArray
) -> NDArray[np.float32]:
    """(S, S) the vertices' ``belief`` (V,) at every pixel."""
    return (belief[model.faces[face]] * barycentric).sum(-1) * (face >= 0)


@lru_cache(maxsize=2)
def _belief(model: FaceModel) -> NDArray[np.float32]:
    """(V,) 0..1 how well the model's albedo describes people here."""

    def mask(name: str, absent: float) -> NDArray[np.float32]:
        known = name in model.mask_names
        return model.mask(name) if known else np.full(len(model.mean), absent, np.float32)

    belief = mask("face", 1.0) * (1 - mask("scalp", 0.0)) * (1 - mask("mouth", 0.0))
    for name, share in PARTS.items():
        belief = belief * (1 - (1 - share) * mask(name, 0.0))
    return belief


@lru_cache(maxsize=2)
def _skin_faces(model: FaceModel) -> NDArray[np.bool_]:
    """(F,) True for triangles of skin: not eyes, teeth, tongue, mouth."""
    skin = np.array([kind == "skin" for kind in model.material_kinds])
    return skin[model.polygon_material][model.polygon_of_face]


@lru_cache(maxsize=4)
def _albedo_maps(model: FaceModel, side: int) -> Tensor:
    """(A + 1, 3, side, side) mean and basis, averaged down."""
    maps = np.concatenate([model.albedo_mean[None], model.albedo_basis])
    planes = torch.as_tensor(np.moveaxis(maps, -1, 1), dtype=torch.float32)
    return functional.adaptive_avg_pool2d(planes, min(side, planes.shape[-1]))


class SampledModel:
    """The face model restricted to samples: their corners and the triangles around these.

    Coefficients are identity and expression one after the other, P in all.
    """

    def __init__(
        self, model: FaceModel, samples: Samples, albedo_side: int, device: torch.device
    ) -> None:
        corners = model.faces[samples.face]
        touched = np.zeros(len(model.mean), bool)
        touched[corners] = True
        ring = model.faces[touched[model.faces].any(1)]
        used, local = np.unique(ring, return_inverse=True)
        place = np.zeros(len(model.mean), np.int64)
        place[used] = np.arange(len(used))

        def tensor(values: NDArray) -> Tensor:
            return torch.as_tensor(np.ascontiguousarray(values), device=device)

        self.faces = tensor(local.reshape(ring.shape).astype(np.int64))
        self.corners = tensor(place[corners])
        self.barycentric = tensor(samples.barycentric)[..., None]
        self.mean = tensor(model.mean[used])
        bases = [model.identity_basis[:, used], model.expression_basis[:, used]]
        self.basis = tensor(np.concatenate(bases).transpose(1, 2, 0))  # (U, 3, P)
        self.point_basis = self._interpolate(self.basis.flatten(1)).unflatten(1, (3, -1))
        uv = (model.uv[model.uv_faces[samples.face]] * samples.barycentric[..., None]).sum(1)
        place_uv = torch.as_tensor(np.stack([2 * uv[:, 0] - 1, 1 - 2 * uv[:, 1]], 1))
        maps = _albedo_maps(model, albedo_side)
        colours = functional.grid_sample(
            maps.flatten(0, 1)[None],
            place_uv.to(maps)[None, :, None],
            padding_mode="border",
            align_corners=False,
        )[0, ..., 0]
        colours = colours.T.reshape(len(uv), -1, 3).to(device)
        self.albedo_mean, self.albedo_basis = colours[:, 0], colours[:, 1:]  # (N, 3), (N, A, 3)

    def _interpolate(self, values: Tensor) -> Tensor:
        """(N, C) of the per-vertex ``values`` (U, C) at the samples."""
        return (values[self.corners] * self.barycentric).sum(1)

    def at(self, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """Points (N, 3) mm and unit normals (N, 3) for ``coefficients`` (P,)."""
        vertices = self.mean + self.basis @ coefficients
        normals = self._interpolate(tensor_normals(vertices, self.faces))
        return self._interpolate(vertices), functional.normalize(normals, dim=1)

    def _gather_faces(self, values: Tensor, into: Tensor) -> Tensor:
        """``into`` (U, ...) plus the ``values`` (F, ...) of the triangles around each vertex."""
        for corner in range(3):
            into = into.index_add(0, self.faces[:, corner], values)
        return into

    def normal_basis(self, coefficients: Tensor) -> Tensor:
        """(N, 3, P) derivative of the samples' normals by the coefficients."""
        vertices = self.mean + self.basis @ coefficients
        a, b, c = vertices[self.faces].unbind(1)
        first, second = b - a, c - a
        area = torch.linalg.cross(first, second)
        total = self._gather_faces(area, torch.zeros_like(vertices))
        a, b, c = (self.basis[self.faces[:, k]] for k in range(3))
        change = _cross_matrix(first) @ (c - a) - _cross_matrix(second) @ (b - a)
        change = self._gather_faces(change, torch.zeros_like(self.basis))
        normals, change = _normalised(total, change)
        blend = self._interpolate(normals)
        change = self._interpolate(change.flatten(1)).unflatten(1, (3, -1))
        return _normalised(blend, change)[1]


def _normalised(vectors: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
    """Unit ``vectors`` (N, 3) and their change, given the ``change`` (N, 3, P) of the vectors."""
    length = vectors.norm(dim=1, keepdim=True).clamp_min(1e-12)
    unit = vectors / length
    along = unit[:, None] @ change
    return unit, (change - unit[:, :, None] * along) / length[..., None]


def _cross_matrix(vectors: Tensor) -> Tensor:
    """(N, 3, 3) M with ``M @ x = vectors x x`` (cross product)."""
    x, y, z = vectors.unbind(1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).unflatten(1, (3, 3))
