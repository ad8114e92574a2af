"""A turntable: a camera and three lights that go round a head, as its photo's light does not.

Camera and lights hang on one empty that turns, so the head seems to turn before them and nothing of
the head itself is touched.  The photo's own lights are hidden while it is there.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Vector

from .actions import curves_on
from .build import head_scene_of
from .camera import SENSOR_MM
from .light import light_only

#: Custom properties of a head: the empty that turns, and which of its photo's lights are hidden for
#: it, which outlives an empty that was deleted by hand; of the empty: the scene's camera before.
TURNTABLE, _HIDDEN = "turntable", "turntable_hidden_lights"
_CAMERA = "camera before"

#: A portrait lens, and how much larger than the head the picture is.
LENS_MM, MARGIN = 85.0, 1.35


@dataclass(frozen=True)
class Lamp:
    """A soft box."""

    name: str
    degrees: tuple[float, float]  #: to the camera's right of the face's front, and up
    watts: float
    metres: float  #: diameter
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)


#: The three of portrait photography, a metre away.  The key stands high enough for its reflection
#: to lie above the pupil; watts by eye, for skin to come out as in its texture at exposure 0.
LAMPS = (
    Lamp("key", (-40.0, 38.0), 17.0, 0.35, (1.0, 0.96, 0.91)),
    Lamp("fill", (50.0, 8.0), 5.0, 0.9, (0.92, 0.96, 1.0)),
    Lamp("rim", (150.0, 35.0), 16.0, 0.4),
)
_DISTANCE_M = 1.0


def turntable_of(head: bpy.types.Object) -> bpy.types.Object | None:
    """The empty of the turntable of ``head``; None where there is none, or it was deleted."""
    pivot = head.get(TURNTABLE)
    return pivot if isinstance(pivot, bpy.types.Object) and pivot.users_collection else None


def add_turntable(head: bpy.types.Object, scene: bpy.types.Scene) -> bpy.types.Object:
    """Put ``head`` on a turntable and return the empty that turns; the one there is, if there is.

    One turn takes the scene's frames, and goes on after them.  The scene's camera becomes the
    turntable's, the lights of the head's photo are hidden; :func:`remove_turntable` puts both back.
    """
    there = turntable_of(head)
    if there is not None:
        return there
    surroundings = head_scene_of(head)
    collection = bpy.data.collections.new(f"{head.name} turntable")
    scene.collection.children.link(collection)
    middle, size = _bounds(head)
    pivot = bpy.data.objects.new(f"{head.name} turntable", None)
    pivot.empty_display_type, pivot.empty_display_size = "CIRCLE", size / 2
    camera = _camera(f"{head.name} turntable camera", size)
    lamps = [_lamp(lamp, f"{head.name} turntable {lamp.name}") for lamp in LAMPS]
    for thing in (pivot, camera, *lamps):
        collection.objects.link(thing)
        if thing != pivot:
            thing.parent = pivot
    light_only(lamps, surroundings.collection)
    pivot.location = middle
    front = head.matrix_world.to_3x3() @ Vector((0.0, -1.0, 0.0))
    _turn(pivot, float(np.arctan2(front.x, -front.y)), scene)
    pivot[_CAMERA] = scene.camera
    shown = [light for light in surroundings.lights if not light.hide_render]
    head[_HIDDEN] = [*head.get(_HIDDEN, ()), *(light.name for light in shown)]
    for light in shown:
        light.hide_render = light.hide_viewport = True
    scene.camera = camera
    head[TURNTABLE] = pivot
    return pivot


def remove_turntable(head: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """Take the turntable of ``head`` away, if there is one, and put back what it replaced."""
    pivot = turntable_of(head)
    for light in head_scene_of(head).lights:
        if light.name in head.get(_HIDDEN, ()):
            light.hide_render = light.hide_viewport = False
    for name in (TURNTABLE, _HIDDEN):
        if name in head:
            del head[name]
    if pivot is None:
        return
    things = [pivot, *pivot.children]
    if scene.camera in things:
        scene.camera = pivot.get(_CAMERA)
    collections = list(pivot.users_collection)
    data = [thing.data for thing in things if thing.data is not None]
    moved = pivot.animation_data.action if pivot.animation_data else None
    bpy.data.batch_remove(things)
    bpy.data.batch_remove([one for one in (*data, moved) if one is not None and one.users == 0])
    for collection in collections:
        if collection in bpy.data.collections[:] and not collection.all_objects[:]:
            bpy.data.collections.remove(collection)


def _bounds(head: bpy.types.Object) -> tuple[Vector, float]:
    """The middle of ``head`` in the world and its largest side, metres."""
    corners = np.array([head.matrix_world @ Vector(corner) for corner in head.bound_box])
    low, high = corners.min(axis=0), corners.max(axis=0)
    return Vector(((low + high) / 2).tolist()), float((high - low).max())


def _camera(name: str, size: float) -> bpy.types.Object:
    """A camera in front of the face that holds all of a head of ``size`` metres."""
    data = bpy.data.cameras.new(name)
    data.lens, data.sensor_width, data.sensor_fit = LENS_MM, SENSOR_MM, "AUTO"
    camera = bpy.data.objects.new(name, data)
    camera.location = (0.0, -MARGIN * size * LENS_MM / SENSOR_MM, 0.0)
    camera.rotation_euler = (np.pi / 2, 0.0, 0.0)
    return camera


def _lamp(lamp: Lamp, name: str) -> bpy.types.Object:
    data = bpy.data.lights.new(name, "AREA")
    data.shape = "DISK"  # round in the eyes
    data.energy, data.size, data.color = lamp.watts, lamp.metres, lamp.colour
    light = bpy.data.objects.new(name, data)
    aside, up = np.radians(lamp.degrees)
    towards = Vector((np.sin(aside) * np.cos(up), -np.cos(aside) * np.cos(up), np.sin(up)))
    light.location = towards * _DISTANCE_M
    light.rotation_euler = towards.to_track_quat("Z", "Y").to_euler()
    return light


def _turn(pivot: bpy.types.Object, start: float, scene: bpy.types.Scene) -> None:
    """One even turn of ``pivot`` from the angle ``start`` over the scene's frames, again and
    again; the face turns to its own left first."""
    for frame, angle in ((scene.frame_start, start), (scene.frame_end + 1, start - 2 * np.pi)):
        pivot.rotation_euler = (0.0, 0.0, angle)
        pivot.keyframe_insert("rotation_euler", index=2, frame=frame)
    for curve in curves_on(pivot):
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"
        repeat = curve.modifiers.new("CYCLES")
        repeat.mode_before = repeat.mode_after = "REPEAT_OFFSET"
