"""Several processes that write into one folder, and results that are finished or not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from reconstruct_face.backend.errors import Cancelled, OutputError
from reconstruct_face.backend.exchange.batch import BatchOptions, finished_faces, write_records
from reconstruct_face.backend.exchange.claims import claimed
from reconstruct_face.backend.exchange.output import prepare_output, publish, staging
from reconstruct_face.backend.exchange.photo_tasks import Names, PhotoTask, collect

from tests.errors import raises
from tests.synthetic_reconstruction import make_reconstruction

OPTIONS = BatchOptions()


def task_of(folder: Path, name: str, content: bytes = b"photo") -> PhotoTask:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    (task,) = collect([folder / name], folder / "nowhere")
    return task


def write(task: PhotoTask, folder: Path, names: Names | None = None, faces: int = 1) -> list[str]:
    """What a batch does, with small files; the names."""
    staged = {}
    with claimed(task, folder, names or Names(folder, [task.name])) as claims:
        for number in range(1, faces + 1):
            head = make_reconstruction(face_index=number)
            name = claims.name_of(head)
            beside = folder / f"staged {name}"
            beside.mkdir()
            (beside / f"{name}.npz").write_bytes(task.digest.encode())
            staged[name] = beside, head
        write_records(claims.task, staged, OPTIONS)
        for beside, _ in staged.values():
            publish(beside, folder)
            beside.rmdir()
    return list(staged)


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


HOLDER = """
import sys, time
from pathlib import Path
from reconstruct_face.backend.exchange.claims import claimed
from reconstruct_face.backend.exchange.photo_tasks import Names, PhotoTask

folder, name, digest = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
with claimed(PhotoTask(Path("x"), name, digest), folder, Names(folder, [name])) as claims:
    (folder / f".{name}.abcdefgh.part").mkdir()
    (folder / f".{name}.abcdefgh.part" / "half.npz").write_bytes(b"x")
    print(claims.task.name, flush=True)
    input()
"""


def holder(folder: Path, name: str, digest: str) -> subprocess.Popen[str]:
    """Another process that has the name."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), name, digest],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == f"{name}\n"
    return process


def test_two_photos_of_one_name_in_two_processes(tmp_path: Path) -> None:
    out = prepare_output(tmp_path / "out")
    task = task_of(tmp_path / "b", "anna.jpg", b"other")
    assert task.name == "anna", "both have seen an empty folder"
    with holder(out, "anna", "d" * 64) as process:
        assert write(task, out) == ["anna_2"]
        process.communicate("\n")
    assert hidden(out) == [".anna.abcdefgh.part"], "nobody claimed it after its process went"
    assert write(task_of(tmp_path / "c", "anna.jpg", b"third"), out) == ["anna"]
    assert hidden(out) == []


def test_who_comes_later_sees_what_was_finished_meanwhile(tmp_path: Path) -> None:
    out = prepare_output(tmp_path / "out")
    first, second = (task_of(tmp_path / x, "anna.jpg", x.encode()) for x in "ab")
    assert first.name == second.name == "anna"
    assert write(first, out, faces=2) == ["anna", "anna_face2"]
    assert write(second, out, faces=2) == ["anna_2", "anna_2_face2"]
    assert (out / "anna.npz").read_text() == first.digest
    assert (out / "anna_2.npz").read_text() == second.digest


def test_the_same_photo_waits_and_is_skipped_then(tmp_path: Path) -> None:
    out = prepare_output(tmp_path / "out")
    task = task_of(tmp_path / "a", "anna.jpg")
    waited = []

    def other() -> None:
        with claimed(task, out, Names(out, ["anna"])) as claims:
            waited.append((claims.task.name, finished_faces(task, out, OPTIONS)))

    with claimed(task, out, Names(out, ["anna"])):
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.4)
        assert waited == []
        beside = tmp_path / "staged"
        beside.mkdir()
        write_records(task, {"anna": (beside, make_reconstruction())}, OPTIONS)
        publish(beside, out)
    thread.join(10)
    assert waited == [("anna", ["anna"])]


def test_waiting_ends_when_the_run_is_interrupted(tmp_path: Path) -> None:
    out = prepare_output(tmp_path / "out")
    task = task_of(tmp_path / "a", "anna.jpg")
    ended = threading.Event()
    threading.Timer(0.3, ended.set).start()
    with (
        claimed(task, out, Names(out, ["anna"])),
        raises(Cancelled),
        claimed(task, out, Names(out, ["anna"]), ended),
    ):
        pass
    assert hidden(out) == []


def test_a_photo_that_is_done_under_another_name_keeps_it(tmp_path: Path) -> None:
    """As two processes name them that were given the same photos in another order."""
    folder = prepare_output(tmp_path / "out")
    for name, content in (("anna", b"other"), ("anna_2", b"photo")):
        write(replace(task_of(tmp_path, "anna", content), name=name), folder)
    task = replace(task_of(tmp_path, "anna", b"photo"), name="anna_3")
    with claimed(task, folder, Names(folder, ["anna_3"])) as claims:
        assert claims.task.name == "anna_2"
        assert finished_faces(claims.task, folder, OPTIONS)


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    out = prepare_output(tmp_path / "out")
    process = holder(out, "[a]*", "d" * 64)
    claims = [".[a]*.claim", f".photo {'d' * 64}.claim"]
    assert sorted(hidden(out)) == [".[a]*.abcdefgh.part", *claims]
    prepare_output(out)
    assert len(hidden(out)) == 3, "it is in use"
    process.kill()
    process.communicate()
    prepare_output(out)
    assert hidden(out) == []


@pytest.mark.seconds
def test_many_at_once_lose_nothing(tmp_path: Path) -> None:
    """Eight threads with five photos of one name each, some of them the same."""
    out = prepare_output(tmp_path / "out")
    tasks = [task_of(tmp_path / str(k), "anna.jpg", bytes([k % 20])) for k in range(40)]
    failures: list[BaseException] = []

    def some(own: list[PhotoTask]) -> None:
        try:
            for task in own:
                with claimed(task, out, Names(out, ["anna"])) as claims:
                    if finished_faces(claims.task, out, OPTIONS):
                        continue
                    name = claims.task.name
                    with staging(out, name) as beside:
                        (beside / f"{name}.npz").write_text(task.digest)
                        staged = {name: (beside, make_reconstruction())}
                        write_records(claims.task, staged, OPTIONS)
                        publish(beside, out)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=some, args=(tasks[k::8],)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not failures
    found = sorted(path.read_text() for path in out.glob("*.npz"))
    assert found == sorted({task.digest for task in tasks}), "each once"
    assert hidden(out) == []


@pytest.mark.parametrize("name", [".claim", "x" * 255])
def test_names_that_cannot_be_claimed(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    task = PhotoTask(tmp_path / "a.jpg", name, "d" * 64)
    with raises(OutputError), claimed(task, folder, Names(folder)):
        pass


DAMAGES = {
    "emptied": lambda path: path.write_bytes(b""),
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "changed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "removed": lambda path: path.unlink(),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", ["anna.npz", "anna_face2.npz", "anna_face2.json"])
def test_damaged_results_are_not_finished(damage: str, file: str, tmp_path: Path) -> None:
    out = prepare_output(tmp_path / "out")
    task = task_of(tmp_path / "a", "anna.jpg")
    write(task, out, faces=2)
    assert finished_faces(task, out, OPTIONS) == ["anna", "anna_face2"]
    assert not finished_faces(task, out, BatchOptions(preview=False))
    DAMAGES[damage](out / file)
    assert finished_faces(task, out, OPTIONS) == []


def test_a_record_names_files_of_its_folder_alone(tmp_path: Path) -> None:
    out = prepare_output(tmp_path / "out")
    task = task_of(tmp_path / "a", "anna.jpg")
    write(task, out)
    document = json.loads((out / "anna.json").read_text())
    record = document["run"]
    assert record["faces"]["anna"]["anna.npz"][0] == len(task.digest)
    os.mkfifo(tmp_path / "pipe")
    record["faces"]["anna"]["../pipe"] = [0, "x"]
    (out / "anna.json").write_text(json.dumps(document))
    assert finished_faces(task, out, OPTIONS) == []
