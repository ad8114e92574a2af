"""The points of a face that losses look at, and how far apart two shapes are in mm."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..geometry.triangles import triangle_areas, vertex_normals
from ..model import FaceModel
from ..network.layout import anchor_of

Double = NDArray[np.float64]

#: Of the surface that the NoW benchmark measures, around the tip of the nose.
NOW_RADIUS_MM = 95.0
DENSE_POINTS = 200
_NOSE_TIP = 30


class FacePoints(nn.Module):
    """Landmarks and evenly spread points of batches of heads, relative to the anchor."""

    def __init__(self, model: FaceModel) -> None:
        super().__init__()
        corners, weights = model.landmarks68_triangles, model.landmarks68_barycentric
        jaw = np.unique(model.contour_candidates[model.contour_candidates >= 0])
        jaw = np.union1d(jaw, model.landmarks68[:17])
        dense = spread_points(model, DENSE_POINTS)
        basis = _whole_basis(model)
        mean = model.mean - anchor_of(model)
        parts = [
            (
                np.einsum("lc,lcx->lx", weights, mean[corners]),
                np.einsum("lc,klcx->klx", weights, basis[:, corners]),
            ),
            (mean[jaw], basis[:, jaw]),
            (mean[dense], basis[:, dense]),
        ]
        self._counts = [68, len(jaw), len(dense)]
        self._buffer("mean", np.concatenate([part[0] for part in parts]))
        bases = np.concatenate([part[1] for part in parts], axis=1)
        self._buffer("basis", bases.reshape(len(basis), -1))
        place = np.full(len(model.mean), -1)
        place[jaw] = np.arange(len(jaw))
        self.register_buffer("_place", torch.from_numpy(place))
        fixed = torch.from_numpy(model.landmarks68[:17].astype(np.int64))
        self.register_buffer("_fixed", fixed)

    mean: Tensor
    basis: Tensor
    _place: Tensor
    _fixed: Tensor

    def forward(self, coefficients: Tensor, jaw: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 68, 3) and (N, 200, 3) mm for ``coefficients`` (N, K + E) and ``jaw`` (N, 17) ids."""
        points = self.mean + (coefficients @ self.basis).view(len(coefficients), -1, 3)
        landmarks, contour, dense = points.split(self._counts, dim=1)
        place = self._place[jaw].clamp_min(0)
        moved = contour.gather(1, place[:, :, None].expand(-1, -1, 3))
        # A jaw landmark that has not moved is the exact point, not the vertex beside it.
        stays = (jaw == self._fixed)[:, :, None]
        line = torch.where(stays, landmarks[:, :17], moved)
        return torch.cat([line, landmarks[:, 17:]], dim=1), dense

    def _buffer(self, name: str, array: NDArray) -> None:
        self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(array, np.float32)))


def face_region(model: FaceModel) -> Double:
    """(V,) weights that sum to 1: skin's area within 95 mm of the tip of the nose."""
    area = triangle_areas(model.mean, model.faces)
    skin = model.polygon_material[model.polygon_of_face] == model.material_kinds.index("skin")
    area = np.where(skin, area, 0.0)
    weights = np.bincount(model.faces.ravel(), np.repeat(area, 3), minlength=len(model.mean))
    nose = model.mean[model.landmarks68[_NOSE_TIP]]
    weights[np.linalg.norm(model.mean - nose, axis=1) > NOW_RADIUS_MM] = 0.0
    return weights / weights.sum()


def posed_metric(model: FaceModel) -> Double:
    """(K + E, K + E) L: ``norm(d @ L)`` is the face's RMS distance in mm for a difference d."""
    return _root(_weighted(_whole_basis(model), face_region(model)))


def neutral_metric(model: FaceModel) -> Double:
    """(K, K) L as :func:`posed_metric`, of identity alone, after the best small similarity.

    The seven directions in which the mean face moves, turns and grows are projected out.
    """
    region = face_region(model)
    basis = _weighted(model.identity_basis.astype(np.float64), region)
    centred = model.mean - region @ model.mean
    moves = [np.broadcast_to(axis, centred.shape) for axis in np.eye(3)]
    moves += [np.cross(axis, centred) for axis in np.eye(3)] + [centred]
    directions, _ = np.linalg.qr(_weighted(np.stack(moves), region).T)
    return _root(basis - (basis @ directions) @ directions.T)


def local_effects(model: FaceModel) -> Double:
    """(K + E,) mm that one unit moves the vertices which it moves (weighted by how far)."""
    squared = (_whole_basis(model) ** 2).sum(axis=2)
    return np.sqrt((squared**2).sum(axis=1) / np.maximum(squared.sum(axis=1), 1e-12))


def albedo_metric(model: FaceModel) -> Double:
    """(A, A) L: ``norm(d @ L)`` is the RMS difference of the face's albedo over the mean's."""
    relative = _relative_albedo(model)
    return _root(relative.reshape(len(relative), -1) / np.sqrt(relative[0].size))


def albedo_level(model: FaceModel) -> Double:
    """(A,) how much one unit lightens the face, over the mean's albedo."""
    return _relative_albedo(model).mean(axis=(1, 2))


def _relative_albedo(model: FaceModel) -> Double:
    """(A, N, 3) the basis on the face's N pixels over the mean colour."""
    mask = model.uv_mask("face") > 0.5
    mean = model.albedo_mean[mask].mean(axis=0).astype(np.float64)
    return model.albedo_basis[:, mask] / mean


def spread_points(model: FaceModel, count: int) -> NDArray[np.intp]:
    """(count,) vertex ids spread evenly over the face by farthest-point sampling."""
    normals = vertex_normals(model.mean.astype(np.float64), model.faces)
    candidates = np.flatnonzero((face_region(model) > 0) & (normals[:, 2] > -0.2))
    points = model.mean[candidates].astype(np.float64)
    chosen = [int(np.argmax(points[:, 2]))]
    nearest = np.full(len(points), np.inf)
    for _ in range(count - 1):
        nearest = np.minimum(nearest, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(np.argmax(nearest)))
    return candidates[chosen]


def _whole_basis(model: FaceModel) -> Double:
    return np.concatenate([model.identity_basis, model.expression_basis]).astype(np.float64)


def _weighted(basis: Double, region: Double) -> Double:
    """(N, 3V) of (N, V, 3), each vertex times the root of its weight."""
    return (basis * np.sqrt(region)[:, None]).reshape(len(basis), -1)


def _root(basis: Double) -> Double:
    """(N, N) symmetric root of the Gram matrix of ``basis`` (N, M)."""
    values, vectors = np.linalg.eigh(basis @ basis.T)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return np.asarray(root, np.float64)
