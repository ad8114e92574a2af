"""Heads with a rig for tests, and their vertices as Blender shows them."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
from numpy.typing import NDArray
from reconstruct_face.backend.assembly import regions_of, with_bust
from reconstruct_face.backend.exchange import Reconstruction
from reconstruct_face.backend.model import load_model
from reconstruct_face.scene.build import HeadScene, build_scene, prepare_file

from tests.default_head import head_of


def rest_head(seed: int = 1, *, bust: bool = False) -> Reconstruction:
    """A head of the default model without an expression, with regions."""
    head = replace(head_of(seed), **regions_of(load_model()))
    head = with_bust(head, load_model()) if bust else head
    neutral = head.vertices_neutral
    return replace(head, expression=np.zeros_like(head.expression), vertices_posed=neutral)


def built_head(seed: int = 1, *, bust: bool = False) -> HeadScene:
    """:func:`rest_head` in a new file, without subdivision."""
    head = rest_head(seed, bust=bust)
    prepare_file(head)
    built = build_scene(head)
    for modifier in built.head.modifiers:
        if modifier.type == "SUBSURF":
            modifier.show_viewport = False
    return built


def shown(head: bpy.types.Object) -> NDArray[np.float64]:
    """(V, 3) mm in the world, of ``head`` with its modifiers."""
    graph = bpy.context.evaluated_depsgraph_get()
    graph.update()
    found = head.evaluated_get(graph)
    mesh = found.to_mesh()
    points = np.empty(3 * len(mesh.vertices))
    mesh.vertices.foreach_get("co", points)
    found.to_mesh_clear()
    world = np.array(found.matrix_world)
    return 1000 * (points.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3])


def values(head: bpy.types.Object) -> dict[str, float]:
    """Shape keys that are not 0, rounded."""
    bpy.context.view_layer.update()
    blocks = head.data.shape_keys.key_blocks[1:]
    return {key.name: round(key.value, 4) for key in blocks if abs(key.value) > 1e-5}
