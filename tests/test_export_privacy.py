"""No file that is given to others says where on this machine its photo lies."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest
import reconstruct_face
import zstandard
from reconstruct_face.backend.exchange import load_reconstruction, save_reconstruction
from reconstruct_face.backend.exchange.formats import ANIMATED_FORMATS, FORMATS
from reconstruct_face.backend.exchange.output import write_json
from reconstruct_face.backend.exchange.summary import summarise
from reconstruct_face.operators.session import SESSION
from reconstruct_face.scene import photo_source
from reconstruct_face.scene.animation.export import export_animation
from reconstruct_face.scene.build import HeadScene, build_scene
from reconstruct_face.scene.export import export_head
from reconstruct_face.scene.private_paths import CHOICES

from tests.synthetic_reconstruction import make_reconstruction

SECRET = "jane_doe_private"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / SECRET / "Ada.jpg"
    path.parent.mkdir()
    path.write_bytes(make_reconstruction(rows=4, columns=4).photo.tobytes())
    return path


@pytest.fixture
def head_scene(photo: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HeadScene]:
    """A head in a file that lies beside its photo, with the add-on's fields filled in."""
    monkeypatch.setattr(SESSION, "look_at", lambda *_args, **_named: None)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    reconstruct_face.register()
    try:
        made = build_scene(
            make_reconstruction(rows=8, columns=10, photo_path=str(photo)), set_active=True
        )
        scene = bpy.context.scene
        for group, name in CHOICES:
            setattr(getattr(scene, group), name, str(photo))
        bpy.ops.wm.save_as_mainfile(filepath=str(photo.with_name("work.blend")))
        yield made
    finally:
        reconstruct_face.unregister()


def contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file and of what is packed in it."""
    data = path.read_bytes()
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        reader = zstandard.ZstdDecompressor().stream_reader(
            io.BytesIO(data), read_across_frames=True
        )
        data = reader.read()
        assert data.startswith(b"BLENDER")
    yield data
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as package:
            yield from map(package.read, package.namelist())


def assert_secret_kept(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    for path in files:
        for data in contents(path):
            assert os.fsencode(SECRET) not in data, path.name


def test_no_export_of_a_head(head_scene: HeadScene, tmp_path: Path) -> None:
    export_head(head_scene, tmp_path / "out", "Ada", FORMATS)
    assert_secret_kept(tmp_path / "out")


def test_no_export_of_a_head_that_moves(head_scene: HeadScene, tmp_path: Path) -> None:
    export_animation(head_scene, tmp_path / "out", "Ada", ANIMATED_FORMATS, (1, 2))
    assert_secret_kept(tmp_path / "out")


def test_what_was_chosen_is_still_there_afterwards(
    head_scene: HeadScene, photo: Path, tmp_path: Path
) -> None:
    export_head(head_scene, tmp_path / "out", "Ada", ["blend"])
    scene = bpy.context.scene
    assert [getattr(getattr(scene, group), name) for group, name in CHOICES] == [str(photo)] * len(
        CHOICES
    )
    assert photo_source.photo_of_head(head_scene.head) == photo, "Fit Again finds it"


def test_neither_the_numbers(photo: Path, tmp_path: Path) -> None:
    made = make_reconstruction(rows=8, columns=10, photo_path=str(photo))
    out = tmp_path / "out"
    out.mkdir()
    path = save_reconstruction(made, out / "Ada.npz")
    write_json(out / "Ada.json", summarise(made))
    assert_secret_kept(out)
    assert load_reconstruction(path).photo_path == summarise(made)["photo"] == "Ada.jpg"
    windows = make_reconstruction(rows=4, columns=4, photo_path="C:\\Users\\Jane\\Ada.jpg")
    assert windows.photo_name == "Ada.jpg"
    assert made.photo_path == str(photo), "in memory it is where it was"
    assert np.array_equal(load_reconstruction(path).identity, made.identity)
