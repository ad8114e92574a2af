"""Rigify's face metarig, fitted to a head: for who wants that add-on's controls.

Rigify lays its sample's bones out on a face of its own; they are carried to the head by the thin
plate spline (Bookstein 1989; in space, with the kernel r) between points of the sample and the same
ones of the head, and those that lie on the skin are put onto it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import bpy
import numpy as np
from mathutils.bvhtree import BVHTree
from numpy.typing import NDArray

from ...backend.errors import ModelError
from ..fitted import points_of
from ..vertex_groups import read_group
from .anatomy import SIDES, Float, joints_of, shape_of
from .skeleton import editing

#: The operator of Rigify that adds bones of a sample, and the sample.
_SAMPLE = "faces.super_face"
#: (bone, end) of the sample to landmarks of iBUG 300-W and their shares: in the middle, then on the
#: left, where "L" becomes "R" and landmarks their mirror's for the other side.
_MIDDLE: dict[tuple[str, str], dict[int, float]] = {
    ("nose", "head"): {27: 1},
    ("nose.001", "head"): {29: 1},
    ("nose.001", "tail"): {30: 1},
    ("nose.004", "head"): {33: 1},
    ("nose.004", "tail"): {33: 0.5, 51: 0.5},
    ("lip.T.L", "head"): {51: 0.5, 62: 0.5},
    ("lip.B.L", "head"): {57: 0.5, 66: 0.5},
    ("chin.001", "tail"): {57: 0.7, 8: 0.3},
    ("chin", "head"): {8: 1},
    ("chin", "tail"): {8: 0.7, 57: 0.3},
}
_LEFT: dict[tuple[str, str], dict[int, float]] = {
    ("lip.T.L", "tail"): {53: 0.5, 63: 0.5},
    ("lip.B.L", "tail"): {55: 0.5, 65: 0.5},
    ("lip.T.L.001", "tail"): {54: 0.5, 64: 0.5},
    ("lid.T.L", "head"): {45: 1},
    ("lid.T.L.001", "tail"): {43: 0.5, 44: 0.5},
    ("lid.T.L.003", "tail"): {42: 1},
    ("lid.B.L.001", "tail"): {46: 0.5, 47: 0.5},
    ("brow.T.L.001", "head"): {26: 1},
    ("brow.T.L.002", "head"): {24: 1},
    ("brow.T.L.003", "head"): {22: 1},
    ("brow.B.L", "head"): {26: 0.5, 45: 0.5},
    ("brow.B.L.001", "tail"): {24: 0.6, 43: 0.2, 44: 0.2},
    ("brow.B.L.003", "tail"): {22: 0.5, 42: 0.5},
    ("nose.L.001", "head"): {35: 1},
    ("jaw.L.001", "tail"): {8: 0.5, 9: 0.5},
    ("jaw.L", "tail"): {12: 1},
    ("jaw.L", "head"): {15: 1},
}
#: Of the left side's landmarks those of the right side.
_MIRROR = {
    8: 8, 9: 7, 12: 4, 15: 1, 22: 21, 24: 19, 26: 17, 35: 31, 42: 39, 43: 38, 44: 37, 45: 36,
    46: 41, 47: 40, 53: 49, 54: 48, 55: 59, 63: 61, 64: 60, 65: 67,
}  # fmt: skip
#: Bones that are inside, or whose ends lie on an edge that the landmarks tell better.
_NOT_ON_SKIN = ("face", "eye", "teeth", "tongue", "lid", "lip")
#: Farther from the skin an end is none of it, metres.
_NEAR_M = 0.02

End = tuple[str, str]


def is_on() -> bool:
    """Whether Rigify is enabled."""
    return "rigify" in bpy.context.preferences.addons.keys()  # noqa: SIM118


def add_metarig(head: bpy.types.Object) -> bpy.types.Object:
    """A new armature with Rigify's face metarig on ``head`` at rest, where that is.

    ``head`` stays as it is; Rigify's Generate Rig makes the rig of it.  Raises :class:`ModelError`
    where Rigify is not enabled, or the head's landmarks are not known: of an earlier version.
    """
    if not is_on():
        raise ModelError("Rigify is not enabled; enable it in the preferences, under Add-ons.")
    anchors = anchors_on(head)
    data = bpy.data.armatures.new(f"{head.name} metarig")
    metarig = bpy.data.objects.new(data.name, data)
    (head.users_collection or [bpy.context.scene.collection])[0].objects.link(metarig)
    collection: Any = data.collections.new("Face")  # Rigify makes a button of it, and asks for one
    collection.rigify_ui_row = 1
    data.collections.active = collection
    with editing(metarig) as bones:
        bpy.ops.armature.metarig_sample_add(metarig_type=_SAMPLE)
        _carry(bones, anchors, _skin_of(head))
    metarig.matrix_world = head.matrix_world.copy()
    return metarig


def anchors_on(head: bpy.types.Object) -> dict[End, Float]:
    """(3,) m, where the ends of the sample's bones that are known are on ``head`` at rest.

    Raises as :func:`add_metarig`.
    """
    ids = list(head.get("landmark_vertices", ()))
    basis = points_of(head.data.shape_keys.key_blocks[0]).astype(np.float64)
    if len(ids) != 68 or max(ids) >= len(basis):
        raise ModelError(
            f"{head.name} does not tell its landmarks; press Fit Again, or reconstruct it anew."
        )
    points = basis[ids]
    out = {end: _mean(points, shares) for end, shares in _MIDDLE.items()}
    for (bone, end), shares in _LEFT.items():
        out[bone, end] = _mean(points, shares)
        other = {_MIRROR[index]: share for index, share in shares.items()}
        out[bone.replace(".L", ".R"), end] = _mean(points, other)
    joints = joints_of(shape_of(head), head.name)
    for side, letter in zip(SIDES, "LR", strict=True):
        if side in joints.eyes:
            out[f"eye.{letter}", "head"] = joints.eyes[side]
        ear = basis[read_group(head, f"ears.{letter}") > 0.5]
        if len(ear):
            out[f"ear.{letter}.001", "tail"] = ear[ear[:, 2].argmax()]
            out[f"ear.{letter}.003", "tail"] = ear[ear[:, 2].argmin()]
    return out


def _mean(points: Float, shares: Mapping[int, float]) -> Float:
    return np.average(points[list(shares)], axis=0, weights=list(shares.values()))


def _carry(bones: Any, anchors: Mapping[End, Float], skin: Any) -> None:
    """Move the edit ``bones`` of the sample to the head with ``anchors`` and ``skin``."""
    ends = {(bone.name, end): np.array(getattr(bone, end)) for bone in bones for end in _ENDS}
    known = [end for end in anchors if end in ends]
    warp = thin_plate(np.array([ends[e] for e in known]), np.array([anchors[e] for e in known]))
    there = dict(zip(ends, warp(np.array([*ends.values()])), strict=True))
    there |= {end: anchors[end] for end in known}
    # Ends that were one stay one: chains are connected by their places.
    for (name, end), place in there.items():
        if not name.startswith(_NOT_ON_SKIN) and (name, end) not in anchors:
            near, _, _, distance = skin.find_nearest(place.tolist(), _NEAR_M)
            if near is not None and distance is not None:
                there[name, end] = np.array(near)
    for bone in bones:
        bone.head, bone.tail = (there[bone.name, end].tolist() for end in _ENDS)
    for one, two in _joined(ends):
        setattr(bones[two[0]], two[1], getattr(bones[one[0]], one[1]))


_ENDS = ("head", "tail")


def _joined(ends: Mapping[End, NDArray]) -> Iterator[tuple[End, End]]:
    """Ends of the sample at the same place: the first of them, and each of the others."""
    first: dict[tuple[float, ...], End] = {}
    for end, place in ends.items():
        key = tuple(np.round(place, 4).tolist())
        if key in first:
            yield first[key], end
        first.setdefault(key, end)


def thin_plate(start: Float, end: Float) -> Any:
    """The map of (N, 3) points that takes ``start`` (A, 3) to ``end`` exactly and bends least."""
    count = len(start)
    distance = np.linalg.norm(start[:, None] - start[None], axis=-1)
    affine = np.column_stack([np.ones(count), start])
    system = np.block([[distance, affine], [affine.T, np.zeros((4, 4))]])
    found = np.linalg.solve(system, np.concatenate([end, np.zeros((4, 3))]))

    def warp(points: Float) -> Float:
        far = np.linalg.norm(points[:, None] - start[None], axis=-1)
        return far @ found[:count] + np.column_stack([np.ones(len(points)), points]) @ found[count:]

    return warp


def _skin_of(head: bpy.types.Object) -> Any:
    """The skin of ``head`` at rest."""
    mesh, shape = head.data, shape_of(head)
    assert isinstance(mesh, bpy.types.Mesh)
    skin = shape.part("skin")
    polygons = [tuple(p.vertices) for p in mesh.polygons if skin[p.vertices[0]]]
    return BVHTree.FromPolygons(shape.basis.tolist(), polygons)
