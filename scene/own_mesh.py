"""ARKit's expressions on meshes that are not ours: mesh to arrays, landmarks, and keys back.

The active object has the face; other selected meshes, as eyes or teeth, go with it.  What is sent
is where the vertices are in the world, without modifiers, about the active object's origin.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from ..backend.bounded import Damaged, parse_json
from ..backend.errors import ModelError
from ..backend.exchange.own_mesh import LANDMARKS, UsersMesh, load_shapes
from ..backend.exchange.temporary import temporary_folder
from ..backend.exchange.wire import Progress
from . import jobs
from .backend_process import BackendProcess

Float = NDArray[np.float64]

#: Where the landmarks that are set by hand are on the default head, by iBUG's number: mm to its
#: left, up and forward of the middle between the eyes.
ON_A_HEAD = {
    36: (-45.0, 0.0, -12.0), 39: (-17.0, -1.0, 0.0), 42: (17.0, -1.0, 0.0), 45: (45.0, 0.0, -12.0),
    27: (0.0, 4.0, 10.0), 30: (0.0, -37.0, 32.0), 48: (-25.0, -70.0, 10.0), 54: (25.0, -70.0, 10.0),
    51: (0.0, -61.0, 23.0), 57: (0.0, -80.0, 20.0), 8: (0.0, -113.0, 8.0),
}  # fmt: skip
#: Of the height of a head, at which its eyes are, and that height in mm, for a first guess.
EYES_AT, HEAD_MM = 0.5, 230.0
#: A mesh so much higher than deep is a body, whose head is that part of it.
BODY, HEADS = 2.2, 7.5
#: Custom properties: of a landmark's empty, its number and its mesh; of a mesh, what was made.
LANDMARK, OF, MADE = "reconstruct_face_landmark", "reconstruct_face_of", "reconstruct_face_made"
#: What keys that are replaced are called until the new ones are kept.
BEFORE = " (before)"
#: Modifiers with which the mesh itself is not the face.
UNFINISHED = {"MIRROR": "Mirror", "SKIN": "Skin", "SCREW": "Screw"}


@dataclass(frozen=True, eq=False)
class Sent:
    """What was sent: objects by name, how many vertices each has, and the turn to the world."""

    names: tuple[str, ...]
    counts: tuple[int, ...]
    to_world: tuple[Float, ...]  #: (3, 3) each


def meshes_of(context: bpy.types.Context) -> list[bpy.types.Object]:
    """The active mesh, then the other selected ones.  Raises :class:`ModelError` if there is none
    that can be given keys."""
    active = context.active_object
    if active is None or active.type != "MESH":
        raise ModelError("No mesh is active; click the mesh that has the face.")
    found = [active]
    found += [one for one in context.selected_objects if one.type == "MESH" and one != active]
    for one in found:
        check(one)
    return found


def check(mesh: bpy.types.Object) -> None:
    """Raise :class:`ModelError` where ``mesh`` cannot be given shape keys."""
    data = cast(bpy.types.Mesh, mesh.data)
    if mesh.library is not None or data.library is not None or data.override_library is not None:
        raise ModelError(
            f"{mesh.name} is linked from another file and cannot be changed; make it local "
            "(Object > Relations > Make Local)."
        )
    if mesh.mode != "OBJECT":
        raise ModelError(f"{mesh.name} is in {mesh.mode.lower()} mode; leave it for object mode.")
    for modifier in mesh.modifiers:
        if modifier.type in UNFINISHED and modifier.show_viewport:
            raise ModelError(
                f"{mesh.name} has a {UNFINISHED[modifier.type]} modifier, without which it is no "
                "whole face; apply it first."
            )
    if data.shape_keys is not None and not data.shape_keys.use_relative:
        raise ModelError(f"The shape keys of {mesh.name} are absolute; make them relative.")
    if abs(mesh.matrix_world.to_3x3().determinant()) < 1e-18:
        raise ModelError(f"{mesh.name} is scaled to nothing along an axis.")


def arrays_of(meshes: Sequence[bpy.types.Object]) -> tuple[UsersMesh, Sent]:
    """``meshes`` as one, with the landmarks that are set on the first, and what is needed to put
    its shapes back."""
    origin = np.array(meshes[0].matrix_world.translation)
    points, triangles, turns, start = [], [], [], 0
    for mesh in meshes:
        at = np.array(mesh.matrix_world)
        local, corners = _geometry(cast(bpy.types.Mesh, mesh.data))
        points.append(local @ at[:3, :3].T + (at[:3, 3] - origin))
        if np.linalg.det(at[:3, :3]) < 0:
            corners = corners[:, ::-1]
        triangles.append(corners + start)
        turns.append(at[:3, :3])
        start += len(local)
    marks = landmarks_of(meshes[0])
    found = UsersMesh(
        np.concatenate(points),
        np.concatenate(triangles).astype(np.int32),
        np.array([place - origin for place in marks.values()]).reshape(-1, 3),
        np.array(list(marks), np.int32),
    )
    sent = Sent(tuple(one.name for one in meshes), tuple(len(p) for p in points), tuple(turns))
    return found, sent


def _geometry(data: bpy.types.Mesh) -> tuple[Float, NDArray[np.int32]]:
    """(V, 3) vertices at rest and (F, 3) triangles of a mesh's own data."""
    count = len(data.vertices)
    flat = np.empty(3 * count, np.float32)
    keys = data.shape_keys
    if keys is None:
        data.vertices.foreach_get("co", flat)
    else:
        keys.reference_key.data.foreach_get("co", flat)
    data.calc_loop_triangles()
    corners = np.empty(3 * len(data.loop_triangles), np.int32)
    data.loop_triangles.foreach_get("vertices", corners)
    return flat.reshape(-1, 3).astype(np.float64), corners.reshape(-1, 3)


# -- landmarks


def landmark_objects(mesh: bpy.types.Object) -> list[bpy.types.Object]:
    """The empties that mark the face of ``mesh``."""
    return [one for one in bpy.data.objects if LANDMARK in one and one.get(OF) == mesh]


def landmarks_of(mesh: bpy.types.Object) -> dict[int, Float]:
    """Where they are in the world, by iBUG's number, on the surface of ``mesh``."""
    layer = bpy.context.view_layer
    if layer is not None:
        layer.update()
    return {
        int(one[LANDMARK]): np.array(one.matrix_world.translation)
        for one in landmark_objects(mesh)
        if layer is None or one.name in layer.objects
    }


def place_landmarks(mesh: bpy.types.Object, points: NDArray | None = None) -> None:
    """Empties on the face of ``mesh``, each held to its surface, in place of those there are.

    ``points`` (68, 3) are in the world; without them they are put where a face may be, looking
    along -Y with Z up.
    """
    remove_landmarks(mesh)
    middle, unit = _guess(mesh)
    for name, number in LANDMARKS.items():
        if points is None:
            left, up, _ = ON_A_HEAD[number]
            place = _in_front(mesh, middle + unit * np.array([left, 0.0, up]), unit)
        else:
            place = np.asarray(points[number], np.float64)
        empty = bpy.data.objects.new(name, None)
        empty.empty_display_type, empty.empty_display_size = "SPHERE", 0.02 * HEAD_MM * unit
        empty.show_in_front = empty.show_name = True
        empty[LANDMARK], empty[OF] = number, mesh
        empty.location = Vector(place.tolist())
        hold = cast(Any, empty.constraints.new("SHRINKWRAP"))
        hold.name, hold.target, hold.shrinkwrap_type = "On the surface", mesh, "NEAREST_SURFACE"
        for collection in mesh.users_collection[:1]:
            collection.objects.link(empty)


def _guess(mesh: bpy.types.Object) -> tuple[Float, float]:
    """Between the eyes, in the world, and the world's units in a mm of the default head."""
    local, _ = _geometry(cast(bpy.types.Mesh, mesh.data))
    at = np.array(mesh.matrix_world)
    points = local @ at[:3, :3].T + at[:3, 3]
    low, high = points.min(axis=0), points.max(axis=0)
    height = float(high[2] - low[2])
    if height > BODY * (high[1] - low[1]):
        height /= HEADS
    head = points[points[:, 2] > high[2] - height]
    across = np.median(head[:, 0])
    front = head[np.abs(head[:, 0] - across) < 0.4 * height, 1].min(initial=high[1])
    middle = np.array([across, front, high[2] - EYES_AT * height])
    return middle, max(height, 1e-9) / HEAD_MM


def _in_front(mesh: bpy.types.Object, place: Float, unit: float) -> Float:
    """Where the mesh is met from before ``place`` along the world's Y; ``place`` if it is not."""
    inverse = mesh.matrix_world.inverted()
    start = inverse @ Vector((place - [0.0, HEAD_MM * unit, 0.0]).tolist())
    hit, where, _, _ = mesh.ray_cast(start, inverse.to_3x3() @ Vector((0.0, 1.0, 0.0)))
    return np.array(mesh.matrix_world @ where) if hit else place


def remove_landmarks(mesh: bpy.types.Object) -> None:
    """Take its empties away."""
    for one in landmark_objects(mesh):
        bpy.data.objects.remove(one)


# -- requests


def start_landmarks(meshes: Sequence[bpy.types.Object]) -> jobs.Job[Float]:
    """Have the landmarks of the face of ``meshes`` found: (68, 3) in the world."""
    mesh, _ = arrays_of(meshes)
    origin = np.array(meshes[0].matrix_world.translation)

    def work(backend: BackendProcess, progress: Progress, cancelled: threading.Event) -> Float:
        with temporary_folder() as folder:
            file = mesh.save(Path(folder, "mesh.npz"))
            found = backend.mesh_landmarks(file, progress=progress, cancelled=cancelled)
        return np.array(found, np.float64) + origin

    return jobs.submit(work)


def start_expressions(meshes: Sequence[bpy.types.Object]) -> tuple[jobs.Job[dict[str, Any]], Sent]:
    """Have ARKit's shapes made for ``meshes``; the result is for :func:`add_keys`."""
    mesh, sent = arrays_of(meshes)
    kept = ExitStack()

    def work(
        backend: BackendProcess, progress: Progress, cancelled: threading.Event
    ) -> dict[str, Any]:
        with kept:
            folder = Path(kept.enter_context(temporary_folder()))
            file = mesh.save(folder / "mesh.npz")
            out = folder / "shapes.npz"
            result = backend.mesh_expressions(file, out, progress=progress, cancelled=cancelled)
            shapes, _ = load_shapes(result["shapes"])
            return result | {"shapes": shapes}

    return jobs.submit(work), sent


# -- keys


def check_names(meshes: Iterable[bpy.types.Object], names: Iterable[str], replace: bool) -> None:
    """Raise :class:`ModelError` where ``meshes`` have keys of these ``names`` that are to stay."""
    wanted = set(names)
    for mesh in meshes:
        keys = cast(bpy.types.Mesh, mesh.data).shape_keys
        there = sorted(wanted & {key.name for key in keys.key_blocks}) if keys is not None else []
        there = [name for name in there if name not in (made(mesh) or {}).get("keys", [])]
        if there and not replace:
            more = f" and {len(there) - 1} more" if there[1:] else ""
            raise ModelError(
                f"{mesh.name} has a shape key {there[0]}{more} already; rename it, or turn on "
                "Replace Keys of the Same Name."
            )


def add_keys(result: dict[str, Any], sent: Sent, *, replace: bool = False) -> bpy.types.Object:
    """Give the meshes that were ``sent`` the shapes of ``result``; the first one, with all of them.

    The others get those that move them, driven by the first one's.  Keys of the same names are kept
    under another name until :func:`keep`.  Raises :class:`ModelError`, before anything is changed,
    where a mesh is gone or was changed meanwhile, or has such keys and is not to be ``replace``d.
    """
    meshes = [
        _still_there(name, count) for name, count in zip(sent.names, sent.counts, strict=True)
    ]
    names, shapes = result["names"], result["shapes"]
    if shapes.shape != (len(names), sum(sent.counts), 3):
        raise ModelError(f"The backend answered with shapes {shapes.shape}; please report it.")
    check_names(meshes, names, replace)
    start = 0
    for mesh, count, turn in zip(meshes, sent.counts, sent.to_world, strict=True):
        mine = shapes[:, start : start + count].astype(np.float64) @ np.linalg.inv(turn).T
        start += count
        moving = [mesh is meshes[0] or bool(np.abs(shape).max(initial=0) > 0) for shape in mine]
        _write(mesh, [(n, s) for n, s, moves in zip(names, mine, moving, strict=True) if moves])
        if mesh is not meshes[0]:
            _drive(mesh, meshes[0], names)
    about = {key: result[key] for key in ("fit_mm", "covered", "notes")}
    for mesh in meshes:
        known = made(mesh)
        assert known is not None
        mesh[MADE] = json.dumps(known | about | {"with": [one.name for one in meshes]})
    return meshes[0]


def mesh_named(name: str) -> bpy.types.Object:
    """The mesh of this name, which can still be changed.  Raises :class:`ModelError`."""
    mesh = bpy.data.objects.get(name)
    if mesh is None or mesh.type != "MESH":
        raise ModelError(f"{name} is gone; nothing was changed.")
    check(mesh)
    return mesh


def _still_there(name: str, count: int) -> bpy.types.Object:
    mesh = mesh_named(name)
    now = len(cast(bpy.types.Mesh, mesh.data).vertices)
    if now != count:
        raise ModelError(
            f"{name} had {count:,} vertices when its expressions were asked for and has {now:,} "
            "now; make them again."
        )
    return mesh


def _write(mesh: bpy.types.Object, shapes: Sequence[tuple[str, Float]]) -> None:
    """Keys of ``shapes`` (V, 3), by name, in the mesh's own axes."""
    discard(mesh)
    data = cast(bpy.types.Mesh, mesh.data)
    fresh = data.shape_keys is None
    if fresh:
        mesh.shape_key_add(name="Basis", from_mix=False)
    assert data.shape_keys is not None
    rest, _ = _geometry(data)
    blocks, replaced = data.shape_keys.key_blocks, []
    for name, shape in shapes:
        old = blocks.get(name)
        if old is not None:
            old.name, old.mute = name + BEFORE, True
            replaced.append(old.name)
        key = mesh.shape_key_add(name=name, from_mix=False)
        key.slider_min, key.slider_max = 0.0, 1.0
        key.data.foreach_set("co", (rest + shape).astype(np.float32).ravel())
    made_keys = [name for name, _ in shapes]
    mesh[MADE] = json.dumps({"keys": made_keys, "replaced": replaced, "basis": fresh})
    data.update()


def _drive(mesh: bpy.types.Object, face: bpy.types.Object, names: Sequence[str]) -> None:
    """Keys of ``mesh`` follow those of the same ``names`` of ``face``."""
    keys = cast(bpy.types.Mesh, mesh.data).shape_keys
    source = cast(bpy.types.Mesh, face.data).shape_keys
    if keys is None:
        return
    for name in names:
        if name not in keys.key_blocks:
            continue
        curve = keys.key_blocks[name].driver_add("value")
        driver = cast(bpy.types.FCurve, curve).driver
        assert driver is not None
        driver.type = "AVERAGE"
        variable = driver.variables.new()
        target = variable.targets[0]
        target.id_type, target.id = "KEY", source
        target.data_path = f'key_blocks["{name}"].value'


def made(mesh: bpy.types.Object) -> dict[str, Any] | None:
    """What was made for ``mesh`` and is neither kept nor discarded; None: nothing."""
    text = mesh.get(MADE)
    if not isinstance(text, str):
        return None
    try:
        found = parse_json(text)
    except Damaged:  # by another program
        return None
    lists = ("keys", "replaced", "notes", "with")
    whole = isinstance(found, dict) and "keys" in found
    return found if whole and all(_texts(found.get(name, [])) for name in lists) else None


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def together(mesh: bpy.types.Object) -> list[bpy.types.Object]:
    """The meshes that got their keys with ``mesh``."""
    names = (made(mesh) or {}).get("with", [mesh.name])
    found = [bpy.data.objects.get(str(name)) for name in names]
    return [one for one in found if one is not None and one.type == "MESH"]


def try_out(mesh: bpy.types.Object, weights: dict[str, float]) -> None:
    """Show ``weights`` by name, all other keys that were made at rest."""
    known, keys = made(mesh), cast(bpy.types.Mesh, mesh.data).shape_keys
    if known is None or keys is None:
        return
    for name in known["keys"]:
        if name in keys.key_blocks:
            keys.key_blocks[name].value = weights.get(name, 0.0)


def keep(mesh: bpy.types.Object) -> None:
    """The keys that were made stay; those that they replace go."""
    for one in together(mesh):
        known = made(one)
        if known is None:
            continue
        try_out(one, {})
        keys = cast(bpy.types.Mesh, one.data).shape_keys
        for name in known.get("replaced", []):
            if keys is not None and name in keys.key_blocks:
                one.shape_key_remove(keys.key_blocks[name])
        del one[MADE]
    remove_landmarks(mesh)


def discard(mesh: bpy.types.Object) -> None:
    """The keys that were made go; those that they replaced come back."""
    for one in together(mesh):
        known, data = made(one), cast(bpy.types.Mesh, one.data)
        if known is None:
            continue
        del one[MADE]
        if data.shape_keys is None:
            continue
        for name in known["keys"]:
            if name in data.shape_keys.key_blocks:
                key = data.shape_keys.key_blocks[name]
                key.driver_remove("value")
                one.shape_key_remove(key)
        for name in known.get("replaced", []):
            if name in data.shape_keys.key_blocks:
                old = data.shape_keys.key_blocks[name]
                old.name, old.mute = name.removesuffix(BEFORE), False
        if known.get("basis") and len(data.shape_keys.key_blocks) == 1:
            one.shape_key_clear()
