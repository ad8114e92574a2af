"""Presets of the settings: those that come along, and the user's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest
import reconstruct_face
from reconstruct_face.operators.presets import SHIPPED, SUBDIR, VALUES

from tests.errors import raises

FILES = sorted((SHIPPED / "presets" / SUBDIR).glob("*.py"))


@pytest.fixture(autouse=True)
def _add_on() -> Iterator[None]:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    reconstruct_face.register()
    yield
    reconstruct_face.unregister()


def values() -> dict[str, object]:
    settings = bpy.context.scene.reconstruct_face
    return {name: getattr(settings, name) for name in VALUES}


def apply(name: str) -> dict[str, object]:
    path = bpy.utils.preset_find(name, SUBDIR)
    bpy.ops.script.execute_preset(filepath=path, menu_idname="RECONSTRUCT_FACE_PT_presets")
    return values()


def test_shipped_presets_are_found_and_set_what_their_names_say() -> None:
    assert {file.stem for file in FILES} == {
        "Draft", "Standard", "Close-up_still_4K", "Game_1K", "Without_dlib_landmarks",
    }  # fmt: skip
    defaults = values()
    assert (apply("Draft")["quality"], apply("Draft")["texture_size"]) == ("fast", "1024")
    assert apply("Close-up_still_4K")["texture_size"] == "4096"
    assert apply("Close-up_still_4K")["quality"] == "best"
    assert apply("Game_1K")["texture_size"] == "1024"
    assert apply("Standard") == defaults, "the standard is what a new scene starts with"
    bpy.context.scene.reconstruct_face.texture_size = "512"
    found = apply("Without_dlib_landmarks")
    assert found["use_landmarks"] is False and found["texture_size"] == "512"
    assert bpy.context.scene.reconstruct_face.options().landmarks is False


def test_unregistering_takes_the_shipped_ones_off_the_list() -> None:
    assert bpy.utils.preset_find("Draft", SUBDIR)
    reconstruct_face.unregister()
    try:
        assert not bpy.utils.preset_find("Draft", SUBDIR)
    finally:
        reconstruct_face.register()


def test_shipped_presets_cannot_be_removed() -> None:
    with raises(RuntimeError, "Draft"):
        bpy.ops.reconstruct_face.add_preset(name="Draft", remove_name=True)
    assert (SHIPPED / "presets" / SUBDIR / "Draft.py").is_file()


USER = """
import bpy
import reconstruct_face
reconstruct_face.register()
settings = bpy.context.scene.reconstruct_face
settings.quality, settings.model, settings.photo = "best", "C:\\\\it's.npz", "/somebody.jpg"
bpy.ops.reconstruct_face.add_preset(name="My best")
settings.quality, settings.model = "fast", ""
path = bpy.utils.preset_find("My_best", "reconstruct_face/settings")
bpy.ops.script.execute_preset(filepath=path, menu_idname="RECONSTRUCT_FACE_PT_presets")
assert (settings.quality, settings.model) == ("best", "C:\\\\it's.npz"), settings.model
reconstruct_face.unregister()
"""


def test_the_users_presets_stay_in_their_folder(tmp_path: Path) -> None:
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(tmp_path)}
    subprocess.run([sys.executable, "-c", USER], check=True, env=environment, timeout=120)
    (file,) = tmp_path.rglob("My_best.py")
    assert "somebody" not in file.read_text(), "the photo is no setting"
