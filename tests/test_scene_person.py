"""A head of several photos in Blender: a camera for each, their landmarks and expressions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Matrix, Vector
from reconstruct_face.backend.errors import PhotoError
from reconstruct_face.backend.exchange import load_reconstruction, save_reconstruction
from reconstruct_face.backend.exchange.views import PERSONS_CORRECTED
from reconstruct_face.scene import landmarks, photo_cameras, photo_view
from reconstruct_face.scene.build import build_scene, head_scene_of
from reconstruct_face.scene.camera import background_of, view_of_photo
from reconstruct_face.scene.coordinates import to_blender
from reconstruct_face.scene.current import current_head
from reconstruct_face.scene.expression import (
    as_in_main_photo,
    fitted_values,
    follow_photo,
    set_values,
    values_of,
)
from reconstruct_face.scene.mesh import is_head, photo_count, photo_name
from reconstruct_face.scene.photo_source import photo_of_head
from reconstruct_face.scene.rig import remove_left_behind
from reconstruct_face.scene.update import update_head
from reconstruct_face.scene.verification import expression_changed

from tests.errors import raises
from tests.synthetic_reconstruction import make_person, make_reconstruction, project

PHOTOS = ("/p/front.jpg", "/p/side.jpg", "/p/back.jpg")


@pytest.fixture(autouse=True)
def _empty_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RECONSTRUCT_FACE_DATA", str(tmp_path / "data"))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def person(photos: tuple[str, ...] = PHOTOS):
    return make_person(photos, rows=12, columns=16)


def expressions(head: bpy.types.Object) -> np.ndarray:
    return np.array(list(values_of(head).values()))


def test_each_photo_has_a_camera_that_sees_the_head_as_it_does() -> None:
    made = person()
    built = build_scene(made)
    built.head.matrix_world = Matrix.Translation((0.3, 0.1, 0.0))
    scene = bpy.context.scene
    cameras = photo_cameras.cameras_of(built.head)
    assert [camera.name for camera in cameras] == ["front camera", "side camera", "back camera"]
    assert cameras == [built.camera, *built.view_cameras]
    assert head_scene_of(built.head) == built
    for number, camera in enumerate(cameras):
        seen = made.seen_in(number)
        assert camera.name in built.collection.objects
        assert background_of(camera).image.packed_file.data == seen.photo.tobytes()
        view_of_photo(seen).apply_to_render(scene.render)
        photo_cameras.align_to_head(camera, built.head)
        bpy.context.view_layer.update()
        for point in (3, 40, 170):
            corner = built.head.matrix_world @ Vector(to_blender(seen.vertices_posed[point]))
            x, y, _ = world_to_camera_view(scene, camera, corner)
            width, height = seen.image_size
            pixel = (x * width - 0.5, (1 - y) * height - 0.5)
            assert pixel == pytest.approx(
                project(seen, seen.vertices_posed[point][None])[0], abs=0.05
            )


def test_landmarks_and_corrections_are_each_photos_own_and_stay_in_the_file(tmp_path: Path) -> None:
    made = person()
    made.provenance[PERSONS_CORRECTED] = [None, [[3, 4.5, 6.0]], None]
    made = load_reconstruction(save_reconstruction(made, tmp_path / "p.npz"))
    build_scene(made)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    (head,) = [thing for thing in bpy.data.objects if is_head(thing)]
    assert [photo_name(head, n) for n in range(4)] == ["front.jpg", "side.jpg", "back.jpg", ""]
    assert [landmarks.corrected(head, n) for n in range(3)] == [[], [(3, 4.5, 6.0)], []]
    for number in range(3):
        seen = made.seen_in(number)
        assert np.array_equal(landmarks.fitted(head, number), seen.landmarks2d)
        assert list(fitted_values(head, number).values()) == pytest.approx(seen.expression)
        assert photo_of_head(head, number).read_bytes() == seen.photo.tobytes()
    assert landmarks.shown(head, 1)[3] == (4.5, 6.0) != landmarks.shown(head, 0)[3]
    landmarks.set_corrected(head, {}, 1)
    assert "landmarks_corrected_2" not in head
    with raises(PhotoError, "Replace Photo"):
        photo_of_head(head, 3)


def test_the_places_of_all_photos_are_known_in_another_session(tmp_path: Path) -> None:
    made = person()
    paths = [tmp_path / name for name in ("one.jpg", "two.jpg", "three.jpg")]
    for path in paths:
        path.write_bytes(b"x")
    views = [replace(v, photo_path=str(p)) for v, p in zip(made.views, paths[1:], strict=True)]
    head = build_scene(replace(made, photo_path=str(paths[0]), views=tuple(views))).head
    assert [photo_of_head(head, number) for number in range(3)] == paths
    assert str(tmp_path) not in str(dict(head.items()))


def test_the_expression_follows_the_photo_until_it_is_changed_by_hand() -> None:
    made = person()
    head = build_scene(made).head
    assert follow_photo(head, 2)
    assert expressions(head) == pytest.approx(made.views[1].expression, abs=1e-6)
    assert follow_photo(head, 0)
    assert expressions(head) == pytest.approx(made.expression, abs=1e-6)
    set_values(head, {"jawOpen": 0.77})
    assert not follow_photo(head, 1), "the user's own expression stays"
    assert values_of(head)["jawOpen"] == pytest.approx(0.77)
    set_values(head, fitted_values(head, 2))
    assert follow_photo(head, 1), "as a photo shows it, it is nobody's own"
    head.data.shape_keys.key_blocks["jawOpen"].keyframe_insert("value", frame=1)
    assert not follow_photo(head, 0), "what is animated is left alone"
    single = build_scene(make_reconstruction(rows=12, columns=16)).head
    assert not follow_photo(single, 0)


def test_a_verification_is_of_the_main_photo_whichever_is_shown() -> None:
    made = person()
    head = build_scene(made).head
    follow_photo(head, 2)
    assert not expression_changed(head)
    with as_in_main_photo(head):
        assert expressions(head) == pytest.approx(made.expression, abs=1e-6)
    assert expressions(head) == pytest.approx(made.views[1].expression, abs=1e-6)
    set_values(head, {"jawOpen": 0.77})
    assert expression_changed(head)
    with as_in_main_photo(head):
        assert values_of(head)["jawOpen"] == pytest.approx(0.77), "the user's own is verified"


def test_a_new_fit_keeps_each_photos_camera_whatever_its_number() -> None:
    head = build_scene(person()).head
    front, side, back = photo_cameras.cameras_of(head)
    side.name = "My profile"
    new = person(("/p/side.jpg", "/p/front.jpg", "/p/back.jpg"))
    update_head(head, new, bpy.context.scene)
    assert photo_cameras.cameras_of(head) == [side, front, back]
    assert side.name == "My profile"
    for number, camera in enumerate((side, front, back)):
        data = background_of(camera).image.packed_file.data
        assert data == new.seen_in(number).photo.tobytes()
    assert expressions(head) == pytest.approx(new.expression, abs=1e-6)


def test_a_photo_in_anothers_place_takes_its_camera_and_is_called_so() -> None:
    head = build_scene(person()).head
    cameras = photo_cameras.cameras_of(head)
    update_head(head, person(("/p/front.jpg", "/p/smile.jpg", "/p/back.jpg")), bpy.context.scene)
    assert photo_cameras.cameras_of(head) == cameras
    assert cameras[1].name == "smile camera"
    assert background_of(cameras[1]).image.name == "smile camera photo"


def test_what_is_left_out_of_a_new_fit_loses_its_camera_and_what_is_kept_of_it() -> None:
    head = build_scene(person()).head
    names = {kind: len(getattr(bpy.data, kind)) for kind in ("objects", "cameras", "images")}
    update_head(head, person(PHOTOS[:2]), bpy.context.scene)
    assert photo_count(head) == 2
    for kind, count in names.items():
        assert len(getattr(bpy.data, kind)) == count - 1
    assert not [name for name in head.keys() if name.endswith("_3")]  # noqa: SIM118
    update_head(head, person(), bpy.context.scene)
    assert photo_cameras.cameras_of(head)[2].name == "back camera"
    rig = head_scene_of(head).rig
    assert rig is not None and "camera_3" in rig


def test_a_camera_that_was_deleted_stays_so_and_its_photo_is_used() -> None:
    head = build_scene(person()).head
    bpy.data.objects.remove(photo_cameras.camera_for(head, 1))
    update_head(head, person(), bpy.context.scene)
    assert [camera is None for camera in photo_cameras.cameras_of(head)] == [False, True, False]
    assert photo_view.camera_of(head, 1) is None


def test_any_of_its_cameras_means_the_head_and_all_go_with_it() -> None:
    other = build_scene(make_reconstruction(rows=12, columns=16))
    kept = set(bpy.data.objects)
    one = build_scene(person()).head
    for number in range(3):
        bpy.context.view_layer.objects.active = photo_cameras.camera_for(one, number)
        assert current_head(bpy.context) == one
    bpy.data.objects.remove(one)
    assert remove_left_behind() == 1
    assert set(bpy.data.objects) == kept and other.camera in kept


@pytest.mark.parametrize(
    "old, new, expected",
    [
        (["a"], ["b"], [0]),
        (["a", "b"], ["b", "a"], [1, 0]),
        (["a", "b", "c"], ["a", "x", "c"], [0, 1, 2]),
        (["a", "b", "c"], ["c"], [2]),
        (["a"], ["a", "b"], [0, None]),
        (["a", "a"], ["a", "a", "a"], [0, 1, None]),
    ],
)
def test_whose_camera_a_photo_gets(old: list[str], new: list[str], expected: list) -> None:
    assert photo_cameras.counterparts(old, new) == expected
