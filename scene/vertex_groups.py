"""Which vertices are what: vertex groups as arrays, regions of the face, kinds of material."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from ..backend.exchange import Reconstruction
from .eye_materials import KIND

#: Smaller weights are left out: 1/255, which is what files with 8 bits hold.
LEAST = 1 / 255
#: Regions that are on both sides get a group for each.
_OF_SIDES = ("brows", "lids", "ears")


def add_regions(head: bpy.types.Object, reconstruction: Reconstruction) -> None:
    """Give ``head`` a vertex group for each region of the face: "lips", "brows.L", "brows.R" ..."""
    left = reconstruction.vertices_neutral[:, 0] > 0
    for name, mask in zip(reconstruction.region_names, reconstruction.regions, strict=True):
        weights = mask / 255
        if name in _OF_SIDES:
            fill_group(head, f"{name}.L", np.where(left, weights, 0))
            fill_group(head, f"{name}.R", np.where(left, 0, weights))
        else:
            fill_group(head, name, weights)


def fill_group(head: bpy.types.Object, name: str, weights: NDArray) -> None:
    """Make ``weights`` (V,) the vertex group ``name`` of ``head``, in steps of 1/1000."""
    group = head.vertex_groups.get(name) or head.vertex_groups.new(name=name)
    group.remove(range(len(weights)))
    steps = np.where(weights > LEAST, np.round(weights * 1000), 0).astype(int)
    order = np.argsort(steps, kind="stable")
    starts = np.flatnonzero(np.diff(steps[order], prepend=-1))
    for part in np.split(order, starts[1:]):
        if steps[part[0]] > 0:
            group.add(part.tolist(), float(steps[part[0]]) / 1000, "REPLACE")


def read_group(head: bpy.types.Object, name: str) -> NDArray[np.float64]:
    """(V,) the weights of the vertex group ``name``; zeros without it."""
    mesh = head.data
    assert isinstance(mesh, bpy.types.Mesh)
    out = np.zeros(len(mesh.vertices))
    group = head.vertex_groups.get(name)
    if group is not None:
        index = group.index
        for vertex in mesh.vertices:
            for element in vertex.groups:
                if element.group == index:
                    out[vertex.index] = element.weight
    return out


def corners_and_slots(
    mesh: bpy.types.Mesh,
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """(L,) the vertex of each corner, polygon by polygon; (P,) each polygon's slot of material and
    how many corners it has."""
    corners = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", corners)
    slots, sizes = (np.empty(len(mesh.polygons), np.int32) for _ in range(2))
    mesh.polygons.foreach_get("material_index", slots)
    mesh.polygons.foreach_get("loop_total", sizes)
    return corners, slots, sizes


def vertices_by_kind(mesh: bpy.types.Mesh) -> dict[str, NDArray[np.bool_]]:
    """(V,) by kind of material (``eye_materials.KIND``), which vertices it has."""
    corners, slots, sizes = corners_and_slots(mesh)
    by_corner = slots.repeat(sizes)
    out: dict[str, NDArray[np.bool_]] = {}
    for index, material in enumerate(mesh.materials):
        kind = None if material is None else material.get(KIND)
        if kind is not None:
            out.setdefault(kind, np.zeros(len(mesh.vertices), bool))
            out[kind][corners[by_corner == index]] = True
    return out
