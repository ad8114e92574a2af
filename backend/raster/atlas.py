"""The inverse of a texture atlas: which triangle, and where in it, each texel shows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

# Sub-texel bits of the polygon filler.
_SHIFT = 4
_BAND = 64


@dataclass(frozen=True)
class Atlas:
    """Texel centres of a size x size texture; row 0 is at v = 1."""

    face_id: NDArray[np.int32]  #: (size, size) index into the faces, -1 = empty
    barycentric: Float  #: (size, size, 3) weights of the face's corners, each in 0..1

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(size, size) True inside the islands, the gutter included."""
        return self.face_id >= 0


def rasterize_uv(uv: NDArray, uv_faces: NDArray, size: int, gutter: int = 0) -> Atlas:
    """Texel to triangle map of the atlas ``uv`` (U, 2), v up, with triangles ``uv_faces`` (F, 3).

    A texel that an island only touches belongs to the triangle that touches it, its point being
    the nearest one of that triangle's border; ``gutter`` texels around the islands repeat the
    nearest texel inside, so that bilinear filtering and mip-maps never reach the empty ground.
    Where islands overlap the later face wins.
    """
    corners = texel_coordinates(np.asarray(uv, dtype=np.float64), size)[uv_faces]
    face_id = np.full((size, size), -1, dtype=np.int32)
    fixed = np.round(corners * (1 << _SHIFT)).astype(np.int32)
    for index, polygon in enumerate(fixed):
        cv2.fillConvexPoly(face_id, polygon, index, shift=_SHIFT)
    barycentric = _barycentric(face_id, corners)
    if gutter > 0:
        _fill_gutter(face_id, barycentric, gutter)
    return Atlas(face_id, barycentric)


def texel_coordinates(uv: NDArray, size: int) -> NDArray:
    """(..., 2) column and row of ``uv`` (..., 2), (0, 0) being the top-left texel's centre."""
    return np.stack([uv[..., 0] * size - 0.5, (1 - uv[..., 1]) * size - 0.5], axis=-1)


def _barycentric(face_id: NDArray[np.int32], corners: NDArray) -> Float:
    """Weights of every covered texel: affine in column and row, one set of factors a face."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, ac = b - a, c - a
    area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    scale = 1 / np.where(np.abs(area) < 1e-9, np.inf, area)
    # weight_b = (p - a) x ac / area, weight_c = ab x (p - a) / area
    factors = np.stack(
        [
            ac[:, 1] * scale,
            -ac[:, 0] * scale,
            (a[:, 1] * ac[:, 0] - a[:, 0] * ac[:, 1]) * scale,
            -ab[:, 1] * scale,
            ab[:, 0] * scale,
            (a[:, 0] * ab[:, 1] - a[:, 1] * ab[:, 0]) * scale,
        ]
    ).astype(np.float32)
    out = np.zeros((*face_id.shape, 3), dtype=np.float32)
    bands = [slice(row, row + _BAND) for row in range(0, len(face_id), _BAND)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda band: _weigh_band(face_id, factors, out, band), bands))
    return out


def _weigh_band(face_id: NDArray[np.int32], factors: Float, out: Float, band: slice) -> None:
    """Write the weights of the rows ``band``; bands of this height stay in the cache."""
    covered = face_id[band] >= 0
    rows, columns = np.nonzero(covered)
    f = factors.take(face_id[band][covered], axis=1)
    x, y = columns.astype(np.float32), rows.astype(np.float32) + band.start
    weights = np.empty((len(rows), 3), dtype=np.float32)
    weights[:, 1] = f[0] * x + f[1] * y + f[2]
    weights[:, 2] = f[3] * x + f[4] * y + f[5]
    weights[:, 0] = 1 - weights[:, 1] - weights[:, 2]
    # The filler also takes texels whose centre lies just outside: put those on the border.
    np.maximum(weights, 0, out=weights)
    weights /= weights.sum(axis=1, keepdims=True)
    out[band][covered] = weights


def _fill_gutter(face_id: NDArray[np.int32], barycentric: Float, gutter: int) -> None:
    """Copy the nearest covered texel into the empty ones up to ``gutter`` texels away."""
    empty = face_id < 0
    if not empty.any() or empty.all():
        return
    distance, label = cv2.distanceTransformWithLabels(
        empty.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    # Labels number the covered texels; the table finds each one's place.
    covered = np.flatnonzero(~empty)
    place = np.empty(label.max() + 1, dtype=np.int64)
    place[label.ravel()[covered]] = covered
    ring = np.flatnonzero(empty & (distance <= gutter))
    source = place[label.ravel()[ring]]
    face_id.ravel()[ring] = face_id.ravel()[source]
    barycentric.reshape(-1, 3)[ring] = barycentric.reshape(-1, 3)[source]
