"""Standard streams of every kind, and names of files that hold anything."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from reconstruct_face.backend import files
from reconstruct_face.backend.cli import reconstruct as cli
from reconstruct_face.backend.cli.run import Outcome
from reconstruct_face.backend.errors import FaceError, OutputError, shown
from reconstruct_face.backend.exchange.output import write_json
from reconstruct_face.backend.exchange.photo_tasks import PhotoTask, collect
from reconstruct_face.backend.files import LONGEST_NAME, plain_name, write_bytes
from reconstruct_face.backend.verify.report import html_report

from tests.errors import raises

ROOT = Path(__file__).parents[1]
ENTRY = ROOT / "backend" / "__main__.py"
ASTRONAUT = ROOT / "assets" / "astronaut.jpg"
COMMAND = f'"{sys.executable}" "{ENTRY}"'
ESCAPE = "\x1b[31mred\x1b[0m\x07"


def shell(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | environment,
        errors="surrogateescape",
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("plain", "plain"),
        ("Zoë 日本 😀", "Zoë 日本 😀"),
        (ESCAPE, "\\x1b[31mred\\x1b[0m\\x07"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("J\udcfcrgen", "J\\xfcrgen"),
        ("\ud800", "\\ud800"),
        ("gpj.\u202eexe", "gpj.\\u202eexe"),
        ("\x9b2J", "\\x9b2J"),
    ],
)
def test_what_a_terminal_may_show(text: str, told: str) -> None:
    assert shown(text) == told == shown(told)
    assert str(FaceError(f"There is no {text}.")) == f"There is no {told}."
    assert shown("a\nb", "\n") == "a\nb"


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("anna", "anna"),
        ("Zoë und 日本", "Zoë und 日本"),
        ("J\udcfcrgen", "J%FCrgen"),
        ("a\x1bb\nc", "a%1Bb%0Ac"),
        ("\ud800", "%3F"),
    ],
)
def test_names_of_results(stem: str, name: str) -> None:
    assert plain_name(stem) == name == plain_name(name)


@pytest.mark.parametrize("letter", ["x", "ü", "日", "😀", "\udcfc"])
@pytest.mark.parametrize("length", [199, 201, 240, 5000])
def test_long_names_are_cut(letter: str, length: int) -> None:
    name = plain_name(letter * length)
    assert LONGEST_NAME - 4 <= len(name.encode()) <= LONGEST_NAME or length < LONGEST_NAME
    assert name == plain_name(name)


def test_long_names_that_begin_alike_get_numbers(tmp_path: Path) -> None:
    photos = [tmp_path / ("x" * 240 + end + ".jpg") for end in "ab"]
    for photo in photos:
        photo.write_bytes(photo.name.encode())
    first, second = collect(photos, tmp_path)
    assert second.name == first.name + "_2" and len(first.name) == LONGEST_NAME


def test_json_of_any_path(tmp_path: Path) -> None:
    path = os.fsdecode(b"/photos/J\xfcrgen \xf0\x9f\x98\x80.jpg")
    write_json(tmp_path / "a.json", {"photo": path})
    assert os.fsencode(json.loads((tmp_path / "a.json").read_bytes())["photo"]) == os.fsencode(path)


def test_a_written_file_has_a_name_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    # The one name that could be guessed, and the worst case of the others.
    (tmp_path / f".a.json.{os.getpid()}.part").symlink_to(victim)
    monkeypatch.setattr(files.secrets, "token_hex", lambda count: "guessed")
    (tmp_path / ".guessed.part").symlink_to(victim)
    with raises(OutputError, tmp_path / "a.json"):
        write_bytes(tmp_path / "a.json", b"x")
    monkeypatch.undo()
    (tmp_path / "a.json").symlink_to(victim)
    write_bytes(tmp_path / "a.json", b"x")
    assert victim.read_text() == "mine"
    assert (tmp_path / "a.json").read_bytes() == b"x" and not (tmp_path / "a.json").is_symlink()


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    for path in (tmp_path / "no folder" / "a", tmp_path / ("x" * 300), tmp_path / "a\0b"):
        with raises(OutputError):
            write_bytes(path, b"x")
    (tmp_path / "folder").mkdir()
    with raises(OutputError, "folder"):
        write_bytes(tmp_path / "folder", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_the_report_shows_no_code() -> None:
    page = html_report([], [(f"a<b>{ESCAPE}\udcfc", f"There is no <script>{ESCAPE}")])
    assert page.encode() and "\x1b" not in page and "<script>" not in page and "\\xfc" in page


@pytest.mark.parametrize("redirection", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(redirection: str, tmp_path: Path) -> None:
    done = shell(f"{COMMAND} models list {redirection}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert ("default" in done.stdout) == (">&-" not in redirection.replace("2>&-", ""))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_full_streams(tmp_path: Path) -> None:
    done = shell(f"{COMMAND} models list > /dev/full", tmp_path)
    assert done.returncode == OutputError.exit_status and "full" in done.stderr
    assert shell(f"{COMMAND} models show none 2> /dev/full", tmp_path).returncode == 6
    told = shell(f"{COMMAND} models --help > /dev/full", tmp_path)
    assert told.returncode == OutputError.exit_status and "full" in told.stderr


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    done = shell(f"{COMMAND} models list | true", tmp_path)
    assert done.returncode == 0 and done.stderr == ""


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_letters_that_a_stream_lacks(encoding: str, tmp_path: Path) -> None:
    done = shell(f"{COMMAND} models show '😀'", tmp_path, PYTHONIOENCODING=encoding)
    assert done.returncode == 6
    assert ("😀" if encoding == "utf-8" else "\\U0001f600") in done.stderr


def test_escape_codes_in_names_and_options(tmp_path: Path) -> None:
    for line in (f"reconstruct '{ESCAPE}'", f"models show '{ESCAPE}'", f"reconstruct --{ESCAPE}"):
        done = shell(f"{COMMAND} {line}", tmp_path)
        assert done.returncode and "\x1b" not in done.stdout + done.stderr
        assert "\\x1b[31mred" in done.stderr


def test_a_line_break_in_a_name_makes_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    task = PhotoTask(Path("a\nreconstruct: b.jpg"), "a", "")
    with cli._Progress(argparse.Namespace(quiet=False, json=False)) as show:
        show.outcome(Outcome(task, "failed", error=FaceError("It is none.")), Path("out"))
        show.outcome(Outcome(task, "ok", {"a": ["a.npz"]}, ["A warning."]), Path("out"))
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1 and len(err.splitlines()) == 2
    assert (out + err).count("a\\nreconstruct: b.jpg") == 3


@pytest.mark.slow
def test_photos_of_all_these_names_are_done(tmp_path: Path) -> None:
    """Through the real Blender, with streams that are closed or full."""
    names = [b"J\xfcrgen.jpg", b"y" * 240 + b".jpg", "😀\x1b[31m.jpg".encode()]
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, name in enumerate(names):
        path = photos / os.fsdecode(name)
        path.write_bytes(ASTRONAUT.read_bytes() + bytes([number]))  # a photo of its own
    line = f"{COMMAND} reconstruct photos -o out --format blend,glb,fbx,obj,usd --no-preview"
    done = shell(f"{line} <&- > /dev/full", tmp_path, PYTHONIOENCODING="latin-1")
    assert done.returncode == OutputError.exit_status, done.stderr
    out = tmp_path / "out"
    for name in ("J%FCrgen", "y" * LONGEST_NAME, "😀%1B[31m"):
        for suffix in (".blend", ".glb", ".fbx", ".obj", ".mtl", ".usdz", ".npz", ".json"):
            assert (out / f"{name}{suffix}").stat().st_size > 0
    document = json.loads((out / "J%FCrgen.json").read_text())
    assert os.fsencode(document["photo"]).endswith(names[0])
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    again = shell(f"{line} --json", tmp_path)
    assert again.returncode == 0
    assert [photo["status"] for photo in json.loads(again.stdout)["photos"]] == ["skipped"] * 3
