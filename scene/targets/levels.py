"""A head with fewer triangles that moves as the whole one does.

Blender's Decimate modifier collapses edges by quadric error (Garland and Heckbert 1997, "Surface
simplification using quadric error metrics"), also along the seams of materials and textures.  What
a vertex has is carried through every collapse, as a mean of the two that become one; so a shape key
goes along as an attribute, and no lip takes the movement of the other one, as it would if keys were
looked up on the old surface where that is nearest.  Edges whose ends the shape keys move apart (the
edges of lids and lips) are collapsed last.
"""

from __future__ import annotations

from dataclasses import dataclass

import bmesh
import bpy
import numpy as np
from numpy.typing import NDArray

from ..eye_materials import KIND
from ..vertex_groups import corners_and_slots
from .keys import clear_keys

#: Of the triangles, by the level's number: what is left.
SHARES = (1.0, 0.4, 0.12)
#: What a kind of surface keeps, in the whole head's share; the skin has what that leaves.  Teeth
#: and tongue have 6500 of the default head's 19,900 triangles and are hardly seen.  Eyes of 12
#: percent let the iris come through the cornea; more than :data:`_ENOUGH` of them is not seen.
_BESIDE = {"teeth": 0.4, "tongue": 0.3, "iris": 1.8, "eye": 1.8, "cornea": 1.8}
_ENOUGH = 0.4
#: Names of the attributes that carry the shape keys; more than 63 letters would be cut.
_CARRIED = "carried {}"
_PROTECTED = "protected"
#: What a collapse costs more per metre of an edge that keys pull apart, in metres.  Tried on the
#: sample head at 12 percent: with 0 to 1e-4 skin at the corner of a smile is up to 4.7 mm off and
#: folds, with 1e-3 3.2 mm; from 3e-3 on the skull loses what the face keeps.
_FACTOR = 1e-3
#: A key that moves the ends of an edge apart by this share of its length protects it wholly.
_STRETCH = 0.8


@dataclass(frozen=True)
class _Keys:
    names: list[str]
    ranges: list[tuple[float, float, float]]  #: lowest, highest, value
    rest: NDArray[np.float32]  #: (V, 3)
    changes: NDArray[np.float32]  #: (E, V, 3)


def simplified(head: bpy.types.Object, share: float, name: str) -> bpy.types.Object:
    """A new object, in no collection, of ``share`` of the triangles of ``head``.

    It has all its shape keys with their ranges and values, materials, texture coordinates and
    vertex groups.  Modifiers of ``head`` do not go along.
    """
    mesh = head.data
    assert isinstance(mesh, bpy.types.Mesh)
    keys = _keys_of(mesh)
    copy = mesh.copy()
    worker = bpy.data.objects.new(name, copy)
    try:
        if copy.shape_keys is not None:
            clear_keys(worker)
            copy.vertices.foreach_set("co", keys.rest.ravel())
        for number, change in enumerate(keys.changes):
            carried = copy.attributes.new(_CARRIED.format(number), "FLOAT_VECTOR", "POINT")
            carried.data.foreach_set("vector", change.ravel())
        _protect(worker, keys)
        out = _joined(copy, [_decimated(worker, *part) for part in _parts(mesh, share)])
    finally:
        bpy.data.objects.remove(worker)
        bpy.data.meshes.remove(copy)
    out.name = name
    found = bpy.data.objects.new(name, out)
    _give_keys(found, keys)
    protected = found.vertex_groups.get(_PROTECTED)
    if protected is not None:
        found.vertex_groups.remove(protected)
    return found


def _parts(mesh: bpy.types.Mesh, share: float) -> list[tuple[set[int], float]]:
    """The slots of materials that share no vertex with others, and what is left of each set."""
    vertices, slots, corners = corners_and_slots(mesh)
    of_corner = slots.repeat(corners)
    parts: list[set[int]] = []
    touched: list[set[int]] = []
    for slot in np.unique(slots).tolist():
        part, own = {slot}, set(vertices[of_corner == slot].tolist())
        for other in [n for n, those in enumerate(touched) if not own.isdisjoint(those)][::-1]:
            part |= parts.pop(other)
            own |= touched.pop(other)
        parts.append(part)
        touched.append(own)
    triangles = np.bincount(slots, corners - 2, minlength=slots.max() + 1)
    kinds = [None if one is None else one.get(KIND) for one in mesh.materials]
    beside = {}
    for number, part in enumerate(parts):
        known = [kinds[slot] for slot in part if slot < len(kinds)]
        if "skin" not in known and len(known) == len(part):
            own = share * max(_BESIDE.get(str(kind), 1.0) for kind in known)
            beside[number] = min(own, max(share, _ENOUGH))
    count = [sum(triangles[list(part)]) for part in parts]
    left = share * sum(count) - sum(count[n] * own for n, own in beside.items())
    rest = sum(count[n] for n in range(len(parts)) if n not in beside)
    others = min(left / rest, 1.0) if rest else share
    return [(part, beside.get(number, others)) for number, part in enumerate(parts)]


def _keys_of(mesh: bpy.types.Mesh) -> _Keys:
    blocks = [] if mesh.shape_keys is None else list(mesh.shape_keys.key_blocks)
    points = np.empty((max(len(blocks), 1), len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", points[0].ravel())
    for place, block in zip(points, blocks, strict=False):
        block.data.foreach_get("co", place.ravel())
    told = blocks[1:]
    return _Keys(
        [block.name for block in told],
        [(block.slider_min, block.slider_max, block.value) for block in told],
        points[0],
        points[1:] - points[:1],
    )


def _protect(worker: bpy.types.Object, keys: _Keys) -> None:
    """A vertex group: 1 where edges may collapse, less where keys move their ends apart."""
    mesh = worker.data
    assert isinstance(mesh, bpy.types.Mesh)
    edges = np.empty(2 * len(mesh.edges), np.int32)
    mesh.edges.foreach_get("vertices", edges)
    first, second = edges.reshape(-1, 2).T
    length = np.linalg.norm(keys.rest[first] - keys.rest[second], axis=1)
    apart = np.zeros(len(length), np.float32)
    for change in keys.changes:
        np.maximum(apart, np.linalg.norm(change[first] - change[second], axis=1), out=apart)
    stretch = apart / np.maximum(length, 1e-6)
    most = np.zeros(len(mesh.vertices), np.float32)
    for ends in (first, second):
        np.maximum.at(most, ends, stretch)
    weight = 1 - 0.9 * np.clip(most / _STRETCH, 0, 1)  # at 0 none would ever collapse
    group = worker.vertex_groups.new(name=_PROTECTED)
    steps = np.round(weight * 16).astype(int)
    for step in np.unique(steps):
        group.add(np.flatnonzero(steps == step).tolist(), step / 16, "REPLACE")


def _decimated(worker: bpy.types.Object, slots: set[int], share: float) -> bpy.types.Mesh:
    """A new mesh: the faces of ``worker`` with a material of ``slots``, ``share`` of them, in
    triangles."""
    scene = bpy.context.scene
    whole = worker.data
    assert scene is not None and isinstance(whole, bpy.types.Mesh)
    part = whole.copy()
    shape = bmesh.new()
    shape.from_mesh(part)
    others = [face for face in shape.faces if face.material_index not in slots]
    bmesh.ops.delete(shape, geom=others, context="FACES")
    bmesh.ops.triangulate(shape, faces=shape.faces[:])
    shape.to_mesh(part)
    shape.free()
    thing = bpy.data.objects.new("part", part)
    fewer = thing.modifiers.new("Fewer", "DECIMATE")
    fewer.ratio = share
    fewer.vertex_group, fewer.vertex_group_factor = _PROTECTED, _FACTOR
    scene.collection.objects.link(thing)
    graph = bpy.context.evaluated_depsgraph_get()
    out = bpy.data.meshes.new_from_object(
        thing.evaluated_get(graph), preserve_all_data_layers=True, depsgraph=graph
    )
    bpy.data.objects.remove(thing)
    bpy.data.meshes.remove(part)
    return out


def _joined(like: bpy.types.Mesh, parts: list[bpy.types.Mesh]) -> bpy.types.Mesh:
    """``parts``, which have the layers of ``like``, as one mesh; they are removed."""
    shape = bmesh.new()
    for part in parts:
        shape.from_mesh(part)
    out = like.copy()
    shape.to_mesh(out)
    shape.free()
    bpy.data.batch_remove(parts)
    return out


def _give_keys(found: bpy.types.Object, keys: _Keys) -> None:
    """The carried attributes of ``found`` as its shape keys."""
    mesh = found.data
    assert isinstance(mesh, bpy.types.Mesh)
    rest = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", rest)
    changes = []
    for number in range(len(keys.names)):
        carried = mesh.attributes[_CARRIED.format(number)]
        change = np.empty_like(rest)
        carried.data.foreach_get("vector", change)
        changes.append(change)
    for number in range(len(keys.names)):
        mesh.attributes.remove(mesh.attributes[_CARRIED.format(number)])
    if keys.names:
        found.shape_key_add(name="Basis", from_mix=False)
    for name, (low, high, value), change in zip(keys.names, keys.ranges, changes, strict=True):
        key = found.shape_key_add(name=name, from_mix=False)
        key.points.foreach_set("co", rest + change)
        key.slider_min, key.slider_max = low, high
        key.value = value
