"""What comes back from the backend while the user is at something else; which head is meant."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from reconstruct_face.operators import strings
from reconstruct_face.operators.choosing import ChoosesFile
from reconstruct_face.operators.session import SESSION, Failure, LandmarkEditing
from reconstruct_face.operators.view import OnHead
from reconstruct_face.panels.progress import draw_failure, draw_progress
from reconstruct_face.scene import jobs
from reconstruct_face.scene.build import build_scene, head_scene_of
from reconstruct_face.scene.context import head_of
from reconstruct_face.scene.current import current_head
from reconstruct_face.scene.mesh import expression_keys, is_head

from tests.add_on import registered
from tests.errors import raises
from tests.synthetic_reconstruction import make_reconstruction


@pytest.fixture(autouse=True)
def _add_on() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture
def photo(tmp_path: Path, astronaut: Path) -> Path:
    return Path(shutil.copy(astronaut, tmp_path / "ada.jpg"))


def activate(*things: bpy.types.Object) -> None:
    for thing in bpy.context.view_layer.objects:
        thing.select_set(thing in things)
    bpy.context.view_layer.objects.active = things[0] if things else None


@pytest.mark.parametrize("mode", ["EDIT", "SCULPT", "WEIGHT_PAINT"])
def test_a_new_head_leaves_the_user_in_the_mode(photo: Path, mode: str) -> None:
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.active_object
    bpy.ops.object.mode_set(mode=mode)
    if mode == "EDIT":
        bpy.ops.mesh.select_all(action="SELECT")
        bpy.ops.transform.translate(value=(1, 0, 0))
    assert bpy.ops.reconstruct_face.reconstruct(filepath=str(photo)) == {"FINISHED"}
    assert bpy.context.active_object == cube and cube.mode == mode
    (head,) = [thing for thing in bpy.data.objects if is_head(thing)]
    assert not head.select_get()
    bpy.ops.object.mode_set(mode="OBJECT")
    if mode == "EDIT":
        assert min(vertex.co.x for vertex in cube.data.vertices) > -0.01, "what was edited is kept"


def test_two_meshes_in_edit_mode_both_stay_in_it(photo: Path) -> None:
    for _ in range(2):
        bpy.ops.mesh.primitive_cube_add()
    cubes = [thing for thing in bpy.data.objects if thing.type == "MESH"]
    activate(*cubes)
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.reconstruct_face.reconstruct(filepath=str(photo))
    assert [cube.mode for cube in cubes] == ["EDIT", "EDIT"]


def test_a_head_that_is_sculpted_is_fitted_again_and_sculpted_on(photo: Path) -> None:
    bpy.ops.reconstruct_face.reconstruct(filepath=str(photo))
    head = bpy.context.active_object
    jaw = head.data.shape_keys.key_blocks["jawOpen"]
    fitted, jaw.value = jaw.value, 0.99
    bpy.ops.object.mode_set(mode="SCULPT")
    assert bpy.ops.reconstruct_face.refit() == {"FINISHED"}
    assert bpy.context.active_object == head and head.mode == "SCULPT"
    assert jaw.value == pytest.approx(fitted, abs=1e-4)


def test_the_only_head_need_not_be_selected(photo: Path) -> None:
    assert not OnHead.poll.__func__(bpy.types.RECONSTRUCT_FACE_OT_neutral, bpy.context)
    head = build_scene(make_reconstruction()).head
    activate()
    assert current_head(bpy.context) == head
    assert bpy.types.RECONSTRUCT_FACE_PT_head.poll(bpy.context)
    assert bpy.ops.reconstruct_face.neutral() == {"FINISHED"}
    assert not any(key.value for key in expression_keys(head))
    bpy.ops.mesh.primitive_cube_add()
    assert head_of(bpy.context) == head, "something else is active"


def test_of_several_heads_the_active_camera_light_or_rig_tells() -> None:
    first, second = (build_scene(make_reconstruction()) for _ in range(2))
    activate()
    assert current_head(bpy.context) is None
    assert not bpy.ops.reconstruct_face.neutral.poll()
    for built in (first, second):
        for thing in (built.head, built.camera, built.rig, built.lights[0]):
            activate(thing)
            assert current_head(bpy.context) == built.head


def test_a_camera_of_an_earlier_version_tells_too() -> None:
    first, second = (build_scene(make_reconstruction()) for _ in range(2))
    for built in (first, second):
        del built.head["rig"]
    activate(second.camera)
    assert current_head(bpy.context) == second.head


class Drawn:
    """Remembers what a panel draws, however it is laid out."""

    def __init__(self) -> None:
        self.operators: list[str] = []
        self.bars: list[str] = []

    def __getattr__(self, name: str) -> object:
        return lambda *_, **__: self

    def progress(self, *, text: str, factor: float) -> None:
        self.bars.append(text)

    def operator(self, name: str, **_: object) -> SimpleNamespace:
        self.operators.append(name)
        return SimpleNamespace()


def test_a_run_is_shown_where_it_was_started_and_in_the_status_bar(photo: Path) -> None:
    SESSION.run = jobs.start_reconstruction(photo.with_name("slow.jpg"))
    SESSION.run.step, SESSION.place = "Following the face", "animation"
    try:
        for place, shown in (("animation", 1), ("head", 0), ("", 1)):
            drawn = Drawn()
            draw_progress(drawn, place)
            assert len(drawn.bars) == shown
            assert drawn.operators == ["reconstruct_face.cancel"] * shown
        assert bpy.types.STATUSBAR_HT_header.is_extended()
    finally:
        SESSION.run.cancel()
        SESSION.run = None
    for operator in ("animate_video", "refit", "verify", "reconstruct"):
        kind = getattr(bpy.types, f"RECONSTRUCT_FACE_OT_{operator}")
        assert kind.place in ("animation", "head", "verify", "reconstruct")


def test_a_failure_is_shown_once_where_the_run_was_started() -> None:
    for place, told, shown in (
        ("head", "", True),
        ("reconstruct", "", False),
        ("head", "No face was found.", False),
    ):
        SESSION.failure = Failure("No face was found.", "no_face", None, "head")
        drawn = Drawn()
        draw_failure(drawn, place, told)
        assert bool(drawn.operators) == shown


def test_a_photo_that_was_asked_for_is_reconstructed_at_once(photo: Path) -> None:
    done = bpy.ops.reconstruct_face.choose_photo(filepath=str(photo), reconstruct=True)
    assert done == {"FINISHED"}
    assert bpy.context.scene.reconstruct_face.photo == str(photo)
    assert any(is_head(thing) for thing in bpy.data.objects)
    with raises(RuntimeError, strings.CHOOSE_PHOTO):
        bpy.ops.reconstruct_face.choose_photo(filepath=str(photo.parent))


def test_the_file_selector_shows_thumbnails_and_no_name(tmp_path: Path) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    for name in ("choose_photo", "replace_photo"):
        kind = getattr(bpy.ops.reconstruct_face, name).get_rna_type()
        display = kind.properties["display_type"]
        chosen = display.enum_items[display.default]
        assert (chosen.identifier, chosen.value) == ("THUMBNAIL", 3), "FILE_IMGDISPLAY of Blender"
    opened: list[str] = []

    class Asking(ChoosesFile):
        filepath = ""
        properties = SimpleNamespace(is_property_set=lambda name: False)

    context = SimpleNamespace(
        window_manager=SimpleNamespace(fileselect_add=lambda it: opened.append(it.filepath))
    )
    Asking().invoke(context, None)
    assert opened == [f"{tmp_path}{os.sep}"], "the .blend's folder, without its name"


def test_nothing_else_starts_while_landmarks_are_dragged(photo: Path) -> None:
    assert not bpy.ops.reconstruct_face.end_landmarks.poll()
    SESSION.editing = LandmarkEditing()
    try:
        with raises(RuntimeError, strings.EDITING):
            bpy.ops.reconstruct_face.reconstruct(filepath=str(photo))
        assert bpy.ops.reconstruct_face.end_landmarks(fit=False) == {"FINISHED"}
        assert SESSION.editing.wanted == "cancel"
        bpy.ops.reconstruct_face.end_landmarks()
        assert SESSION.editing.wanted == "fit"
    finally:
        SESSION.editing = None


def test_another_scenes_photo_is_not_shown(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reconstruct_face.panels import sidebar

    look = SimpleNamespace(
        photo=str(photo), failure="", found=SimpleNamespace(), icon=7, faces=[8], thorough=True
    )
    monkeypatch.setattr(SESSION, "look", look)
    shown: list[int] = []
    monkeypatch.setattr(
        Drawn, "template_icon", lambda self, icon_value, scale: shown.append(icon_value), False
    )
    for chosen, icons in ((str(photo), [7]), ("", []), (str(photo.with_name("b.jpg")), [])):
        shown.clear()
        drawn = Drawn()
        sidebar._draw_look(drawn, SimpleNamespace(photo=chosen, face=1, further=()))
        assert shown == icons
    assert drawn.operators == ["reconstruct_face.find_faces"], "and offers to look at this one"


def test_a_new_head_stands_beside_the_first_with_its_own_camera(photo: Path) -> None:
    for _ in range(2):
        bpy.ops.reconstruct_face.reconstruct(filepath=str(photo))
    first, second = [thing for thing in bpy.data.objects if is_head(thing)]
    assert second.location.x > first.location.x + 0.1
    assert head_scene_of(first).camera != head_scene_of(second).camera
