"""The sidebar's operators against the fake backend, executed as a script would."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest
from reconstruct_face.backend.exchange.options import Options
from reconstruct_face.operators import photo as photo_operators
from reconstruct_face.operators import settings as settings_module
from reconstruct_face.operators import strings
from reconstruct_face.operators.session import SESSION
from reconstruct_face.scene import api, jobs, landmarks, photo_source
from reconstruct_face.scene.mesh import is_head

from tests.add_on import registered
from tests.errors import raises


@pytest.fixture(autouse=True)
def _add_on() -> Iterator[None]:
    """The add-on registered in an empty file, its backend being the fake one."""
    with registered():
        yield


@pytest.fixture
def photo(tmp_path: Path, astronaut: Path) -> Path:
    return Path(shutil.copy(astronaut, tmp_path / "ada.jpg"))


def settings() -> settings_module.FaceSettings:
    return bpy.context.scene.reconstruct_face


def follow() -> None:
    """What Blender's timers would do."""
    end = time.monotonic() + 60
    while SESSION.follow() is not None:
        assert time.monotonic() < end
        time.sleep(0.02)


def key_values(head: bpy.types.Object) -> dict[str, float]:
    return {key.name: round(key.value, 5) for key in head.data.shape_keys.key_blocks}


def test_the_operators_result_is_the_apis(photo: Path) -> None:
    settings().photo = str(photo)
    assert bpy.ops.reconstruct_face.reconstruct() == {"FINISHED"}
    by_operator, by_api = bpy.context.active_object, api.reconstruct(photo)
    assert is_head(by_operator) and is_head(by_api)
    assert key_values(by_operator) == key_values(by_api)
    for name in ("identity", "expression", "landmarks2d"):
        assert list(by_operator[name]) == list(by_api[name])
    corners = [[v.co[:] for v in head.data.vertices] for head in (by_operator, by_api)]
    assert corners[0] == corners[1]


def test_settings_reach_the_backend(photo: Path) -> None:
    settings().photo = str(photo)
    settings().texture = "photo"
    bpy.ops.reconstruct_face.reconstruct()
    from reconstruct_face.scene.mesh import about

    assert about(bpy.context.active_object)["texture_mode"] == "photo"


def test_no_landmark_file_is_wanted_only_where_that_can_be() -> None:
    mine = settings()
    mine.use_landmarks = False
    assert mine.options().landmarks is False
    mine.estimate = "landmarks"
    assert mine.options().landmarks is True
    assert mine.options().model == "default"
    assert mine.options().texture_size == 2048


def test_choosing_a_photo_finds_its_faces(tmp_path: Path, photo: Path) -> None:
    two = photo.rename(tmp_path / "two.jpg")
    settings().face = 7
    settings().photo = str(two)
    assert settings().face == 1, "another photo starts with its largest face"
    assert SESSION.look is not None and SESSION.look.found is None
    follow()
    look = SESSION.look
    assert look.found is not None and len(look.faces) == 2
    folder = look.folder
    assert folder.is_dir()
    bpy.ops.reconstruct_face.choose_face(number=2)
    assert settings().face == 2
    settings().photo = ""
    assert SESSION.look is None and not folder.exists()


def test_the_face_means_what_the_panel_shows(
    tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, bool]] = []
    start = jobs.start_reconstruction

    def remembered(photo: str, options: Options):
        asked.append((options.face, options.thorough))
        return start(photo, options)

    monkeypatch.setattr(jobs, "start_reconstruction", remembered)
    bpy.ops.reconstruct_face.reconstruct(filepath=str(photo))  # not looked at
    two = photo.rename(tmp_path / "two.jpg")
    settings().photo = str(two)
    follow()
    bpy.ops.reconstruct_face.reconstruct()
    settings().face = 0
    bpy.ops.reconstruct_face.reconstruct()
    bpy.ops.reconstruct_face.find_faces(thorough=True)
    follow()
    bpy.ops.reconstruct_face.reconstruct(face=1)
    assert asked == [("largest", True), (1, False), ("all", False), (1, True)]


def test_a_photo_that_cannot_be_read_is_said_where_it_is_shown(tmp_path: Path) -> None:
    settings().photo = str(tmp_path / "gone.jpg")
    follow()
    assert SESSION.look is not None and "There is no file" in SESSION.look.failure


def test_another_file_forgets_the_photo_and_its_failure(photo: Path, tmp_path: Path) -> None:
    settings().photo = str(tmp_path / "gone.jpg")
    with pytest.raises(RuntimeError):
        bpy.ops.reconstruct_face.reconstruct()
    settings().photo = str(photo)
    folder = SESSION.look.folder
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert SESSION.look is None and SESSION.failure is None and SESSION.run is None
    assert not folder.exists()


@pytest.mark.parametrize(
    ("name", "sentence", "code"),
    [
        ("none.jpg", "No face was found in none.", "no_face"),
        ("crash.jpg", "The worker ended unexpectedly", "worker"),
        ("gone.jpg", "There is no file", "photo"),
    ],
)
def test_a_failure_is_one_sentence_kept_for_the_panel_with_a_report(
    tmp_path: Path, astronaut: Path, name: str, sentence: str, code: str
) -> None:
    if name != "gone.jpg":
        shutil.copy(astronaut, tmp_path / name)
    before = set(bpy.data.objects) | set(bpy.data.images) | set(bpy.data.meshes)
    with pytest.raises(RuntimeError) as caught:  # a report of an error, for Python
        bpy.ops.reconstruct_face.reconstruct(filepath=str(tmp_path / name))
    assert str(caught.value).startswith(f"Error: {sentence}")
    assert "Traceback" not in str(caught.value)
    failure = SESSION.failure
    assert failure is not None and failure.code == code
    assert failure.sentence.startswith(sentence)
    assert failure.report is not None
    text = failure.report.read_text()
    assert failure.sentence in text and name in text
    assert set(bpy.data.objects) | set(bpy.data.images) | set(bpy.data.meshes) == before

    fine = tmp_path / "fine.jpg"
    shutil.copy(astronaut, fine)
    assert bpy.ops.reconstruct_face.reconstruct(filepath=str(fine)) == {"FINISHED"}
    assert SESSION.failure is None and SESSION.run is None


def test_without_a_photo_it_asks_for_one() -> None:
    with raises(RuntimeError, strings.CHOOSE_PHOTO):
        bpy.ops.reconstruct_face.reconstruct()
    assert not bpy.data.objects


def test_a_fault_of_ours_is_told_like_the_others(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("half a head")

    monkeypatch.setattr(api, "add_heads", broken)
    with raises(RuntimeError, "KeyError"):
        bpy.ops.reconstruct_face.reconstruct(filepath=str(photo))
    assert "half a head" in SESSION.failure.report.read_text()
    assert SESSION.run is None


def test_one_run_at_a_time(photo: Path) -> None:
    SESSION.run = jobs.start_reconstruction(photo.with_name("none.jpg"))
    try:
        with raises(RuntimeError, strings.BUSY):
            bpy.ops.reconstruct_face.reconstruct(filepath=str(photo))
        assert bpy.ops.reconstruct_face.cancel() == {"FINISHED"}
    finally:
        SESSION.run = None
    assert not bpy.ops.reconstruct_face.cancel.poll()


def test_fitting_again_keeps_the_object_and_what_is_not_of_the_fit(photo: Path) -> None:
    bpy.ops.reconstruct_face.reconstruct(filepath=str(photo))
    head = bpy.context.active_object
    head.location = (1.0, 2.0, 3.0)
    head.data.shape_keys.key_blocks["jawOpen"].value = 0.99
    fitted = dict(zip(key_values(head), [0.0, *head["expression"]], strict=True))
    count = len(bpy.data.objects)
    assert bpy.ops.reconstruct_face.refit() == {"FINISHED"}
    assert bpy.context.active_object == head
    assert len(bpy.data.objects) == count
    assert tuple(head.location) == (1.0, 2.0, 3.0)
    assert key_values(head)["jawOpen"] == pytest.approx(fitted["jawOpen"], abs=1e-4)


def test_another_photo_for_a_head(photo: Path, tmp_path: Path) -> None:
    bpy.ops.reconstruct_face.reconstruct(filepath=str(photo))
    head = bpy.context.active_object
    other = tmp_path / "other.jpg"
    shutil.copy(photo, other)
    assert bpy.ops.reconstruct_face.replace_photo(filepath=str(other)) == {"FINISHED"}
    from reconstruct_face.scene.mesh import about

    assert about(head)["photo"] == other.name
    with raises(RuntimeError, tmp_path / "gone.jpg"):
        bpy.ops.reconstruct_face.refit(photo=str(tmp_path / "gone.jpg"))
    assert about(head)["photo"] == other.name


def test_corrected_landmarks_stay_with_the_head(photo: Path, tmp_path: Path) -> None:
    bpy.ops.reconstruct_face.reconstruct(filepath=str(photo))
    head = bpy.context.active_object
    was = landmarks.fitted(head)
    assert len(was) == 68
    landmarks.set_corrected(head, {40: (11.5, 12.0), 3: (1.0, 2.0)})
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    head = next(thing for thing in bpy.data.objects if is_head(thing))
    assert landmarks.corrected(head) == [(3, 1.0, 2.0), (40, 11.5, 12.0)]
    shown = landmarks.shown(head)
    assert shown[3] == (1.0, 2.0) and shown[40] == (11.5, 12.0)
    assert shown[5] == pytest.approx(was[5])
    bpy.context.view_layer.objects.active = head
    bpy.ops.reconstruct_face.forget_landmarks()
    assert landmarks.corrected(head) == []


def test_a_dropped_picture_becomes_the_photo(photo: Path) -> None:
    bpy.ops.reconstruct_face.drop_photo(
        directory=str(photo.parent), files=[{"name": photo.name}, {"name": "other.jpg"}]
    )
    assert settings().photo == str(photo)
    handler = bpy.types.FileHandler.bl_rna_get_subclass_py("RECONSTRUCT_FACE_FH_photo")
    assert handler is not None and handler.bl_import_operator == "reconstruct_face.drop_photo"


def test_an_open_image_becomes_the_photo(photo: Path) -> None:
    assert not bpy.ops.reconstruct_face.use_image.poll()
    image = bpy.data.images.load(str(photo))
    assert bpy.ops.reconstruct_face.use_image(image=image.name) == {"FINISHED"}
    assert settings().photo == str(photo)


def test_pasting_a_path_a_picture_or_nothing(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a window Blender has no clipboard: what was copied stands here."""
    copied, read = [f'"{photo}"'], photo_source.photo_of_text
    monkeypatch.setattr(photo_source, "photo_of_text", lambda text: read(copied[0]))
    assert bpy.ops.reconstruct_face.paste_photo() == {"FINISHED"}
    assert settings().photo == str(photo)
    copied[0] = "nothing of use"
    with raises(RuntimeError, strings.NOTHING_TO_PASTE):
        bpy.ops.reconstruct_face.paste_photo()
    assert settings().photo == str(photo)
    picture = bpy.data.images.load(str(photo))
    picture.pack()
    monkeypatch.setattr(photo_operators, "_pasted_image", lambda context: picture)
    assert bpy.ops.reconstruct_face.paste_photo() == {"FINISHED"}
    assert settings().photo != str(photo)
    assert Path(settings().photo).read_bytes() == photo.read_bytes()
    assert not bpy.data.images, "the pasted one was only in between"
