"""Pipes, devices, folders, links to themselves and names of any length in the place of files."""

from __future__ import annotations

import json
import os
import shutil
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from reconstruct_face.backend import bounded
from reconstruct_face.backend.bounded import Damaged, open_regular, regular_size
from reconstruct_face.backend.errors import ModelError, PhotoError, TrainingError
from reconstruct_face.backend.exchange.batch import BatchOptions, finished_faces
from reconstruct_face.backend.exchange.photo_tasks import collect, read_record
from reconstruct_face.backend.model.importing.recognise import recognise
from reconstruct_face.backend.model.load import load_model
from reconstruct_face.backend.photo import read_photo
from reconstruct_face.backend.training.config import read_config

from tests.errors import raises

ASTRONAUT = Path(__file__).parents[1] / "assets" / "astronaut.jpg"
ROOT_MAY_READ_ALL = hasattr(os, "geteuid") and os.geteuid() == 0


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _link_to_fifo(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _itself(path: Path) -> None:
    path.symlink_to(path.name)


def _lacking(path: Path) -> None:
    path.symlink_to("nothing")


def _device(path: Path) -> None:
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))
    except PermissionError:
        path.symlink_to("/dev/urandom")


def _folder(path: Path) -> None:
    path.mkdir()


NO_FILES = [_fifo, _link_to_fifo, _endless, _itself, _lacking, _device, _folder]
Make = Callable[[Path], None]


def within(seconds: float, act: Callable[[], object]) -> None:
    """``act`` ends in time; its errors are raised here."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "it hangs"
    if raised:
        raise raised[0]


@pytest.mark.parametrize("make", NO_FILES)
def test_nothing_but_a_file_is_opened(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    make(path)
    with pytest.raises((OSError, Damaged)):
        within(5, lambda: open_regular(path, 100))


def test_a_pipe_put_in_a_files_place_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x")
    real = bounded._checked_size

    def then_replaced(found: os.stat_result, most: int) -> int:
        if stat.S_ISREG(found.st_mode):
            path.unlink()
            os.mkfifo(path)
        return real(found, most)

    monkeypatch.setattr(bounded, "_checked_size", then_replaced)
    before = len(os.listdir("/proc/self/fd"))
    with raises(Damaged):
        within(5, lambda: open_regular(path, 100))
    assert len(os.listdir("/proc/self/fd")) == before


ENDLESS = Path(
    "/proc/kmsg"
)  # claims to be a regular file; reading it waits for the kernel to speak


@pytest.mark.skipif(not os.access(ENDLESS, os.R_OK), reason="only root may read it, on Linux")
def test_what_only_claims_to_be_a_file_is_empty(tmp_path: Path) -> None:
    found = []
    within(5, lambda: found.append(open_regular(ENDLESS, 100).read()))
    assert found == [b""]
    with raises(Damaged):
        regular_size(ENDLESS, 100)
    (tmp_path / "a.png").symlink_to(ENDLESS)
    (tmp_path / "b.jpg").symlink_to(ASTRONAUT)
    tasks = []
    within(5, lambda: tasks.extend(collect([tmp_path], tmp_path / "out")))
    assert [task.digest[:8] for task in tasks] == ["e3b0c442", "af15b18c"]
    with raises(PhotoError, "a.png"):
        within(5, lambda: read_photo(tasks[0].photo))


@pytest.mark.parametrize("make", NO_FILES)
@pytest.mark.parametrize(
    ("kind", "suffix", "read"),
    [
        (PhotoError, ".jpg", read_photo),
        (ModelError, ".npz", lambda path: load_model(str(path))),
        (ModelError, ".mat", recognise),
        (TrainingError, ".toml", read_config),
    ],
)
def test_readers_say_so(
    kind: type[Exception], suffix: str, read: Callable[[Path], object], make: Make, tmp_path: Path
) -> None:
    path = tmp_path / f"face{suffix}"
    make(path)
    with raises(kind, "face"):
        within(5, lambda: read(path))


def test_a_pipe_in_a_folder_of_shapes(tmp_path: Path) -> None:
    folder = tmp_path / "FaceXModel"
    folder.mkdir()
    os.mkfifo(folder / "generic_neutral_mesh.obj")
    from reconstruct_face.backend.model.importing.ict import read_ict

    with raises(ModelError, "generic_neutral_mesh.obj"):
        within(5, lambda: read_ict(recognise(folder)))


@pytest.mark.parametrize("make", NO_FILES)
def test_a_batch_goes_on(make: Make, tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    out.mkdir()
    make(photos / "a.jpg")
    shutil.copy(ASTRONAUT, photos / "b.jpg")
    tasks = []
    within(5, lambda: tasks.extend(collect([photos], out)))
    assert [task.name for task in tasks] == ["a", "b"]
    assert tasks[0].digest == "" and len(tasks[1].digest) == 64
    if tasks[0].error is None:
        with raises(PhotoError, "a.jpg"):
            within(5, lambda: read_photo(tasks[0].photo))


@pytest.mark.parametrize("name", ["x" * 300, "x" * 252 + ".jpg", "a\0b", "", "y" * 5000])
def test_names_that_are_none(name: str, tmp_path: Path) -> None:
    tasks = collect([name, str(ASTRONAUT)], tmp_path)
    assert len(tasks) == 2 and tasks[1].error is None and len(tasks[1].digest) == 64
    if tasks[0].error is None:
        with raises(PhotoError):
            read_photo(tasks[0].photo)
    else:
        assert type(tasks[0].error) is PhotoError


@pytest.mark.skipif(ROOT_MAY_READ_ALL, reason="root may read everything")
def test_what_may_not_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(ASTRONAUT, folder / "a.jpg")
    folder.chmod(0)
    try:
        for path in (folder, folder / "a.jpg"):
            bad, good = collect([path, ASTRONAUT], tmp_path)
            assert len(good.digest) == 64 and bad.digest == ""
    finally:
        folder.chmod(0o700)


def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As above, for root as well."""
    folder = tmp_path / "photos"
    folder.mkdir()
    real = Path.iterdir

    def refused(path: Path):
        if path == folder:
            raise PermissionError(13, os.strerror(13))
        return real(path)

    monkeypatch.setattr(Path, "iterdir", refused)
    bad, good = collect([folder, ASTRONAUT], tmp_path)
    assert type(bad.error) is PhotoError and good.error is None


RECORDS = {
    "brackets": "[" * 200_000,
    "objects": '{"run":' * 100_000,
    "list": "[1]",
    "faces a list": {"faces": ["a.npz"]},
    "faces of lists of numbers": {"faces": {"a": [1]}},
    "no request": {"request": None},
    "digest a number": {"photo_sha256": 1},
    "file outside": {"faces": {"a": ["../../a" * 500]}},
}


@pytest.mark.parametrize("case", RECORDS)
def test_a_damaged_record_is_none(case: str, tmp_path: Path) -> None:
    (task,) = collect([ASTRONAUT], tmp_path)
    asked = BatchOptions()
    record = {"photo_sha256": task.digest, "request": asked.record(), "faces": {}}
    text = RECORDS[case]
    if isinstance(text, dict):
        text = json.dumps({"run": record | text})
    (tmp_path / f"{task.name}.json").write_text(text)
    assert finished_faces(task, tmp_path, asked) == []
    assert case == "file outside" or read_record(tmp_path, task.name) == {}
    assert [one.name for one in collect([ASTRONAUT], tmp_path)] != []


def test_a_pipe_for_a_record(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "astronaut.json")
    tasks = []
    within(5, lambda: tasks.extend(collect([ASTRONAUT], tmp_path)))
    assert tasks[0].name == "astronaut_2"
