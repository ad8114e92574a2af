"""The add-on's side of face models that users own: import, choice, removal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from reconstruct_face.backend.errors import ModelError
from reconstruct_face.backend.exchange.model_cards import list_models
from reconstruct_face.operators import strings
from reconstruct_face.operators.face_models import draw_models, imported, suggestions
from reconstruct_face.operators.session import SESSION

from tests.add_on import registered
from tests.errors import raises
from tests.test_installation_panels import Recorder


@pytest.fixture(autouse=True)
def _add_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("RECONSTRUCT_FACE_DATA", str(tmp_path / "data"))
    with registered():
        yield


def run(folder: Path, *names: str, **more: object) -> set[str]:
    files = [{"name": name} for name in names]
    return bpy.ops.reconstruct_face.import_model(directory=str(folder), files=files, **more)


def test_what_is_imported_is_chosen_and_listed(tmp_path: Path) -> None:
    settings = bpy.context.scene.reconstruct_face
    assert settings.options().model == "default" and imported() == []
    assert run(tmp_path, "BFM.mat", "exp_80k.npz", name="mine") == {"FINISHED"}
    assert settings.options().model == "mine" and settings.options().expressions == "native"
    assert [card.name for card in imported()] == ["mine"] == [card.name for card in list_models()]
    assert suggestions(None, None, "") == ["default", "mine"]
    settings.expressions = "arkit"
    assert settings.options().expressions == "arkit"


def test_one_shape_of_a_folder_stands_for_the_folder(tmp_path: Path) -> None:
    (tmp_path / "bad FaceXModel").mkdir()
    with raises(RuntimeError, "bad FaceXModel"):
        run(tmp_path / "bad FaceXModel", "jawOpen.obj")
    assert SESSION.failure is not None and SESSION.failure.code == ModelError.code


def test_a_name_that_is_taken_needs_replace(tmp_path: Path) -> None:
    run(tmp_path, "BFM.mat", name="mine")
    with raises(RuntimeError, "'mine'"):
        run(tmp_path, "other.mat", name="mine")
    assert run(tmp_path, "other.mat", name="mine", replace=True) == {"FINISHED"}


def test_a_file_that_is_refused_changes_nothing(tmp_path: Path) -> None:
    with raises(RuntimeError, "bad.mat"):
        run(tmp_path, "bad.mat")
    assert bpy.context.scene.reconstruct_face.model == "default" and imported() == []
    with raises(RuntimeError, strings.CHOOSE_MODEL):
        bpy.ops.reconstruct_face.import_model()


def test_scenes_leave_a_model_that_is_removed(tmp_path: Path) -> None:
    run(tmp_path, "BFM.mat", name="mine")
    assert bpy.ops.reconstruct_face.remove_model(name="mine") == {"FINISHED"}
    assert bpy.context.scene.reconstruct_face.model == "default" and imported() == []
    with raises(RuntimeError, "'mine'", "'default'"):
        bpy.ops.reconstruct_face.remove_model(name="mine")


def test_the_preferences_list_what_there_is(tmp_path: Path) -> None:
    run(tmp_path, "BFM.mat", name="mine")
    broken = tmp_path / "data" / "models" / "broken"
    broken.mkdir()
    drawn: list[tuple[str, str]] = []

    class Buttons(Recorder):
        """An operator's button has properties to set."""

        def column(self, **_: object) -> Buttons:
            return self

        row = column

        def operator(self, name: str, **_: object) -> SimpleNamespace:
            drawn.append(("operator", name))
            return SimpleNamespace()

    draw_models(Buttons(drawn))  # type: ignore[arg-type]
    texts = [text for _, text in drawn]
    assert any(text.startswith("mine: 5 vertices") for text in texts)
    assert any("broken: " in text and "remove it" in text for text in texts)
    assert texts.count("reconstruct_face.remove_model") == 2
    assert texts[-1] == "reconstruct_face.import_model"
    assert suggestions(None, None, "") == ["default", "mine"]
