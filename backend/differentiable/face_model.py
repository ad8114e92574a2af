"""The face model as tensors: batches of heads, differentiable in every coefficient."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..model import FaceModel
from .shading import vertex_normals

#: Side to which the albedo maps are averaged down: still finer than a 224-pixel picture of a face.
ALBEDO_SIZE = 256
ALBEDO_RANGE = (0.002, 1.0)


class TorchFaceModel(nn.Module):
    """:class:`~..model.FaceModel` on a device: the same arrays as buffers, nothing to learn.

    B heads at a time; mm, head coordinates, linear-light RGB, as in the face model.
    """

    mean: Tensor  #: (V, 3)
    identity_basis: Tensor  #: (K, V * 3)
    expression_basis: Tensor  #: (E, V * 3)
    expression_range: Tensor  #: (E, 2)
    faces: Tensor  #: (F, 3) int64
    face_uv: Tensor  #: (F, 3, 2) texture coordinates of the faces' corners, v up
    landmark_ids: Tensor  #: (68,) int64 nearest vertices
    landmark_corners: Tensor  #: (68, 3) int64
    landmark_weights: Tensor  #: (68, 3)
    albedo_mean: Tensor  #: (3 * T * T,)
    albedo_basis: Tensor  #: (A, 3 * T * T)

    def __init__(
        self,
        model: FaceModel,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        albedo_size: int = ALBEDO_SIZE,
    ) -> None:
        super().__init__()

        def keep(name: str, values: np.ndarray, kind: torch.dtype = dtype) -> None:
            tensor = torch.as_tensor(np.ascontiguousarray(values), dtype=kind, device=device)
            self.register_buffer(name, tensor, persistent=False)

        keep("mean", model.mean)
        keep("identity_basis", model.identity_basis.reshape(len(model.identity_basis), -1))
        keep("expression_basis", model.expression_basis.reshape(len(model.expression_basis), -1))
        keep("expression_range", model.expression_range)
        keep("faces", model.faces, torch.int64)
        keep("face_uv", model.uv[model.uv_faces])
        keep("landmark_ids", model.landmarks68, torch.int64)
        keep("landmark_corners", model.landmarks68_triangles, torch.int64)
        keep("landmark_weights", model.landmarks68_barycentric)
        maps = np.concatenate([model.albedo_mean[None], model.albedo_basis], dtype=np.float32)
        self.albedo_size = min(albedo_size, maps.shape[1])
        small = _averaged(maps, self.albedo_size)
        keep("albedo_mean", small[0])
        keep("albedo_basis", small[1:])

    def vertices(self, identity: Tensor, expression: Tensor) -> Tensor:
        """(B, V, 3) mm of ``identity`` (B, K) std. deviations and ``expression`` (B, E) weights."""
        moved = identity @ self.identity_basis + expression @ self.expression_basis
        return self.mean + moved.unflatten(-1, (-1, 3))

    def normals(self, vertices: Tensor) -> Tensor:
        """(B, V, 3) unit outward normals, area-weighted means of the faces around a vertex."""
        return vertex_normals(vertices, self.faces)

    def landmarks(self, vertices: Tensor, jaw_ids: Tensor | None = None) -> Tensor:
        """(B, 68, 3) mm on ``vertices`` (B, V, 3).

        ``jaw_ids`` (B, 17) are the vertices seen as landmarks 0..16; where one is the model's own,
        and everywhere without them, the exact point on the surface is meant.
        """
        points = (vertices[:, self.landmark_corners] * self.landmark_weights[..., None]).sum(2)
        if jaw_ids is None:
            return points
        moved = vertices.gather(1, jaw_ids[..., None].expand(-1, -1, 3))
        own = (jaw_ids == self.landmark_ids[:17])[..., None]
        return torch.cat([torch.where(own, points[:, :17], moved), points[:, 17:]], 1)

    def albedo(self, coefficients: Tensor, face_id: Tensor, barycentric: Tensor) -> Tensor:
        """(B, ..., 3) linear-light RGB of ``coefficients`` (B, A) at points on the surface.

        ``face_id`` (B, ...) int64 and ``barycentric`` (B, ..., 3).
        """
        texture = self.albedo_mean + coefficients @ self.albedo_basis
        texture = texture.clamp(*ALBEDO_RANGE)
        side = self.albedo_size
        uv = (self.face_uv[face_id] * barycentric[..., None]).sum(-2)
        grid = torch.stack([2 * uv[..., 0] - 1, 1 - 2 * uv[..., 1]], -1)
        sampled = functional.grid_sample(
            texture.reshape(-1, 3, side, side),
            grid.reshape(len(grid), -1, 1, 2),
            padding_mode="border",
            align_corners=False,
        )
        return sampled[..., 0].transpose(1, 2).reshape(*face_id.shape, 3)


def _averaged(maps: np.ndarray, side: int) -> np.ndarray:
    """(N, 3 * side * side) the maps (N, T, T, 3), channels first, averaged down."""
    planes = torch.as_tensor(np.moveaxis(maps, -1, 1), dtype=torch.float32)
    return functional.adaptive_avg_pool2d(planes, side).flatten(1).numpy()
