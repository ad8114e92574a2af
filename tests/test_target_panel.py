"""Targets in the sidebar: what is chosen is kept with the head, and exported again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest
import reconstruct_face
from reconstruct_face.backend.exchange.targets import CHANGEABLE, TARGETS, choices_of
from reconstruct_face.panels.export import RECONSTRUCT_FACE_PT_export
from reconstruct_face.scene.build import build_scene
from reconstruct_face.scene.targets.kept import PROPERTY, kept_target

from tests.errors import raises
from tests.glb_files import read_glb
from tests.synthetic_reconstruction import make_reconstruction

pytestmark = pytest.mark.seconds
MADE = make_reconstruction(rows=12, columns=16)


@pytest.fixture(autouse=True)
def _add_on() -> Iterator[None]:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    reconstruct_face.register()
    yield
    reconstruct_face.unregister()


@pytest.fixture
def head() -> bpy.types.Object:
    return build_scene(MADE, name="Ada", set_active=True).head


def chosen() -> Any:
    return bpy.context.scene.reconstruct_face_target


def test_every_target_and_every_value_can_be_chosen(head: bpy.types.Object) -> None:
    assert chosen().target == "any"
    for name, target in TARGETS.items():
        chosen().target = name
        assert kept_target(head) == (name, {})
        for key, values in choices_of(target).items():
            given = getattr(target, key)
            assert getattr(chosen(), key) == (given if key == "neutral" else str(given))
            for value in values:
                setattr(chosen(), key, value if key == "neutral" else str(value))
                changes = {} if value == given else {key: value}
                assert kept_target(head) == (name, changes)
            setattr(chosen(), key, given if key == "neutral" else str(given))
    chosen().target = "any"
    assert PROPERTY not in head


def test_what_a_target_has_not_cannot_be_changed(head: bpy.types.Object) -> None:
    chosen().target = "metahuman"
    for key in set(CHANGEABLE) - set(choices_of(TARGETS["metahuman"])):
        setattr(chosen(), key, True if key == "neutral" else str(CHANGEABLE[key][-1]))
    assert kept_target(head) == ("metahuman", {})


def test_each_head_has_its_own(head: bpy.types.Object) -> None:
    chosen().target = "unity"
    other = build_scene(MADE, name="Grace", set_active=True).head
    assert chosen().target == "any"
    chosen().target = "usd"
    bpy.context.view_layer.objects.active = head
    assert chosen().target == "unity"
    assert kept_target(other)[0] == "usd"


def test_without_a_head_nothing_is_chosen() -> None:
    assert chosen().target == "any"
    chosen().target = "unity"
    assert chosen().target == "any"


def test_the_button_writes_for_the_target_and_again(head: bpy.types.Object, tmp_path: Path) -> None:
    settings = bpy.context.scene.reconstruct_face_export
    settings.folder, settings.name = str(tmp_path), "a"
    chosen().target = "godot"
    chosen().visemes = "oculus"
    assert bpy.ops.reconstruct_face.export() == {"FINISHED"}
    first = (tmp_path / "a.glb").read_bytes()
    document, _ = read_glb(tmp_path / "a.glb")
    assert document["meshes"][0]["extras"]["targetNames"][-1] == "viseme_ou"
    assert set(document["meshes"][0]["weights"]) == {0.0}, "at rest"
    (tmp_path / "a.glb").unlink()
    bpy.ops.reconstruct_face.export()
    assert (tmp_path / "a.glb").read_bytes() == first
    # A target or formats of the caller count more.
    bpy.ops.reconstruct_face.export(filepath=str(tmp_path / "b"), target="usd")
    assert (tmp_path / "b.usdz").is_file()
    assert kept_target(head) == ("usd", {})
    bpy.ops.reconstruct_face.export(filepath=str(tmp_path / "c"), formats={"obj"})
    bpy.ops.reconstruct_face.export(filepath=str(tmp_path / "d"), target="any")
    assert (tmp_path / "c.obj").is_file() and (tmp_path / "d.glb").is_file()
    assert kept_target(head) == ("usd", {})


def test_a_head_without_a_jaw_has_one_sentence(head: bpy.types.Object, tmp_path: Path) -> None:
    head.shape_key_remove(head.data.shape_keys.key_blocks["jawOpen"])
    with raises(RuntimeError, "jawOpen"):
        bpy.ops.reconstruct_face.export(filepath=str(tmp_path / "a"), target="unreal")
    assert head.name == "Ada"
    assert not list(tmp_path.iterdir())


class Layout(SimpleNamespace):
    """What a panel draws on: remembers the properties."""

    def __init__(self) -> None:
        super().__init__(drawn=[], labels=[])

    def row(self, **_how: Any) -> Layout:
        return self

    column = box = row

    def prop(self, _settings: Any, name: str, **_how: Any) -> None:
        self.drawn.append(name)

    def label(self, text: str = "", **_how: Any) -> None:
        self.labels.append(text)

    def operator(self, name: str, **_how: Any) -> None:
        self.drawn.append(name)


@pytest.mark.parametrize("name", ["any", *TARGETS])
def test_the_panel_shows_what_can_be_changed(head: bpy.types.Object, name: str) -> None:
    chosen().target = name
    layout = Layout()
    RECONSTRUCT_FACE_PT_export.draw(SimpleNamespace(layout=layout), bpy.context)
    assert layout.drawn[0] == "target"
    assert layout.drawn[-1] == "reconstruct_face.export"
    if name == "any":
        assert "formats" in layout.drawn
    else:
        assert set(choices_of(TARGETS[name])) < set(layout.drawn)
        assert "formats" not in layout.drawn
