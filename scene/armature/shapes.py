"""What bones look like: wire meshes, in metres, that are in no collection.  Rigs share them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

#: Custom property that marks a bone's shape of ours: its name.
TAG = "reconstruct_face_bone_shape"
#: The height of a label's letters, and from the box down to their middle.
_LETTER_M, _BELOW_M = 0.0085, 0.0115
_CORNERS = 24

Wire = tuple[NDArray[np.float64], list[tuple[int, int]]]


def circle(name: str, radius: float, axis: int) -> bpy.types.Object:
    """A circle of ``radius`` about ``axis`` of the bone."""
    return _shared(name, lambda: _circle(radius, axis))


def sphere(name: str, radius: float) -> bpy.types.Object:
    """Three circles of ``radius``."""
    return _shared(name, lambda: _together([_circle(radius, axis) for axis in range(3)]))


def box(
    name: str,
    low: tuple[float, float],
    high: tuple[float, float],
    label: str,
    *,
    crossed: bool = True,
) -> bpy.types.Object:
    """A rectangle in x and y from ``low`` to ``high``, the lines of zero ``crossed`` in it, and
    ``label`` below."""
    return _shared(name, lambda: _box(low, high, label, crossed))


def is_shape(thing: bpy.types.Object) -> bool:
    """Whether ``thing`` is a bone's shape of ours."""
    return TAG in thing


def _circle(radius: float, axis: int) -> Wire:
    angle = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
    points = np.zeros((_CORNERS, 3))
    points[:, (axis + 1) % 3] = radius * np.cos(angle)
    points[:, (axis + 2) % 3] = radius * np.sin(angle)
    return points, _ring(_CORNERS)


def _box(low: tuple[float, float], high: tuple[float, float], label: str, crossed: bool) -> Wire:
    (x0, y0), (x1, y1) = low, high
    points = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    lines = _ring(4)
    if crossed:
        for first, second in (((x0, 0.0), (x1, 0.0)), ((0.0, y0), (0.0, y1))):
            lines.append((len(points), len(points) + 1))
            points += [first, second]
    frame = np.column_stack([np.array(points, np.float64), np.zeros(len(points))])
    if not label:
        return frame, lines
    letters, strokes = _letters(label)
    letters[:, :2] += ((x0 + x1) / 2, y0 - _BELOW_M)
    return _together([(frame, lines), (letters, strokes)])


def _ring(count: int) -> list[tuple[int, int]]:
    return [(k, (k + 1) % count) for k in range(count)]


def _together(parts: list[Wire]) -> Wire:
    lines, first = [], 0
    for points, own in parts:
        lines += [(a + first, b + first) for a, b in own]
        first += len(points)
    return np.concatenate([points for points, _ in parts]), lines


def _letters(text: str) -> Wire:
    """The outlines of ``text`` in Blender's own font, its middle at the origin."""
    curve: Any = bpy.data.curves.new("label", "FONT")
    curve.body, curve.align_x, curve.align_y = text, "CENTER", "CENTER"
    curve.resolution_u, curve.size = 2, _LETTER_M
    thing = bpy.data.objects.new("label", curve)
    try:
        mesh = thing.to_mesh()
        points = np.empty(3 * len(mesh.vertices))
        mesh.vertices.foreach_get("co", points)
        sides = np.empty(len(mesh.loops), np.int32)
        mesh.loops.foreach_get("edge_index", sides)
        outer = np.flatnonzero(np.bincount(sides, minlength=len(mesh.edges)) < 2)
        ends = np.empty(2 * len(mesh.edges), np.int32)
        mesh.edges.foreach_get("vertices", ends)
        return points.reshape(-1, 3), [(int(a), int(b)) for a, b in ends.reshape(-1, 2)[outer]]
    finally:
        thing.to_mesh_clear()
        bpy.data.objects.remove(thing)
        bpy.data.curves.remove(curve)


def _shared(name: str, make: Callable[[], Wire]) -> bpy.types.Object:
    """The shape ``name`` of this file, made where it is not there yet."""
    for thing in bpy.data.objects:
        if thing.get(TAG) == name and thing.library is None:
            return thing
    points, lines = make()
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points.tolist(), lines, [])
    thing = bpy.data.objects.new(name, mesh)
    thing[TAG] = name
    return thing
