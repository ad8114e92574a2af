"""The bust's mean and its displacement with each identity component of the face model.

A principal component of the heads is a mixture of MakeHuman's targets, so the body under it follows
from the same mixture.  What a component does to the neck loop beyond that (the head is aligned on
the face, the Gaussian process knows no body) moves the whole bust along where it is a translation,
and fades out below the neck where it is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from reconstruct_face.backend.geometry.fading import faded

from tools.build_face_model.assembly import (
    Bodies,
    ShapeData,
    build_identity,
    load_bodies,
    load_shapes,
)
from tools.build_face_model.head_mesh import HeadTopology
from tools.build_face_model.source_data import BaseMesh, SourceData

from .surface import Grid, bust_grid

BUILD = 0.6
"""Part of what weight and muscle do to the body that is kept: they are inferred from a face, which
says little of shoulders. Of 2,000 random people the extreme chests, back to front at the cut, are
146 and 239 mm deep with it (99.8 % range), 140 and 246 mm with 1; breadth is the sex's mostly."""
FADE_MM = 70.0
"""Depth below the neck loop at which 1 / e of its own displacement is left."""


@dataclass(frozen=True)
class Bust:
    """L vertices of the neck loop, B of the bust, K identity components of the face model.

    Attributes:
        ring: (L,) vertices of the face model: the neck loop.
        ring_mean: (L, 3) mm, where they are on the mean head.
        mean: (B, 3) mm, row by row from the neck down, L each.
        identity_basis: (K, B, 3) mm for N(0, 1) coefficients.
        polygons: (B, 4) quads, outward, into ring and bust together: ring first.
        uv: (L + B, 2) in the bust's own texture, v up.
    """

    ring: np.ndarray
    ring_mean: np.ndarray
    mean: np.ndarray
    identity_basis: np.ndarray
    polygons: np.ndarray
    uv: np.ndarray


def build_bust(source: SourceData) -> Bust:
    """Reads the source and builds all of it."""
    bodies = load_bodies(source)
    heads = load_shapes(source, bodies)
    loop = heads.topology.source_index[heads.topology.neck_loop]
    grid = bust_grid(body_below(source.base_mesh, heads.topology), loop, bodies.reference)
    columns = len(loop)
    mean = grid.mixture @ bodies.reference
    return Bust(
        ring=heads.topology.neck_loop,
        ring_mean=heads.mean[heads.topology.neck_loop],
        mean=(mean + mirrored(mean, columns)) / 2,
        identity_basis=_basis(bodies, heads, grid, loop),
        polygons=quads(len(grid.uv) // columns, columns),
        uv=grid.uv,
    )


def body_below(base: BaseMesh, topology: HeadTopology) -> np.ndarray:
    """(P, 4) the body's polygons that are not the head's, into the base mesh."""
    body = base.polygons[base.groups == "body"]
    in_head = np.zeros(len(base.vertices), bool)
    in_head[topology.source_index[topology.source_index >= 0]] = True
    return body[~in_head[body].all(axis=1)]


def quads(rows: int, columns: int) -> np.ndarray:
    """((rows - 1) * columns, 4) of a closed grid, whose columns run around clockwise as seen from
    above, rows downwards: outward."""
    corner = np.arange(rows * columns).reshape(rows, columns)
    aside = np.roll(corner, -1, axis=1)
    return np.stack([corner[:-1], aside[:-1], aside[1:], corner[1:]], axis=-1).reshape(-1, 4)


def mirrored(field: np.ndarray, columns: int) -> np.ndarray:
    """Mirror images of fields (..., rows * columns, 3) of the grid about x = 0."""
    grid = field.reshape(*field.shape[:-2], -1, columns, 3)
    return grid[..., -np.arange(columns) % columns, :].reshape(field.shape) * [-1.0, 1.0, 1.0]


def tempered(bodies: Bodies) -> np.ndarray:
    """(T, N, 3) the targets, what weight and muscle do being :data:`BUILD` of it."""
    paths = bodies.drawn.paths
    targets = bodies.targets.copy()
    for row, path in enumerate(paths):
        if "universal-" in path:  # "...universal-female-young-minmuscle-maxweight.target.gz"
            who = path.rsplit("-", 2)[0]
            plain = bodies.targets[paths.index(f"{who}-averagemuscle-averageweight.target.gz")]
            targets[row] = plain + BUILD * (targets[row] - plain)
    return targets


def _basis(bodies: Bodies, heads: ShapeData, grid: Grid, loop: np.ndarray) -> np.ndarray:
    """(K, B, 3) mm, see the module."""
    columns = len(loop)
    identity = build_identity(heads)
    ring = identity.basis[:, heads.topology.neck_loop]
    moved = np.stack([np.r_[one[loop], grid.mixture @ one] for one in tempered(bodies)])
    body = np.zeros((len(ring), *moved.shape[1:]))
    for symmetric in (True, False):
        kept = identity.symmetric == symmetric
        half = (moved + (1 if symmetric else -1) * mirrored(moved, columns)) / 2
        body[kept] = np.tensordot(identity.mixing[kept], half, axes=1)
    middle = ring.mean(axis=1, keepdims=True)
    body -= body[:, :columns].mean(axis=1, keepdims=True) - middle
    own = ring - body[:, :columns]
    below = body[:, columns:]
    points = np.r_[bodies.reference[loop], grid.mixture @ bodies.reference].reshape(-1, columns, 3)
    depths = np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=2).mean(axis=1))
    spacing = np.linalg.norm(points[0] - np.roll(points[0], 1, axis=0), axis=1).mean()
    return below + faded(own, depths, float(spacing), FADE_MM).reshape(below.shape)
