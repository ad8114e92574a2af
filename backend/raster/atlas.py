"""The inverse of a texture atlas: which triangle, and where in it, each texel shows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.chunks import in_parts

Float = NDArray[np.float32]

# Sub-texel bits of the polygon filler.
_SHIFT = 4
#: Rows that are looked at together for their gutters.
_BAND_ROWS = 256


@dataclass(frozen=True)
class Atlas:
    """Texel centres of a size x size texture; row 0 is at v = 1."""

    face_id: NDArray[np.int32]  #: (size, size) index into the faces, -1 = empty
    barycentric: Float  #: (size, size, 3) weights of the face's corners, each in 0..1

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(size, size) True inside the islands, the gutter included."""
        return self.face_id >= 0


@dataclass(frozen=True)
class Texels:
    """N texels of a size x size texture, in the order of rows."""

    place: NDArray[np.int32]  #: (N,) flat index into the texture
    face: NDArray[np.integer]  #: (N,) index into the faces, of the smallest type that holds it
    _weights: NDArray[np.uint16]  #: (2, N) of the face's first two corners, in 65535ths

    def __len__(self) -> int:
        return len(self.place)

    def barycentric(self, chosen: slice | NDArray[np.intp] = slice(None)) -> Float:
        """(M, 3) weights of the corners of the texels ``chosen``, each in 0..1."""
        out = np.empty((3, len(self.place[chosen])), np.float32)
        np.divide(self._weights[:, chosen], np.float32(65535), out=out[:2])
        np.subtract(np.float32(1), out[0], out=out[2])
        out[2] -= out[1]
        return np.maximum(out, 0, out=out).T


def rasterize_uv(uv: NDArray, uv_faces: NDArray, size: int, gutter: int = 0) -> Atlas:
    """Texel to triangle map of the atlas ``uv`` (U, 2), v up, with triangles ``uv_faces`` (F, 3).

    See :func:`texels_of`.
    """
    texels = texels_of(uv, uv_faces, size, gutter)
    face_id = np.full((size, size), -1, dtype=np.int32)
    face_id.ravel()[texels.place] = texels.face
    barycentric = np.zeros((size, size, 3), dtype=np.float32)
    barycentric.reshape(-1, 3)[texels.place] = texels.barycentric()
    return Atlas(face_id, barycentric)


def texels_of(
    uv: NDArray,
    uv_faces: NDArray,
    size: int,
    gutter: int = 0,
    wanted: NDArray[np.bool_] | None = None,
) -> Texels:
    """The texels of the atlas ``uv`` (U, 2), v up, of the triangles ``uv_faces`` (F, 3).

    A texel that an island only touches belongs to the triangle that touches it, its point being
    the nearest one of that triangle's border; ``gutter`` texels around the islands repeat the
    nearest texel inside, so that bilinear filtering and mip-maps never reach the empty ground.
    Where islands overlap the later face wins.  ``wanted`` (F,) says which triangles' texels; None:
    all.
    """
    corners = texel_coordinates(np.asarray(uv, dtype=np.float64), size)[uv_faces]
    face_id = np.full((size, size), -1, dtype=np.int32)
    fixed = np.round(corners * (1 << _SHIFT)).astype(np.int32)
    for index, polygon in enumerate(fixed):
        cv2.fillConvexPoly(face_id, polygon, index, shift=_SHIFT)
    source = _sources(face_id, gutter)
    place = np.flatnonzero(source >= 0)
    narrow = np.min_scalar_type(len(uv_faces))
    shown = source.ravel().take(place)  # the texel that each repeats
    face = face_id.ravel().take(shown).astype(narrow)
    if wanted is not None:
        kept = np.flatnonzero(wanted.take(face))
        place, face, shown = place.take(kept), face.take(kept), shown.take(kept)
    weights = _quantised_weights(corners, face, shown, size)
    return Texels(place.astype(np.int32), face, weights)


def texel_coordinates(uv: NDArray, size: int) -> NDArray:
    """(..., 2) column and row of ``uv`` (..., 2), (0, 0) being the top-left texel's centre."""
    return np.stack([uv[..., 0] * size - 0.5, (1 - uv[..., 1]) * size - 0.5], axis=-1)


def _sources(face_id: NDArray[np.int32], gutter: int) -> NDArray[np.int32]:
    """(S, S) which texel, by its flat index, each texel repeats: itself, in the gutter the nearest
    covered one, elsewhere -1."""
    source = np.arange(face_id.size, dtype=np.int32).reshape(face_id.shape)
    source[face_id < 0] = -1
    if gutter <= 0:
        return source
    # In bands, with what their gutters may repeat above and below: all at once takes 100 MB.
    for start in range(0, len(face_id), _BAND_ROWS):
        first = max(start - gutter - 1, 0)
        covered = face_id[first : start + _BAND_ROWS + gutter + 1] >= 0
        if covered.all() or not covered.any():
            continue
        distance, label = cv2.distanceTransformWithLabels(
            (~covered).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        # Labels number the covered texels; the table finds each one's place.
        table = np.empty(label.max() + 1, dtype=np.int32)
        table[label[covered]] = np.flatnonzero(covered) + first * face_id.shape[1]
        ring = ~covered & (distance <= gutter)
        ring[: start - first] = ring[start - first + _BAND_ROWS :] = False
        source[first : first + len(ring)][ring] = table[label[ring]]
    return source


def _quantised_weights(
    corners: NDArray, face: NDArray[np.integer], texel: NDArray[np.int32], size: int
) -> NDArray[np.uint16]:
    """(2, N) weights of the first two corners of ``face`` (N,) at ``texel`` (N,), see `Texels`.

    Affine in column and row, one set of factors a face.
    """
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
    out = np.empty((2, len(face)), np.uint16)

    def part(chosen: slice) -> None:
        row, column = np.divmod(texel[chosen], np.int32(size))
        x, y = column.astype(np.float32), row.astype(np.float32)
        f = factors.take(face[chosen], axis=1)
        weights = np.empty((3, len(x)), np.float32)
        weights[1] = f[0] * x + f[1] * y + f[2]
        weights[2] = f[3] * x + f[4] * y + f[5]
        weights[0] = 1 - weights[1] - weights[2]
        # The filler also takes texels whose centre lies just outside: put those on the border.
        np.maximum(weights, 0, out=weights)
        weights *= np.float32(65535) / weights.sum(axis=0)
        out[:, chosen] = np.rint(weights[:2])

    in_parts(part, len(face))
    return out
