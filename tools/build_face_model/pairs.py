"""Parts of both sides that are added to the finished head: its last ones, right then left."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .head_mesh import MATERIALS
from .uv_layout import UvLayout

if TYPE_CHECKING:
    from .assembly import FaceModel


@dataclass(frozen=True)
class Pair:
    """A part of N vertices and Q quads on the left, whose mirror image is on the right.

    Attributes:
        points: (N, 3) mm, quads: (Q, 4).
        basis: (K, N, 3) mm, how it follows the identity.
        shapes: (E, 2, N, 3) mm, how the right and the left one follow the expressions.
        names: of the right and the left part.
        material: of ``MATERIALS``; it has no texture.
        box: (left, bottom, width, height) of the left one's UVs, which are the cells of a grid.
    """

    points: np.ndarray
    quads: np.ndarray
    basis: np.ndarray
    shapes: np.ndarray
    names: tuple[str, str]
    material: str
    box: tuple[float, float, float, float]


def with_pair(model: FaceModel, pair: Pair) -> FaceModel:
    """The ``model`` with the ``pair`` at its end."""
    old, count, first = model.topology, len(pair.points), len(model.mean)
    both = np.concatenate([pair.quads[:, ::-1], pair.quads + count]) + first
    numbers = first + np.arange(count)
    none = np.full(2 * count, -1)
    signs = np.where(model.identity.symmetric, 1.0, -1.0)[:, None, None]
    polygons = np.concatenate([old.polygons, both]).astype(np.int32)
    no_source = np.full(both.shape, -1)
    topology = replace(
        old,
        source_index=np.concatenate([old.source_index, none]).astype(np.int32),
        polygons=polygons,
        part=np.concatenate([old.part, np.repeat(pair.names, count)]),
        polygon_part=np.concatenate([old.polygon_part, np.repeat(pair.names, len(pair.quads))]),
        source_uv_polygons=np.concatenate([old.source_uv_polygons, no_source]).astype(np.int32),
        symmetry=np.concatenate([old.symmetry, numbers + count, numbers]).astype(np.int32),
    )
    basis = [model.identity.basis, signs * mirrored(pair.basis), pair.basis]
    shapes = pair.shapes.reshape(len(pair.shapes), -1, 3)
    kind = np.full(len(both), MATERIALS.index(pair.material), np.uint8)
    masks = np.zeros((len(model.vertex_masks), 2 * count))
    return replace(
        model,
        topology=topology,
        mean=np.concatenate([model.mean, mirrored(pair.points), pair.points]),
        identity=replace(model.identity, basis=np.concatenate(basis, axis=1)),
        expression_basis=np.concatenate([model.expression_basis, shapes], axis=1),
        layout=_layout(model.layout, pair),
        polygon_material=np.concatenate([model.polygon_material, kind]),
        vertex_masks=np.concatenate([model.vertex_masks, masks], axis=1),
    )


def _layout(old: UvLayout, pair: Pair) -> UvLayout:
    count = len(pair.quads)
    columns = 2 * int(np.sqrt(count / 2))
    rows = -(-count // columns)
    x, y = np.meshgrid(np.linspace(0, 1, columns + 1), np.linspace(0, 1, rows + 1))
    left, bottom, width, height = pair.box
    grid = np.stack([left + width * x.ravel(), bottom + height * y.ravel()], axis=1)
    corner = np.arange(len(grid)).reshape(rows + 1, -1)
    cells = np.stack([corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]], axis=-1)
    cells = cells.reshape(-1, 4)[:count]
    used, cells = np.unique(cells, return_inverse=True)
    grid, cells = grid[used], cells.reshape(-1, 4)
    first = len(old.uv)
    return UvLayout(
        np.concatenate([old.uv, grid * [-1, 1] + [1, 0], grid]),
        np.concatenate([old.polygons, cells[:, ::-1] + first, cells + first + len(grid)]).astype(
            np.int32
        ),
        np.concatenate([old.island, np.repeat(pair.names, count)]),
    )


def mirrored(field: np.ndarray) -> np.ndarray:
    """``field`` (..., 3) on the other side of the head."""
    return field * np.array([-1.0, 1.0, 1.0])
