"""What users get wrong, through the real command in new processes; nothing is replaced here."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.errors import has

ROOT = Path(__file__).parents[1]
ENTRY = ROOT / "backend" / "__main__.py"
QUICK = ("--format", "none", "--no-preview")


def reconstruct(*arguments: str | Path, **keywords) -> subprocess.CompletedProcess[str]:
    """The command by its path, as on a machine where the project is not installed."""
    return subprocess.run(
        [sys.executable, str(ENTRY), "reconstruct", *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        **keywords,
    )


def _folder(path: Path) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("no picture")


def _truncated(path: Path) -> None:
    data = (ROOT / "assets" / "astronaut.jpg").read_bytes()
    path.write_bytes(data[: len(data) // 4])  # the chin is missing


def _huge(path: Path) -> None:
    Image.MAX_IMAGE_PIXELS, limit = None, Image.MAX_IMAGE_PIXELS
    Image.new("1", (20_000, 20_000)).save(path, "PNG")
    Image.MAX_IMAGE_PIXELS = limit


def _noise(path: Path) -> None:
    rng = np.random.default_rng(0)
    smooth = cv2.resize(rng.integers(0, 255, (30, 40, 3), np.uint8), (400, 300))
    cv2.imencode(".png", smooth)[1].tofile(path)


BAD = {
    "missing": (lambda path: None, 3, "photo", ()),
    "folder": (_folder, 3, "photo", ("folder",)),
    "empty": (lambda path: path.write_bytes(b""), 3, "photo", ("0 bytes",)),
    "truncated": (_truncated, 3, "photo", ("512 x 512",)),
    "text": (lambda path: path.write_text("I am no JPEG.\n" * 50), 3, "photo", ("text", "JPEG")),
    "one_pixel": (lambda path: Image.new("RGB", (1, 1)).save(path, "PNG"), 3, "photo", ("1 x 1",)),
    "huge": (_huge, 3, "photo", ("20000 x 20000",)),
    "no_face": (_noise, 4, "no_face", ("400 x 300",)),
}


@pytest.mark.parametrize("case", BAD)
def test_one_clear_sentence_the_right_status_and_nothing_left(case: str, tmp_path: Path) -> None:
    make, status, code, facts = BAD[case]
    photo = tmp_path / f"Zoë und 日本 {case}.jpg"
    make(photo)
    out = tmp_path / "out"
    done = reconstruct(photo, "-o", out, "--json", *QUICK)
    assert done.returncode == status, done.stderr
    said = done.stderr.strip().splitlines()
    assert len(said) == 1, "one sentence"
    has(said[0], f"Zoë und 日本 {case}.jpg", *facts)
    assert said[0].endswith("."), said[0]
    document = json.loads(done.stdout)
    assert document["exit_status"] == status
    error = document["photos"][0]["error"]
    assert (error["code"], error["exit_status"]) == (code, status)
    left = {"summary.csv"} if case == "folder" else set()  # a folder's run says what became of it
    assert {path.name for path in out.rglob("*")} == left


def test_bad_model_files(tmp_path: Path, astronaut: Path) -> None:
    damaged = tmp_path / "model.npz"
    damaged.write_bytes(b"PK but no model")
    for model in (tmp_path / "none.npz", damaged):
        done = reconstruct(astronaut, "-o", tmp_path / "out", "--model", model, *QUICK)
        assert done.returncode == 6, done.stderr
        has(done.stderr, model)
    assert list((tmp_path / "out").rglob("*")) == []


def test_a_face_that_is_not_there(tmp_path: Path, astronaut: Path) -> None:
    done = reconstruct(astronaut, "-o", tmp_path / "out", "--face", "2", *QUICK)
    assert done.returncode == 4
    has(done.stderr, "astronaut.jpg", "face 2")


def test_half_a_face_is_told(tmp_path: Path, astronaut: Path) -> None:
    """Found or not: there is a sentence that says why the result is poor or absent."""
    with Image.open(astronaut) as picture:
        picture.crop((0, 0, 222, 512)).save(tmp_path / "half.png")
    done = reconstruct(tmp_path / "half.png", "-o", tmp_path / "out", *QUICK)
    assert done.returncode in (0, 4), done.stderr
    has(done.stderr, "half.png" if done.returncode else "warning")


def test_a_path_with_spaces_and_letters_of_the_world(tmp_path: Path, astronaut: Path) -> None:
    photo = tmp_path / "Zoë & Löwe's フォト.jpg"
    shutil.copy(astronaut, photo)
    done = reconstruct(photo, "-o", tmp_path / "für alle", *QUICK)
    assert done.returncode == 0, done.stderr
    assert {p.name for p in (tmp_path / "für alle").iterdir()} == {
        f"{photo.stem}.npz",
        f"{photo.stem}.json",
    }


def _limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))


def test_an_output_that_fills_up_leaves_nothing(tmp_path: Path, astronaut: Path) -> None:
    """The limit on file sizes binds root too, and strikes in the middle of writing."""
    out = tmp_path / "out"
    done = reconstruct(astronaut, "-o", out, *QUICK, preexec_fn=_limit_files)
    assert done.returncode == 5, done.stderr
    has(done.stderr, "head.npz", os.strerror(errno.EFBIG))
    assert list(out.rglob("*")) == []


@pytest.mark.parametrize("kind", ["file", "below a file", "proc"])
def test_output_that_is_no_folder(kind: str, tmp_path: Path, astronaut: Path) -> None:
    (tmp_path / "file").write_text("mine")
    out = {"file": tmp_path / "file", "below a file": tmp_path / "file" / "x"}.get(
        kind, Path("/proc/heads")
    )
    done = reconstruct(astronaut, "-o", out, "--json", *QUICK)
    assert done.returncode == 5
    assert len(done.stderr.strip().splitlines()) == 1
    assert json.loads(done.stdout)["error"]["code"] == "output"
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("number", "status", "behaviour"),
    [
        (signal.SIGINT, 130, "hang"),
        (signal.SIGTERM, 143, "hang"),
        (signal.SIGTERM, 143, "late"),  # it is still starting
    ],
    ids=["int", "term", "starting"],
)
def test_interrupting_cleans_up(
    number: int,
    status: int,
    behaviour: str,
    tmp_path: Path,
    astronaut: Path,
    fake_blender: Callable[[str], dict[str, str]],
) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, str(ENTRY), "reconstruct", str(astronaut), "-o", str(out)],
        env=fake_blender(behaviour),
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs, CI's among them, are born with the signal ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    end = time.monotonic() + 200
    while not list(out.glob(".astronaut.*/*.npz")):  # Blender has begun to build
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.1)
    time.sleep(0.5)
    process.send_signal(number)
    _, said = process.communicate(timeout=40)  # Blender would be done after 60 s
    assert process.returncode == status, said
    assert "Traceback" not in said
    assert list(out.rglob("*")) == []


def test_the_worker_answers_by_its_path_without_the_project_installed(
    tmp_path: Path, astronaut: Path
) -> None:
    """From another folder under another name, as Blender keeps extensions."""
    copy = tmp_path / "user_default" / "some name"
    copy.mkdir(parents=True)
    for name in ("backend", "assets"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "__init__.py", copy)
    with open(copy / "backend" / "worker.py", "a") as file:
        file.write('METHODS["ping"] = lambda progress: {"from": __file__}\n')
    requests = [
        {"method": "ping", "params": {}},
        {
            "method": "reconstruct",
            "params": {"photo": str(astronaut), "out_dir": str(tmp_path / "out")},
        },
        {"method": "reconstruct", "params": {"photo": "/no.jpg", "out_dir": str(tmp_path)}},
        {
            "method": "preview",
            "params": {
                "npz": str(tmp_path / "out" / "astronaut.npz"),
                "out": str(tmp_path / "out" / "preview.png"),
            },
        },
        {
            "method": "contact_sheet",
            "params": {
                "previews": [str(tmp_path / "out" / "preview.png")],
                "titles": ["astronaut"],
                "out": str(tmp_path / "out" / "sheet.jpg"),
            },
        },
    ]
    lines = [json.dumps({"id": i, **request}) for i, request in enumerate(requests)]
    done = subprocess.run(
        [sys.executable, str(copy / "backend" / "__main__.py"), "worker"],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
    )
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert messages[0]["hello"] == 1
    answers = {m["id"]: m for m in messages if "result" in m or "error" in m}
    assert answers[0]["result"] == {"from": str(copy / "backend" / "worker.py")}
    result = answers[1]["result"]
    assert result["files"] == [str(tmp_path / "out" / "astronaut.npz")]
    assert len(result["windows"][0]) == 4
    assert answers[2]["error"]["code"] == "photo"
    for i, name in ((3, "preview.png"), (4, "sheet.jpg")):
        with Image.open(answers[i]["result"]["file"]) as picture:
            assert Path(picture.filename).name == name
            assert picture.width > 400


@pytest.mark.parametrize(("arguments", "status"), [([], 2), (["nonsense"], 2), (["--help"], 0)])
def test_the_entry_names_its_commands(arguments: list[str], status: int) -> None:
    done = subprocess.run([sys.executable, str(ENTRY), *arguments], capture_output=True, text=True)
    assert done.returncode == status
    named = re.search(r"\{(.*)\}", done.stdout + done.stderr)
    assert named
    expected = {"reconstruct", "bench", "worker", "synthesise", "train", "models", "verify"}
    assert expected <= set(named[1].split(","))
