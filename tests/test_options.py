"""The one list of options: every way of asking for a reconstruction takes all of it."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import importlib.util
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import pytest
import reconstruct_face
from reconstruct_face.backend import pipeline, worker
from reconstruct_face.backend.cli import animate as animate_command
from reconstruct_face.backend.cli import reconstruct as reconstruct_command
from reconstruct_face.backend.errors import FaceError, OptionError, error_from_code
from reconstruct_face.backend.exchange import load_reconstruction, save_reconstruction
from reconstruct_face.backend.exchange.arguments import options_of
from reconstruct_face.backend.exchange.batch import BatchOptions
from reconstruct_face.backend.exchange.formats import FORMATS, PHOTO_SUFFIXES
from reconstruct_face.backend.exchange.options import (
    ABOUT,
    ESTIMATES,
    EXPRESSIONS,
    QUALITIES,
    TEXTURE_MODES,
    Options,
    phrase,
)
from reconstruct_face.operators.presets import VALUES
from reconstruct_face.operators.settings import PROPERTIES
from reconstruct_face.scene import api, command, jobs
from reconstruct_face.scene.backend_process import BackendProcess
from reconstruct_face.scene.batch import run_batch

from tests.in_process import InProcess
from tests.synthetic_reconstruction import make_reconstruction

ROOT = Path(__file__).resolve().parents[1]
NAMES = [field.name for field in dataclasses.fields(Options)]
#: Of every option a value that is not its default, as JSON has it.
OTHER: dict[str, Any] = {
    "face": 2,
    "texture": "photo",
    "texture_size": 512,
    "model": "mine",
    "estimate": "landmarks",
    "quality": "fast",
    "landmarks": False,
    "corrected": [[3, 4.5, 6.0]],
    "thorough": False,
    "expressions": "arkit",
    "network": "theirs",
    "bust": True,
    "rig": True,
    "parts": True,
    "detail": True,
    "hair": "none",
    "hair_density": 60,
    "hair_length": 130,
    "hair_colour": "red",
    "brows": False,
    "beard": False,
    "force_person": True,
}
#: What no command line asks for: landmarks are dragged, and the panel knows what it showed.
WITHOUT_FLAG = {"corrected", "thorough"}
#: What the sidebar has no setting of its own for; its operators add them.
WITHOUT_PROPERTY = {"face", "corrected", "thorough"}

each = pytest.mark.parametrize("name", NAMES)


def other(name: str) -> Options:
    return Options(**{name: OTHER[name]})


class Recorder(BackendProcess):
    """A backend process that is never started: it keeps what it is asked, and has one head."""

    asked: dict[str, Any]

    def _call(self, method: str, params: dict[str, Any], **_: Any) -> dict[str, Any]:
        assert method == "reconstruct"
        type(self).asked = json.loads(json.dumps(params))
        head = make_reconstruction(rows=8, columns=10, photo_path=params["photo"])
        file = save_reconstruction(head, Path(params["out_dir"]) / "face1.npz")
        return {"files": [str(file)], "windows": [[0.0, 0.0, 9.0, 9.0]], "warnings": []}

    @classmethod
    def options(cls) -> Options:
        """What the worker would make of what was asked, which has to be all of them."""
        asked = {key: value for key, value in cls.asked.items() if key not in ("photo", "out_dir")}
        assert list(asked) == NAMES
        return Options.from_dict(asked)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "ada.jpg"
    path.write_bytes(b"x")
    return path


@pytest.fixture
def recorder() -> Iterator[type[Recorder]]:
    """The backend of all jobs."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    jobs.use_backend(lambda: Recorder(command=["never started"]))
    yield Recorder
    jobs.use_backend(BackendProcess)


def test_every_option_is_tried() -> None:
    assert list(OTHER) == NAMES == list(ABOUT)
    assert all(other(name) != Options() for name in NAMES)
    assert {name for name in NAMES if not ABOUT[name].flag} == WITHOUT_FLAG
    assert pipeline.Options is Options


# Functions


@each
def test_the_worker_takes_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Options] = []
    monkeypatch.setattr(
        worker, "reconstruct", lambda photo, options, _: found.append(options) or []
    )
    method, where = worker.METHODS["reconstruct"], {"photo": "a.jpg", "out_dir": str(tmp_path)}
    method(**where, progress=print, **{name: OTHER[name]})
    method(**where, progress=print, **json.loads(json.dumps(other(name).to_dict())))
    assert found == [other(name)] * 2


@each
def test_the_backend_process_takes_it(name: str, photo: Path, recorder: type[Recorder]) -> None:
    process = recorder(command=["never started"])
    for given in ((other(name),), ()):
        process.reconstruct(photo, *given, **({} if given else {name: OTHER[name]}))
        assert recorder.options() == other(name)


@each
def test_jobs_take_it(name: str, photo: Path, recorder: type[Recorder]) -> None:
    jobs.start_reconstruction(photo, **{name: OTHER[name]}).result()
    assert recorder.options() == other(name)
    jobs.start_reconstruction(photo, other(name)).result()
    assert recorder.options() == other(name)


@each
def test_scripts_in_blender_give_it_by_name(
    name: str, photo: Path, recorder: type[Recorder]
) -> None:
    head = reconstruct_face.reconstruct(photo, **{name: OTHER[name]})
    assert isinstance(head, bpy.types.Object)
    assert recorder.options() == other(name)
    process = recorder(command=["never started"])
    api.reconstruct(photo, options=other(name), backend=process, texture_size=1024)
    assert recorder.options() == dataclasses.replace(other(name), texture_size=1024)


@each
def test_the_batch_takes_and_records_it(
    name: str, photo: Path, recorder: type[Recorder], tmp_path: Path
) -> None:
    options = BatchOptions(other(name), formats=(), preview=False)
    process = recorder(command=["never started"])
    run_batch([photo], tmp_path / "out", options, backend=process, report=lambda line: None)
    assert recorder.options() == other(name)
    record = json.loads((tmp_path / "out" / "ada.json").read_text())["run"]["request"]
    wanted = other(name).to_dict() | {"formats": [], "preview": False}
    for switch in ("force_person", "detail"):
        if not wanted[switch]:  # so that what older versions finished counts as finished
            del wanted[switch]
    assert record == wanted


def test_no_function_lists_them_again() -> None:
    functions = (
        pipeline.reconstruct, worker.reconstruct_photo, BackendProcess.reconstruct,
        BackendProcess.reconstruct_to, jobs.start_reconstruction, api.reconstruct, run_batch,
    )  # fmt: skip
    for function in functions:
        assert not set(NAMES) & set(inspect.signature(function).parameters), function
    assert [field.name for field in dataclasses.fields(BatchOptions)] == [
        "options", "formats", "preview", "force", "compact", "person",
    ]  # fmt: skip


def listed_in(path: Path) -> Iterator[set[object]]:
    """The values in every tuple, list and set that is written out in a file.

    Of tuples in these it is their first value.  Dictionaries say something about each value, and
    are held against the list by the tests of what they say.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            items = [item.elts[0] if _is_row(item) else item for item in node.elts]
            yield {item.value for item in items if isinstance(item, ast.Constant)}


def _is_row(item: ast.expr) -> bool:
    return isinstance(item, ast.Tuple) and bool(item.elts)


@pytest.mark.parametrize("room", ["backend", "scene", "operators", "panels", "examples"])
def test_choices_formats_and_suffixes_are_written_once(room: str) -> None:
    lists = [set(values) for values in (TEXTURE_MODES, ESTIMATES, QUALITIES, EXPRESSIONS, FORMATS)]
    for path in sorted((ROOT / room).rglob("*.py")):
        if path.parent == ROOT / "backend" / "exchange":
            continue
        for values in listed_in(path):
            assert values not in lists, f"{path}: {values}"
            assert len(values & set(PHOTO_SUFFIXES)) < 6, f"{path}: {values}"


# Command lines


def words(name: str) -> list[str]:
    """The option on a command line."""
    flag = ABOUT[name].flag
    return [flag] if isinstance(OTHER[name], bool) else [flag, str(OTHER[name])]


def example() -> Any:
    spec = importlib.util.spec_from_file_location("folder", ROOT / "examples" / "03_folder.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", [name for name in NAMES if name not in WITHOUT_FLAG])
def test_command_lines_take_it(
    name: str, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Options] = []
    monkeypatch.setattr(
        pipeline, "reconstruct", lambda photo, options, _: found.append(options) or []
    )
    monkeypatch.setattr(reconstruct_command, "Estimator", InProcess)
    rest = [str(photo), "-o", str(tmp_path / "out")]
    numbers = ["--format", "none", "--no-preview", "--quiet"]
    assert reconstruct_command.main([*rest, *numbers, *words(name)]) == 0
    monkeypatch.setattr(
        command, "_reconstruct", lambda photo, options, _, compact: found.append(options)
    )
    assert command.run([str(photo), "-o", str(tmp_path / "a.glb"), *words(name)]) == 0
    found.append(options_of(example()._parser().parse_args([*rest, *words(name)])))
    assert found == [other(name)] * 3


def test_the_command_lines_help_is_the_same() -> None:
    kept = {name: ABOUT[name].flag for name in NAMES if name not in WITHOUT_FLAG}
    parsers: list[argparse.ArgumentParser] = [
        reconstruct_command._parser(), command._parser(), example()._parser(),
    ]  # fmt: skip
    for parser in parsers:
        actions = {action.dest: action for action in parser._actions}
        for name, flag in kept.items():
            assert actions[name].option_strings == [flag]
            assert actions[name].default == getattr(Options(), name)
            assert tuple(actions[name].choices or ()) == ABOUT[name].values
            assert actions[name].help.startswith(phrase(ABOUT[name].tip))
        assert actions["compact"].option_strings == ["--compact"]
        parser.format_help()  # a stray % fails here
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{flag}" in readme for flag in kept.values())


def test_the_heads_of_videos_have_some_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parse = animate_command._parser().parse_args
    base = animate_command._HEAD
    assert options_of(parse(["a.mp4"]), base) == base == Options(texture_size=1024)
    asked = ["--model", "m", "--expressions", "arkit", "--quality", "best", "--texture-size", "512"]
    wanted = Options(texture_size=512, model="m", quality="best", expressions="arkit")
    assert options_of(parse(["a.mp4", *asked]), base) == wanted
    rest = ["a.mp4", "-o", str(tmp_path), "--quiet"]
    assert animate_command.main([*rest, "--texture-size", "7"]) == OptionError.exit_status
    assert "texture_size is 7" in capsys.readouterr().err


# The sidebar


@pytest.fixture
def settings(recorder: type[Recorder]) -> Iterator[bpy.types.PropertyGroup]:
    reconstruct_face.register()
    yield bpy.context.scene.reconstruct_face
    reconstruct_face.unregister()


def test_the_sidebar_has_every_option(settings: Any) -> None:
    assert set(PROPERTIES) | WITHOUT_PROPERTY == set(NAMES)
    assert not set(PROPERTIES) & WITHOUT_PROPERTY
    assert tuple(PROPERTIES.values()) == VALUES, "and so do its presets"
    assert settings.options() == Options()
    for name, of_ours in PROPERTIES.items():
        value = str(OTHER[name]) if ABOUT[name].offered else OTHER[name]
        setattr(settings, of_ours, value)
        assert settings.options() == other(name)
        settings.property_unset(of_ours)
    for name in WITHOUT_PROPERTY:
        assert settings.options(**{name: OTHER[name]}) == other(name)


def test_its_properties_are_described_as_the_options(settings: Any) -> None:
    for name, of_ours in PROPERTIES.items():
        known, about, default = settings.bl_rna.properties[of_ours], ABOUT[name], Options()
        assert known.name == about.label
        assert known.description.removeprefix("Off: ").lower() == about.tip.lower()
        assert str(known.default) == str(getattr(default, name))
        if known.type == "ENUM":
            items = [(x.identifier, x.name, x.description) for x in known.enum_items]
            choices = about.choices or about.offered
            assert items == [(x.value, x.label, x.tip) for x in choices]
        else:
            assert not about.choices and not about.offered


def test_the_buttons_ask_with_them(settings: Any, photo: Path, recorder: type[Recorder]) -> None:
    settings.photo, settings.network, settings.face = str(photo), "theirs", 2
    assert bpy.ops.reconstruct_face.reconstruct() == {"FINISHED"}
    asked = recorder.options()
    assert (asked.network, asked.face) == ("theirs", 2)
    assert bpy.ops.reconstruct_face.refit() == {"FINISHED"}
    assert recorder.options().network == "theirs"
    settings.estimate = "landmarks"  # which asks no network: the panel greys it out
    assert bpy.ops.reconstruct_face.reconstruct() == {"FINISHED"}
    assert recorder.options().network == ""


# Values


@pytest.mark.parametrize(
    ("name", "value"),
    [("face", None), ("face", "2"), ("texture", ["photo"]), ("texture_size", "big")]
    + [("texture_size", True), ("texture_size", 512.0), ("model", None), ("model", 3)]
    + [("estimate", ""), ("quality", "Best"), ("landmarks", 1), ("landmarks", "no")]
    + [("corrected", 7), ("corrected", "ab"), ("thorough", None), ("expressions", "ARKit")]
    + [("network", None), ("bust", 1), ("rig", 1), ("parts", "yes"), ("colour", "red"), ("Face", 1)]
    + [("hair_density", 9), ("hair_length", 1.5), ("hair_colour", "#ff0000")],
)
def test_what_is_none_is_told_in_a_sentence(
    name: str, value: object, photo: Path, recorder: type[Recorder]
) -> None:
    del recorder
    calls = (
        lambda: Options.from_dict({name: value}),
        lambda: api.reconstruct(photo, **{name: value}),
        lambda: jobs.start_reconstruction(photo, **{name: value}),
        lambda: BackendProcess(command=["no"]).reconstruct(photo, **{name: value}),
        lambda: worker.reconstruct_photo(
            photo="a.jpg", out_dir="/nowhere", progress=print, **{name: value}
        ),
    )
    for call in calls:
        with pytest.raises(OptionError) as caught:
            call()
        assert isinstance(caught.value, ValueError) and isinstance(caught.value, FaceError)
        text = str(caught.value)
        assert text.endswith(".") and "\n" not in text and "give" in text
        assert name in text or name == "corrected"
    assert type(error_from_code(OptionError.code, "x")) is OptionError, "also over the wire"


def test_formats_that_are_none() -> None:
    with pytest.raises(OptionError, match="stl"):
        BatchOptions(formats=("blend", "stl"))


def test_a_head_keeps_the_options_it_was_made_with(tmp_path: Path) -> None:
    options = Options(corrected=[(9, 1, 2), (3, 4.5, 6)], face=2, quality="best")
    head = dataclasses.replace(make_reconstruction(), provenance={"options": options.to_dict()})
    again = load_reconstruction(save_reconstruction(head, tmp_path / "a.npz"))
    assert again.provenance["options"] == options.to_dict()
    assert Options.from_dict(again.provenance["options"]) == options


BARE = """
import importlib, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in {*sys.stdlib_module_names, "reconstruct_face"}:
            raise ImportError(f"{name} is not of the standard library")

sys.meta_path.insert(0, Blocker())
for name in ("options", "arguments", "formats", "photo_tasks", "model_cards"):
    importlib.import_module(f"reconstruct_face.backend.exchange.{name}")
assert "numpy" not in sys.modules
"""


def test_they_need_the_standard_library_alone() -> None:
    subprocess.run([sys.executable, "-c", BARE], check=True, cwd=ROOT)
