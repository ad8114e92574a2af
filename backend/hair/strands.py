"""Hair as strands: what is known of it, and polylines of equal numbers of points."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ..geometry.triangles import norm

Float = NDArray[np.float32]
Int = NDArray[np.int32]

#: mm within which hair that goes on bends to hang.
_FALLS_MM = 25.0


@dataclass(frozen=True, eq=False)
class Strands:
    """S strands of P points on the neutral head; head coordinates, mm."""

    points: Float  #: (S, P, 3) from the root to the tip
    root_triangle: Int  #: (S,) index into the face model's ``faces``
    root_weights: Float  #: (S, 3) barycentric
    colour: Float  #: (S, C, 3) linear RGB at C even steps from root to tip
    radius: Float  #: (S,) half the thickness, mm

    def __len__(self) -> int:
        return len(self.points)

    def chosen(self, which: NDArray) -> Strands:
        """Those that ``which`` (S,) bool, or indices, says."""
        return Strands(
            self.points[which],
            self.root_triangle[which],
            self.root_weights[which],
            self.colour[which],
            self.radius[which],
        )

    def root_uv(self, uv: NDArray, uv_faces: NDArray) -> Float:
        """(S, 2) the roots' texture coordinates, of ``uv`` (U, 2) by ``uv_faces`` (F, 3).

        Interpolated within one triangle, so within one island.
        """
        corners = uv[uv_faces[self.root_triangle]]
        return (corners * self.root_weights[..., None]).sum(axis=1).astype(np.float32)


def joined(parts: list[Strands]) -> Strands | None:
    """All strands of ``parts``, one after the other; None without any.

    Raises ValueError where their numbers of points differ.
    """
    if not parts:
        return None
    return Strands(
        *(np.concatenate([getattr(one, x.name) for one in parts]) for x in fields(Strands))
    )


def lengths(points: NDArray) -> NDArray:
    """(S,) lengths of the polylines ``points`` (S, P, 3)."""
    return norm(np.diff(points, axis=1)).sum(axis=1)


def of_length(points: NDArray, factor: float, down: NDArray) -> Float:
    """The polylines ``points`` (S, P, 3), each ``factor`` times as long.

    What is added goes on as the tip does, and hangs ``down`` (3,) the more the longer it is.
    """
    count = points.shape[1]
    if factor <= 1:
        end = np.full(len(points), factor * (count - 1))
        whole = np.ceil(end).astype(int)
        out = np.array(points, np.float32)
        # The last point moves back along its piece.
        rows = np.arange(len(points))
        share = (end - (whole - 1))[:, None]
        out[rows, whole] = points[rows, whole - 1] * (1 - share) + points[rows, whole] * share
        return resampled(out, whole, count)
    more = lengths(points)[:, None] * (factor - 1) / (count - 1)
    way = points[:, -1] - points[:, -2]
    way = way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-6)
    path = [points[:, -1]]
    for _ in range(count - 1):
        way = way + np.minimum(more / _FALLS_MM, 1) * (down - way)
        way = way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-6)
        path.append(path[-1] + way * more)
    longer = np.concatenate([points, np.stack(path[1:], axis=1)], axis=1)
    return resampled(longer, np.full(len(points), 2 * count - 2), count)


def resampled(points: NDArray, end: NDArray, count: int) -> Float:
    """(S, ``count``, 3) the polylines ``points`` (S, K, 3) up to the point number ``end`` (S,), in
    steps of equal length."""
    steps = norm(np.diff(points, axis=1))
    steps[np.arange(steps.shape[1])[None] >= end[:, None]] = 0
    along = np.concatenate([np.zeros((len(points), 1)), np.cumsum(steps, axis=1)], axis=1)
    wanted = along[:, -1:] * np.linspace(0, 1, count)
    # Row by row, how many points lie before the wanted length: a search in all rows at once, each
    # moved behind the one before.
    far = float(along[:, -1].max()) + 1.0
    shift = np.arange(len(points))[:, None] * far
    found = np.searchsorted((along + shift).ravel(), (wanted + shift).ravel(), side="left")
    at = found.reshape(wanted.shape) - np.arange(len(points))[:, None] * along.shape[1] - 1
    at = np.clip(at, 0, along.shape[1] - 2)
    low, high = (np.take_along_axis(along, at + k, axis=1) for k in (0, 1))
    share = np.clip((wanted - low) / np.maximum(high - low, 1e-9), 0, 1)[..., None]
    before, after = (np.take_along_axis(points, (at + k)[..., None], axis=1) for k in (0, 1))
    return (before + (after - before) * share).astype(np.float32)
