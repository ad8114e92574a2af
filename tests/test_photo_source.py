"""Photos that come from an open image, the clipboard's text or a finished head."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from PIL import Image
from reconstruct_face.backend.errors import PhotoError
from reconstruct_face.backend.exchange.formats import PHOTO_SUFFIXES
from reconstruct_face.operators import strings
from reconstruct_face.operators.photo import RECONSTRUCT_FACE_FH_photo
from reconstruct_face.scene import photo_places
from reconstruct_face.scene.build import build_scene
from reconstruct_face.scene.mesh import KEY, is_head
from reconstruct_face.scene.photo_source import (
    path_of_address,
    photo_of_head,
    photo_of_image,
    photo_of_text,
)

from tests.errors import raises
from tests.synthetic_reconstruction import make_reconstruction


@pytest.fixture(autouse=True)
def _empty_file() -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "Zoë's face.png"
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def pixels_of(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_an_image_from_a_file_is_that_file(picture: Path) -> None:
    assert photo_of_image(bpy.data.images.load(str(picture))) == picture


def test_a_packed_image_gives_its_own_bytes(picture: Path) -> None:
    image = bpy.data.images.load(str(picture))
    image.pack()
    data = picture.read_bytes()
    picture.unlink()
    found = photo_of_image(image)
    assert found.read_bytes() == data
    assert found.suffix == ".png"


def test_painted_pixels_count_and_the_image_stays_as_it_was(picture: Path) -> None:
    image = bpy.data.images.load(str(picture))
    values = np.empty(20 * 30 * 4, np.float32)
    image.pixels.foreach_get(values)
    values = values.reshape(20, 30, 4)
    values[..., :3] = (1.0, 0.0, 0.0)
    image.pixels.foreach_set(values.ravel())
    before = len(bpy.data.images)
    found = photo_of_image(image)
    assert found != picture
    assert (pixels_of(found) == (255, 0, 0)).all()
    assert image.is_dirty
    assert Path(bpy.path.abspath(image.filepath)) == picture
    assert len(bpy.data.images) == before


def test_a_generated_image_is_written() -> None:
    image = bpy.data.images.new("Grid", 8, 8)
    image.generated_type = "COLOR_GRID"
    assert pixels_of(photo_of_image(image)).shape == (8, 8, 3)


def test_an_image_whose_file_is_gone_gets_a_sentence(picture: Path) -> None:
    image = bpy.data.images.load(str(picture))
    picture.unlink()
    image.reload()
    with raises(PhotoError, picture.name):
        photo_of_image(image)


def test_texts_that_name_a_picture(picture: Path, tmp_path: Path) -> None:
    address = picture.as_uri()
    assert "%20" in address
    for text in (str(picture), f'"{picture}"', f"{address}\n", f"  {picture}  \n"):
        assert photo_of_text(text) == picture
    note = tmp_path / "note.txt"
    note.write_text("")
    for text in ("", "hello", str(note), str(tmp_path), "x" * 5000 + ".png", "a\0b.png"):
        assert photo_of_text(text) is None


def test_a_heads_photo_is_the_file_or_what_is_packed(picture: Path) -> None:
    made = make_reconstruction(photo_path=str(picture))
    head = build_scene(made).head
    assert photo_of_head(head) == picture
    picture.unlink()
    found = photo_of_head(head)
    assert found.read_bytes() == made.photo.tobytes()
    assert found.name == "Zo__s_face.jpg", "its name, of characters that every system has"
    bpy.data.objects.remove(head["camera"])
    with raises(PhotoError, picture.name, strings.REPLACE_PHOTO):
        photo_of_head(head)


def test_the_place_is_found_in_another_session(picture: Path, tmp_path: Path) -> None:
    head = build_scene(make_reconstruction(photo_path=str(picture))).head
    assert str(tmp_path) not in str(dict(head.items()))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    (again,) = [thing for thing in bpy.data.objects if is_head(thing)]
    assert photo_of_head(again) == picture


def test_a_data_folder_that_is_none_costs_the_place_alone(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    made = make_reconstruction(photo_path=str(picture))
    for folder in (blocked, tmp_path / "data"):
        monkeypatch.setenv("RECONSTRUCT_FACE_DATA", str(folder))
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / photo_places.NAME).write_text('["no object"]')
        head = build_scene(made).head
        expected = picture if folder.is_dir() else None
        assert photo_places.place_of(head[KEY]) == expected
    assert photo_of_head(head) == picture


def test_the_oldest_places_go(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONSTRUCT_FACE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(photo_places, "_KEPT", 3)
    made = make_reconstruction(photo_path=str(picture))
    for key in "abcd":
        photo_places.remember(key, made)
    assert [photo_places.place_of(key) for key in "abcd"] == [None, picture, picture, picture]


def test_what_can_be_dropped_is_what_can_be_read() -> None:
    handler = RECONSTRUCT_FACE_FH_photo.bl_file_extensions
    assert tuple(handler.split(";")) == PHOTO_SUFFIXES


@pytest.mark.parametrize(
    ("address", "windows", "path"),
    [
        ("file:///C:/Users/Zo%C3%AB/a%20b.jpg", True, "C:/Users/Zoë/a b.jpg"),
        ("file:///c|/a.jpg", True, "c:/a.jpg"),
        ("file:/C:/a.jpg", True, "C:/a.jpg"),
        ("file://localhost/C:/a.jpg", True, "C:/a.jpg"),
        ("file://server/share/a.jpg", True, "//server/share/a.jpg"),
        ("file:///home/ada/a%20b.jpg", False, "/home/ada/a b.jpg"),
        ("file://localhost/home/a.jpg", False, "/home/a.jpg"),
        ("file:///C:/a.jpg", False, "/C:/a.jpg"),
    ],
)
def test_addresses_that_file_managers_copy(address: str, windows: bool, path: str) -> None:
    assert path_of_address(address, windows=windows) == path
