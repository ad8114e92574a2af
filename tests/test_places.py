"""Folders that are gone, cannot be written to, or were never there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from reconstruct_face.backend.bounded import Damaged, regular_size
from reconstruct_face.backend.cli import verify
from reconstruct_face.backend.errors import ModelError, OutputError
from reconstruct_face.backend.exchange.model_cards import list_models, models_folder, read_header
from reconstruct_face.backend.exchange.output import prepare_output
from reconstruct_face.backend.exchange.photo_tasks import collect
from reconstruct_face.backend.folders import VARIABLE, data_folder

from tests.errors import has, raises

ENTRY = Path(__file__).parents[1] / "backend" / "__main__.py"
ASTRONAUT = Path(__file__).parents[1] / "assets" / "astronaut.jpg"


def _no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")


def test_there_is_no_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whom the system does not know, as in containers."""
    for name in (VARIABLE, "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", _no_home)
    for folder in (data_folder, models_folder):
        with raises(OutputError, VARIABLE):
            folder()
    assert list_models() == []
    monkeypatch.setenv(VARIABLE, "~nobody-of-this-name/data")
    with raises(OutputError, VARIABLE):
        data_folder()
    monkeypatch.setenv(VARIABLE, "/data")
    assert data_folder() == Path("/data")


def _run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = 'cd "$0" && rmdir "$0" && exec "$@"'
    return subprocess.run(
        ["sh", "-c", command, str(gone), sys.executable, str(ENTRY), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("arguments", "status", "fact"),
    [
        (["reconstruct", str(ASTRONAUT), "--json"], 5, "out"),
        (["reconstruct", "a.jpg", "-o", "OUT", "--format", "none", "--no-preview"], 3, "a.jpg"),
        (["animate", "a.mp4"], 5, "out"),
        (["models", "show", "none"], 6, "none"),
    ],
)
def test_the_current_folder_is_gone(
    tmp_path: Path, arguments: list[str], status: int, fact: str
) -> None:
    out = tmp_path / "out"
    done = _run(tmp_path, *(str(out) if one == "OUT" else one for one in arguments))
    assert done.returncode == status, done.stderr
    has(done.stderr, fact)


def test_each_photo_is_collected_once_wherever_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(path: object) -> str:
        raise FileNotFoundError(2, os.strerror(2))

    out = prepare_output(tmp_path)
    real = os.path.realpath
    monkeypatch.setattr(os.path, "realpath", lambda p: real(p) if p == out else gone(p))
    assert [task.name for task in collect([ASTRONAUT, ASTRONAUT], out)] == ["astronaut"]


@pytest.mark.parametrize("taken", ["file", "pipe"])
def test_pictures_of_a_verification_go_into_a_folder(
    tmp_path: Path, taken: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asked before anything is drawn."""
    target = tmp_path / taken
    if taken == "file":
        target.write_text("mine")
    else:
        os.mkfifo(target)
    status = verify.main([str(tmp_path / "a.npz"), "--pictures", str(target)])
    assert status == OutputError.exit_status
    has(capsys.readouterr().err, target)


@pytest.mark.parametrize(
    ("most", "size", "facts"),
    [(250_000, 320_000, ("320 kB", "250 kB")), (4_000_000, 10**10, ("10,000 MB", "4 MB"))],
)
def test_sizes_of_files_in_sentences(
    tmp_path: Path, most: int, size: int, facts: tuple[str, ...]
) -> None:
    with open(tmp_path / "a", "wb") as file:
        file.truncate(size)
    with raises(Damaged, *facts):
        regular_size(tmp_path / "a", most)


@pytest.mark.seconds
def test_an_import_asks_where_it_goes_before_it_computes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reconstruct_face.backend.model.importing import importer

    from tests import bfm_files

    (tmp_path / "models").write_text("a file")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    bfm_files.write_ict(tmp_path / "FaceXModel", bfm_files.SMALL_HEAD, 2)
    monkeypatch.setattr(importer, "_complete", lambda *_: pytest.fail("it computes"))
    with raises(OutputError, tmp_path / "models"):
        importer.import_model([tmp_path / "FaceXModel"])


def test_nobody_is_told_to_remove_a_folder_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "data"))
    for folder, fact in ((tmp_path, "another"), (tmp_path / "data" / "models" / "x", "remove")):
        folder.mkdir(parents=True, exist_ok=True)
        with raises(ModelError, folder, fact):
            read_header(folder)
