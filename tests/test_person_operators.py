"""Several photos of one person in the sidebar, against the fake backend."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest
from reconstruct_face.backend.errors import OptionError
from reconstruct_face.backend.exchange.views import MOST_PHOTOS
from reconstruct_face.operators import settings as settings_module
from reconstruct_face.operators import strings
from reconstruct_face.operators.session import SESSION
from reconstruct_face.scene import api, jobs, landmarks, photo_cameras
from reconstruct_face.scene.backend_process import BackendProcess, photos_by_name
from reconstruct_face.scene.build import build_scene
from reconstruct_face.scene.export import export_head
from reconstruct_face.scene.mesh import about, is_head, left_out, photo_names

from tests.add_on import FAKE, registered
from tests.errors import raises
from tests.synthetic_reconstruction import make_reconstruction


@pytest.fixture(autouse=True)
def _add_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The add-on in an empty file, its backend the fake one; faces are not looked for."""
    monkeypatch.setenv("RECONSTRUCT_FACE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(SESSION, "look_at", lambda *_args, **_named: None)
    with registered():
        yield


@pytest.fixture
def photos(tmp_path: Path, astronaut: Path) -> list[Path]:
    names = ("front.jpg", "side.jpg", "best.jpg")
    return [Path(shutil.copy(astronaut, tmp_path / name)) for name in names]


def settings() -> settings_module.FaceSettings:
    return bpy.context.scene.reconstruct_face


def names() -> list[str]:
    return [os.path.basename(path) for path in settings().photos()]


def choose(photos: list[Path]) -> None:
    bpy.ops.reconstruct_face.add_photos(
        directory=str(photos[0].parent), files=[{"name": photo.name} for photo in photos]
    )


def the_head() -> bpy.types.Object:
    (head,) = [thing for thing in bpy.data.objects if is_head(thing)]
    return head


def asked(head: bpy.types.Object) -> dict:
    return about(head)["provenance"]["asked"]


def test_photos_are_put_into_the_list_once_each(photos: list[Path]) -> None:
    choose(photos[:2])
    choose(photos)
    assert names() == ["front.jpg", "side.jpg", "best.jpg"]
    assert settings().photo == str(photos[0]) and len(settings().further) == 2
    bpy.ops.reconstruct_face.add_photos(filepath=str(photos[0].with_name("alone.jpg")))
    assert names()[-1] == "alone.jpg"
    with raises(RuntimeError, strings.CHOOSE_PHOTO):
        bpy.ops.reconstruct_face.add_photos(filepath=str(photos[0].parent))


def test_no_more_photos_than_a_person_has(photos: list[Path]) -> None:
    choose([photos[0].with_name(f"{n}.jpg") for n in range(MOST_PHOTOS + 5)])
    assert len(names()) == MOST_PHOTOS


def test_the_lists_order_can_be_changed(photos: list[Path]) -> None:
    choose(photos)
    settings().further_index = 1
    bpy.ops.reconstruct_face.move_photo(step=-1)
    assert names() == ["front.jpg", "best.jpg", "side.jpg"] and settings().further_index == 0
    bpy.ops.reconstruct_face.move_photo(step=-1)
    assert names() == ["best.jpg", "front.jpg", "side.jpg"]
    settings().further_index = 1
    bpy.ops.reconstruct_face.move_photo(step=1)
    assert names() == ["best.jpg", "front.jpg", "side.jpg"], "there is no place below the last"
    bpy.ops.reconstruct_face.remove_photo()
    assert names() == ["best.jpg", "front.jpg"] and settings().further_index == 0
    bpy.ops.reconstruct_face.clear_photos()
    assert names() == ["best.jpg"]
    assert not bpy.ops.reconstruct_face.remove_photo.poll()


def test_several_dropped_pictures_are_one_person_and_one_alone_begins_anew(
    photos: list[Path],
) -> None:
    files = [{"name": photo.name} for photo in photos]
    bpy.ops.reconstruct_face.drop_photo(directory=str(photos[0].parent), files=files)
    assert names() == ["front.jpg", "side.jpg", "best.jpg"]
    bpy.ops.reconstruct_face.drop_photo(directory=str(photos[0].parent), files=files[1:2])
    assert names() == ["side.jpg"]


def test_several_files_chosen_at_once_are_one_person(photos: list[Path]) -> None:
    files = [{"name": photo.name} for photo in photos]
    folder = str(photos[0].parent)
    bpy.ops.reconstruct_face.choose_photo(directory=folder, files=files)
    assert names() == ["front.jpg", "side.jpg", "best.jpg"]
    bpy.ops.reconstruct_face.choose_photo(filepath=str(photos[2]))
    assert names() == ["best.jpg", "side.jpg"], "the list stays, and none of it counts twice"
    bpy.ops.reconstruct_face.choose_photo(directory=folder, files=files[:2])
    assert names() == ["front.jpg", "side.jpg"]


def test_one_head_is_made_from_all_and_the_list_says_which_were_used(
    photos: list[Path], tmp_path: Path
) -> None:
    bob, cat = tmp_path / "stranger.jpg", tmp_path / "none.jpg"
    for path in (bob, cat):
        shutil.copy(photos[0], path)
    choose([photos[0], bob, *photos[1:], cat])
    assert bpy.ops.reconstruct_face.reconstruct() == {"FINISHED"}
    head = the_head()
    assert photo_names(head) == ["best.jpg", "front.jpg", "side.jpg"]
    assert head.name == "best"
    states = {os.path.basename(item.path): item.state for item in settings().further}
    assert states == {
        "stranger.jpg": "LEFT_OUT", "side.jpg": "USED", "best.jpg": "USED", "none.jpg": "LEFT_OUT",
    }  # fmt: skip
    told = [item.told for item in settings().further if item.told]
    assert len(told) == 2 and "another person" in told[0] and "No face" in told[1]
    assert settings().photo_told == ""
    settings().photo = str(bob)
    bpy.ops.reconstruct_face.reconstruct()
    assert "another person" in settings().photo_told
    settings().photo = str(photos[0])
    assert settings().photo_told == "", "another photo has no sentence yet"


def test_without_further_photos_it_is_as_before(photos: list[Path]) -> None:
    settings().further.add().path = str(photos[1])
    assert bpy.ops.reconstruct_face.reconstruct() == {"FINISHED"}
    assert (
        about(the_head())["photo"] == "side.jpg" and "asked" not in about(the_head())["provenance"]
    )
    settings().photo = str(photos[0])
    bpy.ops.reconstruct_face.reconstruct(filepath=str(photos[0]))
    assert photo_names(bpy.context.active_object) == ["front.jpg"], "the photo that was given alone"


def test_nothing_is_made_of_photos_without_a_face(tmp_path: Path, astronaut: Path) -> None:
    choose([Path(shutil.copy(astronaut, tmp_path / f"none{n}.jpg")) for n in range(2)])
    with raises(RuntimeError, "No face was found"):
        bpy.ops.reconstruct_face.reconstruct()
    assert not bpy.data.objects
    assert {item.state for item in settings().further} == {"NEW"}


def test_fitting_again_takes_all_photos_with_each_ones_landmarks(photos: list[Path]) -> None:
    choose(photos)
    bpy.ops.reconstruct_face.reconstruct()
    head = the_head()
    assert photo_names(head) == ["best.jpg", "front.jpg", "side.jpg"]
    landmarks.set_corrected(head, {3: (4.5, 6.0)}, 2)
    head.location = (1.0, 2.0, 3.0)
    cameras = photo_cameras.cameras_of(head)
    assert bpy.ops.reconstruct_face.refit() == {"FINISHED"}
    assert asked(head) == {"photos": 3, "corrected": [None, None, [[3, 4.5, 6.0]]]}
    assert landmarks.corrected(head, 2) == [(3, 4.5, 6.0)]
    assert photo_cameras.cameras_of(head) == cameras
    assert tuple(head.location) == (1.0, 2.0, 3.0)


def test_corrections_follow_their_photo_to_another_number(photos: list[Path]) -> None:
    head = api.reconstruct_person(photos[:2], corrected=[None, [[5, 1.0, 2.0]]])
    assert landmarks.corrected(head, 1) == [(5, 1.0, 2.0)]
    bpy.context.view_layer.objects.active = head
    photo_cameras.set_shown(head, 0)
    bpy.ops.reconstruct_face.refit(photo=str(photos[2]))
    assert photo_names(head) == ["best.jpg", "side.jpg"]
    assert landmarks.corrected(head, 1) == [(5, 1.0, 2.0)]
    photo_cameras.set_shown(head, 1)
    bpy.ops.reconstruct_face.forget_landmarks()
    assert landmarks.corrected(head, 1) == []


def test_the_photo_that_is_shown_is_the_one_replaced(photos: list[Path], tmp_path: Path) -> None:
    choose(photos)
    bpy.ops.reconstruct_face.reconstruct()
    head = the_head()
    other = Path(shutil.copy(photos[0], tmp_path / "smile.jpg"))
    photo_cameras.set_shown(head, 1)
    assert bpy.ops.reconstruct_face.replace_photo(filepath=str(other)) == {"FINISHED"}
    assert photo_names(head) == ["best.jpg", "smile.jpg", "side.jpg"]
    assert photo_cameras.camera_for(head, 1).name == "smile camera"


def test_a_photo_that_became_a_strangers_leaves_with_its_camera(
    photos: list[Path], tmp_path: Path
) -> None:
    choose(photos)
    bpy.ops.reconstruct_face.reconstruct()
    head = the_head()
    photo_cameras.set_shown(head, 2)
    other = Path(shutil.copy(photos[0], tmp_path / "stranger.jpg"))
    bpy.ops.reconstruct_face.refit(photo=str(other))
    assert photo_names(head) == ["best.jpg", "front.jpg"]
    (sentence,) = left_out(head)
    assert "stranger.jpg shows another person" in sentence
    bpy.ops.reconstruct_face.refit()
    assert left_out(head) == [], "the next fit has nothing to leave out"
    assert len([thing for thing in bpy.data.objects if thing.type == "CAMERA"]) == 2


def test_photos_are_added_to_a_head_and_left_out_again(photos: list[Path]) -> None:
    bpy.ops.reconstruct_face.reconstruct(filepath=str(photos[0]))
    head = the_head()
    landmarks.set_corrected(head, {7: (3.0, 4.0)})
    files = [{"name": photo.name} for photo in photos[1:]]
    folder = str(photos[0].parent)
    assert bpy.ops.reconstruct_face.add_to_head(directory=folder, files=files) == {"FINISHED"}
    assert photo_names(head) == ["best.jpg", "front.jpg", "side.jpg"]
    assert landmarks.corrected(head, 1) == [(7, 3.0, 4.0)], "the first photo's go along"
    names = [camera.name for camera in photo_cameras.cameras_of(head)]
    assert names == ["best camera", "front camera", "side camera"]
    photo_cameras.set_shown(head, 0)
    bpy.ops.reconstruct_face.refit(leave_out=True)
    assert photo_names(head) == ["front.jpg", "side.jpg"]
    photo_cameras.set_shown(head, 1)
    bpy.ops.reconstruct_face.refit(leave_out=True)
    assert photo_names(head) == ["front.jpg"] and "asked" not in about(head)["provenance"]
    assert landmarks.corrected(head) == [(7, 3.0, 4.0)]
    (camera,) = [thing for thing in bpy.data.objects if thing.type == "CAMERA"]
    assert camera == head["camera"] and camera.name == "front camera"
    assert not [name for name in head.keys() if name.endswith(("_2", "_3"))]  # noqa: SIM118


def test_scripts_and_jobs_give_the_same_head(photos: list[Path]) -> None:
    by_job = jobs.start_person(photos, texture="photo").wait()
    assert [by_job.photo_path, *(view.photo_path for view in by_job.views)] == [
        str(photos[2]), str(photos[0]), str(photos[1]),
    ]  # fmt: skip
    assert by_job.texture_mode == "photo"
    with BackendProcess(command=FAKE) as backend:
        head = api.reconstruct_person(photos, backend=backend, name="Ada", set_active=True)
    assert head.name == "Ada" and bpy.context.active_object == head
    assert list(head["landmarks2d_3"]) == list(by_job.views[1].landmarks2d.ravel())
    with raises(OptionError, "1 photos", "3 photos"):
        jobs.start_person(photos, corrected=[None]).wait()


def test_a_blend_that_is_handed_on_holds_no_paths_of_the_list(
    photos: list[Path], tmp_path: Path
) -> None:
    choose(photos)
    made = build_scene(make_reconstruction(rows=8, columns=10))
    export_head(made, tmp_path / "out", "ada", ["blend"])
    assert names() == ["front.jpg", "side.jpg", "best.jpg"], "here they stay"
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out" / "ada.blend"))
    assert [item.path for item in settings().further] == ["", ""]
    assert settings().photos() == []


@pytest.mark.parametrize(
    "found, given, expected",
    [
        (["b.jpg", "a.jpg"], ["/p/a.jpg", "/p/b.jpg"], [1, 0]),
        (["a.jpg", "c.jpg"], ["/p/a.jpg", "/p/b.jpg", "/p/c.jpg"], [0, 2]),
        (["1.jpg", "1.jpg", "2.jpg"], ["/a/1.jpg", "/a/2.jpg", "/b/1.jpg"], [2, 0, 1]),
        (["x.jpg", "a.jpg"], ["/p/a.jpg"], [None, 0]),
    ],
)
def test_which_photo_is_which_by_name_and_order(
    found: list[str], given: list[str], expected: list
) -> None:
    assert photos_by_name(found, given) == expected
