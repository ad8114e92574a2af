"""Hair as engines have it: cards, strips with a picture of strands, in place of curves.

glTF, FBX and OBJ have no curves and leave them out without a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..backend.exchange.png import encode_png
from ..backend.geometry.srgb import LUMINANCE, encode_bytes
from ..backend.geometry.triangles import unit
from .formats.glb import HAIR_CARDS
from .hair import colours_of, hair_of, kinds_of
from .materials import UV_MAP, packed_image

#: Cards of all hair together and pieces of each: 15,000 triangles.
CARDS, PIECES = 1500, 5
#: Width of a card in parts of the room that each has on the scalp; by eye, so that no skin shows.
_OVERLAP = 2.0
#: Along a card, of its width.
_TAPER = (0.7, 1.0, 1.0, 0.95, 0.8, 0.45)
#: Of the picture: columns for one card each, from dark to light hair, and pixels of one.
_COLUMNS, _COLUMN_PX, _HEIGHT_PX = 8, 32, 256
#: What the highlight adds to hair's colour, linear: a card has none of its own.
_SHEEN = 0.012


@contextmanager
def hair_as_cards(
    head: bpy.types.Object, collection: bpy.types.Collection
) -> Iterator[bpy.types.Object | None]:
    """Cards of the hair of ``head``, at its place in ``collection``, while exporting.

    One mesh object, None where there is no hair.  It has no shape keys: the scalp hardly moves.
    Brows and beard are painted, and no cards.
    """
    strands = [thing for thing in hair_of(head) if (kinds_of(thing.data) == 0).any()]
    if not strands:
        yield None
        return
    cards = build_cards(strands[0], f"{head.name} {HAIR_CARDS}")
    cards.matrix_world = head.matrix_world.copy()
    collection.objects.link(cards)
    mesh: Any = cards.data
    material = mesh.materials[0]
    image = picture_of(cards)
    try:
        yield cards
    finally:
        bpy.data.batch_remove([cards, mesh, material, image])


def build_cards(hair: bpy.types.Object, name: str) -> bpy.types.Object:
    """A new mesh object, in no collection, of at most :data:`CARDS` cards along strands of
    ``hair``."""
    curves: Any = hair.data
    count = len(curves.curves)
    points = _read(curves, "position", "vector", 3, len(curves.points)).reshape(count, -1, 3)
    heads = kinds_of(curves) == 0
    points = points[heads]
    # Strands are in random order, so the first stand for all.
    chosen = points[:CARDS]
    at = np.round(np.linspace(0, points.shape[1] - 1, PIECES + 1)).astype(int)
    chosen = chosen[:, at].astype(np.float64)
    vertices, polygons = strips(chosen, _card_width(points[:, 0], len(chosen)))
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices.tolist(), [], polygons.tolist())
    every = colours_of(curves)[heads]
    half = every.shape[1] // 2
    colours = [every[:, :half].mean(axis=1), every[:, half:].mean(axis=1)]
    order = np.argsort((colours[0] @ LUMINANCE)[: len(chosen)])
    column = np.empty(len(chosen), int)
    column[order] = np.arange(len(chosen)) * _COLUMNS // len(chosen)
    layer = mesh.uv_layers.new(name=UV_MAP)
    layer.uv.foreach_set("vector", _uv(column)[polygons.ravel()].astype(np.float32).ravel())
    shades = [
        np.stack([np.median(colour[: len(chosen)][column == k], axis=0) for k in range(_COLUMNS)])
        for colour in colours
    ]
    picture = packed_image(name, np.frombuffer(encode_png(_picture(*shades)), np.uint8), ".png")
    mesh.materials.append(_material(name, picture))
    mesh.shade_smooth()
    return bpy.data.objects.new(name, mesh)


def picture_of(cards: bpy.types.Object) -> bpy.types.Image:
    """The picture of strands on ``cards``."""
    tree: Any = cards.data.materials[0].node_tree  # type: ignore[union-attr]
    return next(node.image for node in tree.nodes if node.type == "TEX_IMAGE")


def strips(paths: NDArray, width: float) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Vertices (C * 2 (K + 1), 3) and quads (C * K, 4) of strips along ``paths`` (C, K + 1, 3).

    They lie flat on the head, which is round the middle of the paths' beginnings, outward.
    """
    cards, points = paths.shape[:2]
    along = np.gradient(paths, axis=1)
    outward = paths - paths[:, 0].mean(axis=0)
    across = unit(np.cross(along, outward))
    taper = np.interp(np.linspace(0, 1, points), np.linspace(0, 1, len(_TAPER)), _TAPER)
    half = across * (0.5 * width * taper)[:, None]
    vertices = np.stack([paths - half, paths + half], axis=2).reshape(-1, 3)
    start = (np.arange(cards)[:, None] * points + np.arange(points - 1)).reshape(-1, 1) * 2
    return vertices, (start + [0, 1, 3, 2]).astype(np.int32)


def _card_width(roots: NDArray, cards: int) -> float:
    """As wide as the room on the scalp, taken for two thirds of an ellipsoid round the roots."""
    a, b, c = np.ptp(roots, axis=0) / 2
    area = 4 * np.pi * (((a * b) ** 1.6 + (a * c) ** 1.6 + (b * c) ** 1.6) / 3) ** (1 / 1.6)
    return float(_OVERLAP * np.sqrt(area * 2 / 3 / cards))


def _uv(column: NDArray) -> NDArray:
    """(C * 2 (K + 1), 2) root at v = 1, so that the picture hangs down."""
    side = (column[:, None] + np.array([0.06, 0.94])) / _COLUMNS
    u = np.broadcast_to(side[:, None], (len(column), PIECES + 1, 2))
    v = np.broadcast_to(np.linspace(0.995, 0.005, PIECES + 1)[None, :, None], u.shape)
    return np.stack([u, v], axis=-1).reshape(-1, 2)


def _picture(root: NDArray, tip: NDArray) -> NDArray[np.uint8]:
    """(h, w, 4) sRGB and alpha: strands of linear ``root`` and ``tip`` (columns, 3), the top their
    roots; the same every time."""
    rng = np.random.default_rng(4)
    width = _COLUMNS * _COLUMN_PX
    along = np.linspace(0, 1, _HEIGHT_PX)[:, None, None]
    colour = root.repeat(_COLUMN_PX, axis=0) * (1 - along) + tip.repeat(_COLUMN_PX, axis=0) * along
    streak = np.exp(rng.normal(0, 0.22, (1, width, 1)))
    # A strand ends early at the card's sides, and anywhere in its last third.
    across = np.abs(np.linspace(-1, 1, _COLUMN_PX))
    ends = 1 - 0.3 * rng.random((_COLUMNS, _COLUMN_PX)) - 0.35 * across**2
    begins = 0.06 * rng.random((_COLUMNS, _COLUMN_PX)) * across
    here = along[..., 0]
    alpha = (here < ends.ravel()) & (here >= begins.ravel())
    gaps = rng.random(width) < 0.12
    alpha &= ~(gaps & (here > 0.25))
    rgb = encode_bytes(np.clip(colour * streak + _SHEEN, 0, 1))
    return np.dstack([rgb, np.where(alpha, 255, 0).astype(np.uint8)])


def _material(name: str, picture: bpy.types.Image) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    if material.node_tree is None:  # Blender 5 makes the nodes at once
        material.use_nodes = True
    tree: Any = material.node_tree
    shader = tree.nodes["Principled BSDF"]
    shader.inputs["Roughness"].default_value = 0.5
    texture = tree.nodes.new("ShaderNodeTexImage")
    texture.image = picture
    tree.links.new(texture.outputs["Color"], shader.inputs["Base Color"])
    tree.links.new(texture.outputs["Alpha"], shader.inputs["Alpha"])
    material.use_backface_culling = False
    return material


def _read(curves: Any, name: str, key: str, width: int, count: int) -> NDArray[np.float32]:
    values = np.empty(count * width, np.float32)
    curves.attributes[name].data.foreach_get(key, values)
    return values.reshape(count, width)
