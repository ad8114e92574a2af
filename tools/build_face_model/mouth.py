"""Teeth and gums at their place in the mean head, and how they move.

The source's two bands of teeth tell how:

- identity: one affine map for both rows, fitted to the bands' motion, so that size and width follow
  the jaw and the bite stays a bite; its height and depth are tied to where the lips meet;
- expression: the lower row moves rigidly as the lower band does at best, the upper row not at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .gums import gum
from .landmarks import Landmarks
from .teeth import POINTS, RINGS, ROWS, Piece, tooth_row

EDGE_BELOW_LIPS = 1.6
"""mm that the upper front teeth's edges stand below the lips' line (people: 0.6 to 4.5 at rest)."""
FRONT_BEHIND_LIPS = 9.0
"""mm from the inner lips' landmarks back to the upper front teeth.  People have 4 to 7; closer than
this, the teeth of some heads come through the lips."""
INNER_LIPS = (62, 66)
"""The landmarks between which the lips meet."""
BOXES = {
    "teeth_upper": (0.705, 0.006, 0.288, 0.038),
    "teeth_lower": (0.007, 0.006, 0.288, 0.038),
    "gums_upper": (0.775, 0.050, 0.177, 0.042),
    "gums_lower": (0.118, 0.050, 0.107, 0.042),
}
"""Island -> (left, bottom, width, height) of the UV box that it fills, below the disk of skin."""
NECK_TINT, EDGE_TINT, PIT_TINT = (0.95, 0.86, 0.70), (0.93, 0.95, 0.97), (0.88, 0.82, 0.72)
"""Factors on the teeth's colour: dentine shines through at the neck, the edge is translucent."""
MARGIN_TINT, BASE_TINT = (1.12, 1.12, 1.10), (0.92, 0.78, 0.78)
"""Factors on the gums' colour: paler at the margin, redder where they end."""


@dataclass(frozen=True)
class MouthMesh:
    """Teeth and gums joined, at their place in the mean head.

    Attributes:
        piece: all parts as one, its UVs in the head's texture.
        part: (N,) str and polygon_part: (Q,) str, keys of ``BOXES``.
        tint: (N, 3) factors on the part's colour.
    """

    piece: Piece
    part: np.ndarray
    polygon_part: np.ndarray
    tint: np.ndarray


def mouth_mesh(lips: np.ndarray) -> MouthMesh:
    """The mouth behind the point (3,) in which the lips meet."""
    pieces = {name: tooth_row(row) for name, row in ROWS.items()}
    front = pieces["teeth_upper"].vertices[:, 2].max()
    origin = lips * [0, 1, 1] - [0, EDGE_BELOW_LIPS, FRONT_BEHIND_LIPS + front]
    pieces |= {name.replace("teeth", "gums"): gum(row) for name, row in ROWS.items()}
    tints = [tooth_tint(p) if p.tooth.any() else gum_tint(p) for p in pieces.values()]
    vertices, corners = 0, 0
    placed = []
    for name, piece in pieces.items():
        left, bottom, width, height = BOXES[name]
        placed.append(
            replace(
                piece,
                vertices=piece.vertices + origin,
                quads=piece.quads + vertices,
                uv=piece.uv * [width, height] + [left, bottom],
                uv_quads=piece.uv_quads + corners,
                symmetry=piece.symmetry + vertices,
            )
        )
        vertices, corners = vertices + len(piece.vertices), corners + len(piece.uv)
    names = list(pieces)
    return MouthMesh(
        piece=Piece(
            **{
                field: np.concatenate([getattr(piece, field) for piece in placed])
                for field in Piece.__dataclass_fields__
            }
        ),
        part=np.repeat(names, [len(piece.vertices) for piece in placed]),
        polygon_part=np.repeat(names, [len(piece.quads) for piece in placed]),
        tint=np.concatenate(tints),
    )


def tooth_tint(row: Piece) -> np.ndarray:
    """(N, 3) factors on the colour at the vertices of a row of teeth."""
    rings = np.ones((RINGS, 3))
    rings[:2], rings[2], rings[-1] = NECK_TINT, (1 + 2 * np.array(NECK_TINT)) / 3, EDGE_TINT
    tooth = np.concatenate([np.repeat(rings, POINTS, axis=0), [NECK_TINT, PIT_TINT]])
    tints = np.tile(tooth, (len(row.tooth) // len(tooth), 1))
    front = np.arange(len(tints)) % len(tooth) == len(tooth) - 1
    tints[front & (row.tooth % 10 < 4)] = EDGE_TINT  # only the back teeth have pits
    return tints


def gum_tint(piece: Piece) -> np.ndarray:
    """(N, 3) factors on the colour at the vertices of a gum, by their height over its base."""
    height = piece.vertices[:, 1]
    far = np.argmax(np.abs(height))
    share = np.clip(1 - np.abs(height) / np.abs(height[far]), 0, 0.6)[:, None] / 0.6
    return np.array(BASE_TINT) * (1 - share) + np.array(MARGIN_TINT) * share


def affine_motion(points: np.ndarray, moved: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The affine displacement that fits ``moved`` (K, N, 3) at ``points`` (N, 3) best, read at
    ``at`` (M, 3): (K, M, 3)."""
    centre = points.mean(axis=0)
    design = np.column_stack([points - centre, np.ones(len(points))])
    flat = moved.transpose(1, 0, 2).reshape(len(points), -1)
    maps = np.linalg.lstsq(design, flat, rcond=None)[0]
    read = np.column_stack([at - centre, np.ones(len(at))]) @ maps
    return read.reshape(len(at), len(moved), 3).transpose(1, 0, 2)


def rigid_motion(points: np.ndarray, moved: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The rigid displacement that fits ``moved`` (N, 3) at ``points`` (N, 3) best (Kabsch 1976),
    read at ``at`` (M, 3)."""
    centre, shift = points.mean(axis=0), moved.mean(axis=0)
    arms = points - centre
    u, _, vt = np.linalg.svd(arms.T @ (arms + moved - shift))
    turn = (vt.T * [1, 1, np.sign(np.linalg.det(vt.T @ u.T))]) @ u.T
    return (at - centre) @ turn.T - (at - centre) + shift


def identity_motion(
    mean: np.ndarray, basis: np.ndarray, bands: np.ndarray, landmarks: Landmarks, at: np.ndarray
) -> np.ndarray:
    """How the teeth follow the identity components.

    Args:
        mean: (V, 3) and basis: (K, V, 3), the head with the source's bands.
        bands: (B,) vertices of both bands.
        landmarks: of the head.
        at: (M, 3) points of teeth and gums; all are shifted up or down, forward or back as one,
            so that the upper front edge stays where it is to the lips.

    Returns:
        (K, M, 3) mm.
    """
    lips = lips_meet(basis, landmarks)
    front = lips_meet(mean, landmarks) * [0, 1, 1] - [0, EDGE_BELOW_LIPS, FRONT_BEHIND_LIPS]
    motion = affine_motion(mean[bands], basis[:, bands], np.concatenate([at, front[None]]))
    motion, of_front = motion[:, :-1], motion[:, -1]
    return motion + ((lips - of_front) * [0, 1, 1])[:, None]


def lips_meet(field: np.ndarray, landmarks: Landmarks) -> np.ndarray:
    """(..., 3) a field (..., V, 3) midway between the inner lips' landmarks."""
    rows = list(INNER_LIPS)
    corners = field[..., landmarks.triangles[rows], :]
    return (corners * landmarks.barycentric[rows][..., None]).sum(axis=-2).mean(axis=-2)
