"""The turntable: what it adds, how it turns, and that nothing is left of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
import cv2
import numpy as np
import pytest
from mathutils import Vector
from reconstruct_face.scene.build import HeadScene, build_scene, prepare_file
from reconstruct_face.scene.turntable import add_turntable, remove_turntable, turntable_of

from tests.add_on import registered
from tests.synthetic_reconstruction import make_reconstruction


@pytest.fixture
def built() -> HeadScene:
    made = make_reconstruction(rows=20, columns=30)
    prepare_file(made)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 40
    return build_scene(made, set_active=True)


def camera_at(frame: float) -> tuple[np.ndarray, np.ndarray]:
    """Place of the scene's camera, and where it looks to."""
    scene = bpy.context.scene
    scene.frame_set(int(frame))
    matrix = scene.camera.matrix_world
    return np.array(matrix.translation), np.array(matrix.to_3x3() @ Vector((0, 0, -1)))


def test_one_turn_over_the_scenes_frames_begins_at_the_face(built: HeadScene) -> None:
    built.head.location = (0.4, -0.2, 1.5)
    built.head.rotation_euler = (0, 0, np.radians(30))
    bpy.context.view_layer.update()
    pivot = add_turntable(built.head, bpy.context.scene)
    bpy.context.view_layer.update()
    middle = np.array(pivot.location)
    place, looks = camera_at(1)
    front = np.array([np.sin(np.radians(30)), -np.cos(np.radians(30)), 0])
    away = (place - middle) / np.linalg.norm(place - middle)
    assert np.allclose(away, front, atol=1e-3)
    assert np.allclose(looks, -away, atol=1e-5)
    quarter, _ = camera_at(11)
    assert abs((quarter - middle) @ front) < 1e-3
    # The camera goes to the head's right, so the face turns to the picture's right.
    assert (quarter - middle) @ np.cross([0, 0, 1], front) < -0.3
    assert np.allclose(camera_at(41)[0], place, atol=1e-4)  # after the last frame comes the first
    assert np.allclose(camera_at(51)[0], quarter, atol=1e-4)
    assert not np.allclose(camera_at(40)[0], place, atol=1e-3)


def test_the_head_is_in_the_picture_and_lit_by_its_lamps_alone(
    built: HeadScene, tmp_path: Path
) -> None:
    scene = bpy.context.scene
    add_turntable(built.head, scene)
    assert all(light.hide_render for light in built.lights)
    scene.render.resolution_x = scene.render.resolution_y = 64
    scene.cycles.samples, scene.cycles.use_denoising = 4, False
    scene.render.filepath = str(tmp_path / "turn.png")
    scene.frame_set(1)
    bpy.ops.render.render(write_still=True)
    picture = cv2.imread(str(tmp_path / "turn.png"), cv2.IMREAD_UNCHANGED)
    head = picture[..., 3] > 127
    rows, columns = np.flatnonzero(head.any(axis=1)), np.flatnonzero(head.any(axis=0))
    assert rows[0] > 2 and rows[-1] < 61 and columns[0] > 2 and columns[-1] < 61
    assert np.ptp(rows) > 35
    assert abs((columns[0] + columns[-1]) / 2 - 31.5) < 3
    assert 60 < picture[head][:, :3].mean() < 235


def test_nothing_is_left_when_it_is_taken_away(built: HeadScene) -> None:
    scene = bpy.context.scene
    built.lights[0].hide_render = True  # the user's choice
    kinds = ("objects", "cameras", "lights", "collections", "actions")
    before = {kind: {thing.name for thing in getattr(bpy.data, kind)} for kind in kinds}
    camera = scene.camera
    pivot = add_turntable(built.head, scene)
    assert scene.camera != camera and turntable_of(built.head) == pivot
    assert add_turntable(built.head, scene) == pivot  # not a second one
    remove_turntable(built.head, scene)
    assert scene.camera == camera and turntable_of(built.head) is None
    assert before == {kind: {thing.name for thing in getattr(bpy.data, kind)} for kind in kinds}
    assert [light.hide_render for light in built.lights] == [True] + [False] * (
        len(built.lights) - 1
    )


def test_one_that_was_deleted_by_hand_is_made_anew(built: HeadScene) -> None:
    scene = bpy.context.scene
    pivot = add_turntable(built.head, scene)
    for thing in [*pivot.children, pivot]:
        bpy.data.objects.remove(thing)
    assert turntable_of(built.head) is None
    remove_turntable(built.head, scene)
    assert turntable_of(built.head) is None
    again = add_turntable(built.head, scene)
    assert turntable_of(built.head) == again
    assert scene.camera in again.children[:]
    remove_turntable(built.head, scene)
    assert not any(light.hide_render for light in built.lights)


@pytest.fixture
def _add_on() -> Iterator[None]:
    with registered():
        yield


@pytest.mark.usefixtures("_add_on")
def test_the_button_switches_it() -> None:
    made = make_reconstruction(rows=20, columns=30)
    head = build_scene(made, set_active=True).head
    assert bpy.ops.reconstruct_face.turntable() == {"FINISHED"}
    assert turntable_of(head) is not None
    assert bpy.ops.reconstruct_face.turntable() == {"FINISHED"}
    assert turntable_of(head) is None
