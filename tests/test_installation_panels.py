"""The installation's operators, preferences and repairs, in Blender."""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import pytest
import reconstruct_face
from reconstruct_face.operators import strings
from reconstruct_face.panels import preferences as panel
from reconstruct_face.panels import repair
from reconstruct_face.panels.preferences import RECONSTRUCT_FACE_preferences
from reconstruct_face.scene.installation import blender, check, locate, set_up, status
from reconstruct_face.scene.installation.choices import HARDWARE, Choices, choices
from reconstruct_face.scene.installation.requirements import NVIDIA_GPU, PROCESSOR
from reconstruct_face.scene.installation.status import Status, installation_status

from tests.errors import raises
from tests.tiny_packages import tiny_choices

OPS = bpy.ops.reconstruct_face


@pytest.fixture(autouse=True)
def add_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Choices]:
    """The add-on registered; its backend is two small packages, in a folder of the test."""
    tiny = tiny_choices(tmp_path)
    monkeypatch.delenv(locate.PYTHON_VARIABLE, raising=False)
    monkeypatch.setattr(locate, "ROOT", tmp_path)
    monkeypatch.setattr(locate, "_NEEDED", ("a_module_nobody_has",))
    fresh = check.Checks()
    for module in (check, locate, set_up, status):
        monkeypatch.setattr(module, "CHECKS", fresh)
    wanted = functools.partial(Choices, requirements=tiny.requirements, wheels=tiny.wheels)
    monkeypatch.setattr(blender, "Choices", wanted)
    monkeypatch.setattr(blender, "backend_folder", lambda: tiny.folder)
    reconstruct_face.register()
    yield tiny
    reconstruct_face.unregister()
    assert choices() == Choices()
    assert set_up.last_set_up() is None


def test_set_up_check_and_remove_from_a_script(
    add_on: Choices, capfd: pytest.CaptureFixture[str]
) -> None:
    assert OPS.setup_backend() == {"FINISHED"}
    shown = capfd.readouterr().out
    assert "Making the environment" in shown and "Trying the packages" in shown
    assert installation_status().code == status.READY
    assert OPS.check_backend() == {"FINISHED"}
    assert OPS.open_setup_log() == {"FINISHED"}
    assert add_on.folder is not None and str(add_on.folder) in capfd.readouterr().out
    assert OPS.remove_backend() == {"FINISHED"}
    assert installation_status().code == status.MISSING
    with raises(RuntimeError, strings.NO_LOG):
        OPS.open_setup_log()


def test_a_failure_is_one_sentence(add_on: Choices) -> None:
    for wheel in add_on.wheels.glob("tiny_b*"):
        wheel.unlink()
    with raises(RuntimeError, "tiny_b==1.0"):
        OPS.setup_backend()
    assert "tiny_b==1.0" in installation_status().failure
    with raises(RuntimeError, strings.SET_UP, locate.PYTHON_VARIABLE):
        OPS.reconstruct(filepath=str(Path(__file__)))


class Recorder:
    """A layout that notes what is drawn; every element of the real one has these methods."""

    def __init__(self, drawn: list[tuple[str, str]]) -> None:
        self.drawn = drawn

    def __getattr__(self, name: str) -> Any:
        if name in ("row", "column", "box"):
            return lambda **_: Recorder(self.drawn)
        assert name in bpy.types.UILayout.bl_rna.functions, name

        def draw(first: Any = "", *rest: str, **options: Any) -> None:
            known = bpy.types.UILayout.bl_rna.functions[name].parameters.keys()
            assert set(options) <= set(known) | {"text", "icon"}, (name, options)
            icon = options.get("icon", "NONE")
            assert (
                icon in bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items
            )
            self.drawn.append((name, rest[0] if rest else first or options.get("text", "")))
            if name == "operator":
                group, _, operator = first.partition(".")
                kind = getattr(getattr(bpy.ops, group), operator).get_rna_type()
                assert options.get("text", kind.name) or "text" in options, f"{first}: no label"

        return draw


def drawn(found: Status, monkeypatch: pytest.MonkeyPatch) -> tuple[bool, list[str], str]:
    """Whether it is usable, the operators of the buttons, and all text."""
    monkeypatch.setattr(repair, "installation_status", lambda: found)
    # Without a window there is no scale to break lines by.
    monkeypatch.setattr(repair, "draw_sentence", lambda layout, text, **_: layout.label(text=text))
    noted: list[tuple[str, str]] = []
    usable = repair.draw_repair(Recorder(noted))  # type: ignore[arg-type]
    buttons = [what for kind, what in noted if kind == "operator"]
    return usable, buttons, " ".join(what for kind, what in noted if kind == "label")


SET_UP, CHECK = "reconstruct_face.setup_backend", "reconstruct_face.check_backend"
PREFERENCES = "reconstruct_face.open_preferences"


@pytest.mark.parametrize(
    ("code", "python", "source", "buttons"),
    [
        (status.READY, "p", "environment", []),
        (status.CHECKING, "p", "preferences", []),
        (status.INSTALLING, "", "", ["reconstruct_face.cancel_setup"]),
        (status.MISSING, "", "", [SET_UP, PREFERENCES]),
        (status.UNFINISHED, "", "", [SET_UP]),
        (status.OUTDATED, "", "", [SET_UP]),
        (status.BROKEN, "p", "environment", [SET_UP, PREFERENCES]),
        (status.BROKEN, "p", "preferences", [CHECK, PREFERENCES]),
        (status.PYTHON_MISSING, "", "preferences", [PREFERENCES]),
        (status.PYTHON_MISSING, "", "variable", []),
        (status.PYTHON_LACKS, "p", "preferences", [CHECK, PREFERENCES]),
        (status.OFFLINE, "", "", ["extensions.userpref_allow_online", PREFERENCES]),
        (status.UNSUPPORTED, "", "", [PREFERENCES]),
    ],
)
def test_each_code_has_its_repair(
    code: str, python: str, source: str, buttons: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Status(code, "What was found; what to do.", python, source, step="Downloading torch")
    usable, shown, text = drawn(found, monkeypatch)
    assert usable == (code in (status.READY, status.CHECKING))
    assert shown == buttons
    if code not in (status.READY, status.INSTALLING):
        assert "What was found; what to do." in text


@pytest.mark.parametrize("found", [True, False])
def test_a_gpu_is_offered_where_there_is_one(found: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what it gains is said; in the preferences it can be chosen anyway."""
    monkeypatch.setattr(repair, "gpu_found", lambda: found)
    monkeypatch.setattr(repair, "gpu_offered", lambda: True)
    monkeypatch.setattr(repair, "preferences", lambda: object())
    monkeypatch.setattr(repair, "draw_sentence", lambda layout, text, **_: layout.label(text=text))
    for in_preferences in (True, False):
        noted: list[tuple[str, str]] = []
        repair.draw_hardware(Recorder(noted), in_preferences=in_preferences)  # type: ignore[arg-type]
        assert (("prop", "hardware") in noted) == (found or in_preferences)
        assert (("label", strings.GPU_FOUND) in noted) == found


def test_what_is_chosen_in_the_preferences_is_what_is_set_up() -> None:
    kind = RECONSTRUCT_FACE_preferences.bl_rna.properties["hardware"]
    assert [item.identifier for item in kind.enum_items] == list(HARDWARE)
    assert [item.name for item in kind.enum_items] == [PROCESSOR.name, NVIDIA_GPU.name]
    assert kind.default == "processor"
    assert Choices(hardware="gpu").wanted is NVIDIA_GPU
    assert Choices().wanted is PROCESSOR


def test_the_preferences_offer_the_other_kind_of_backend_with_its_cost(
    add_on: Choices, monkeypatch: pytest.MonkeyPatch
) -> None:
    OPS.setup_backend()
    monkeypatch.setattr(repair, "gpu_offered", lambda: True)
    monkeypatch.setattr(repair, "preferences", lambda: object())
    for module in (repair, panel):
        monkeypatch.setattr(
            module, "draw_sentence", lambda layout, text, **_: layout.label(text=text)
        )

    def shown() -> list[tuple[str, str]]:
        noted: list[tuple[str, str]] = []
        stand_in = types.SimpleNamespace(layout=Recorder(noted))
        RECONSTRUCT_FACE_preferences.draw(stand_in, bpy.context)  # type: ignore[arg-type]
        return noted

    assert ("prop", "hardware") in shown() and ("label", NVIDIA_GPU.cost) not in shown()
    gpu = functools.partial(
        Choices, requirements=add_on.requirements, wheels=add_on.wheels, hardware="gpu"
    )
    monkeypatch.setattr(blender, "Choices", gpu)
    assert ("label", NVIDIA_GPU.cost) in shown()
    assert ("label", "The backend is ready.") in shown(), "the one that is there goes on"


def test_why_the_last_set_up_failed_is_shown_with_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Status(status.MISSING, "Not set up.", failure="The disk is full.")
    usable, buttons, text = drawn(found, monkeypatch)
    assert not usable
    assert "reconstruct_face.open_setup_log" in buttons
    assert "The disk is full." in text


def test_another_blenders_set_up_cannot_be_cancelled_here(monkeypatch: pytest.MonkeyPatch) -> None:
    usable, buttons, _ = drawn(Status(status.INSTALLING, "Another Blender."), monkeypatch)
    assert (usable, buttons) == (False, [])


def test_unregistering_ends_a_set_up(add_on: Choices, tmp_path: Path) -> None:
    slow = tmp_path / "python"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    blender.read_preferences()
    run = set_up.start_set_up("0.1.0", base=str(slow))
    reconstruct_face.unregister()
    assert (run.poll(), run.state) == (True, set_up.CANCELLED)
    assert add_on.folder is not None and not (add_on.folder / "making").exists()
    reconstruct_face.register()


def test_the_preferences_are_read(add_on: Choices, tmp_path: Path) -> None:
    """A folder stands for the Python in it; nothing that a script passes stays behind."""
    assert blender.read_preferences() == replace(add_on, online=bpy.app.online_access)
    assert blender._python_at("") == ""
    assert blender._python_at(str(tmp_path)) == str(tmp_path / "bin" / "python")
    assert blender._python_at("~/python").startswith(str(Path.home()))
