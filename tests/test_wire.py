"""The wire between the two processes: answers, errors, death, silence, another version."""

from __future__ import annotations

import sys
import threading
import time

import pytest
from reconstruct_face.backend.errors import FaceError, NoFaceError, WorkerError
from reconstruct_face.backend.exchange.wire import WorkerProcess

SERVER = """
import os, sys, time
from reconstruct_face.backend.errors import NoFaceError
from reconstruct_face.backend.exchange.wire import serve

print("Blender 5.0.1", flush=True)  # noise before the first message
print("[1, 2]", flush=True)

def add(*, a, b, progress):
    print("a library prints", flush=True)
    os.write(1, b"and one below Python\\n")
    progress(0.5, "Adding")
    return {"sum": a + b, "pid": os.getpid()}

def fail(*, progress):
    raise NoFaceError("No face in Zo\\u00eb.jpg; choose another.")

def crash(*, progress):
    return {"x": 1 / 0}

def die(*, progress):
    print("out of memory, says the library", file=sys.stderr, flush=True)
    os._exit(9)

def sleep(*, seconds, progress):
    time.sleep(seconds)
    return {}

def slow(*, progress):
    for i in range(6):
        time.sleep(0.25)
        progress(i / 6, "Working")
    return {"done": True}

serve({"add": add, "fail": fail, "crash": crash, "die": die, "sleep": sleep, "slow": slow})
"""


@pytest.fixture
def worker():
    with WorkerProcess([sys.executable, "-c", SERVER]) as process:
        yield process


def test_answers_with_progress_and_stays_warm(worker: WorkerProcess) -> None:
    seen = []
    first = worker.call("add", {"a": 2, "b": 3}, progress=lambda f, s: seen.append((f, s)))
    second = worker.call("add", {"a": "ä ", "b": "日本"})
    assert first["sum"] == 5
    assert seen == [(0.5, "Adding")]
    assert second["sum"] == "ä 日本"
    assert first["pid"] == second["pid"], "a second process was started"


def test_an_expected_error_keeps_class_and_sentence_and_the_worker_lives(
    worker: WorkerProcess,
) -> None:
    with pytest.raises(NoFaceError, match="^No face in Zoë.jpg; choose another.$"):
        worker.call("fail")
    assert worker.call("add", {"a": 1, "b": 1})["sum"] == 2


@pytest.mark.parametrize(
    ("method", "params", "sentence"),
    [
        ("crash", {}, "Unexpected ZeroDivisionError"),
        ("add", {"a": 1}, "Unexpected TypeError"),
        ("nothing", {}, "no method 'nothing'"),
    ],
)
def test_unexpected_errors_are_answered(
    worker: WorkerProcess, method: str, params: dict, sentence: str
) -> None:
    with pytest.raises(FaceError, match=sentence):
        worker.call(method, params)
    assert worker.call("add", {"a": 1, "b": 1})["sum"] == 2


def test_death_is_told_with_its_last_words_and_the_next_call_starts_anew(
    worker: WorkerProcess,
) -> None:
    before = worker.call("add", {"a": 1, "b": 1})["pid"]
    with pytest.raises(WorkerError, match="out of memory, says the library"):
        worker.call("die")
    assert worker.call("add", {"a": 1, "b": 1})["pid"] != before


def test_silence_ends_the_worker(worker: WorkerProcess) -> None:
    worker.call("add", {"a": 1, "b": 1})
    start = time.monotonic()
    with pytest.raises(WorkerError, match="silent"):
        worker.call("sleep", {"seconds": 30}, timeout=0.5)
    assert time.monotonic() - start < 10
    assert worker.call("add", {"a": 1, "b": 1})["sum"] == 2


def test_progress_counts_as_a_sign_of_life(worker: WorkerProcess) -> None:
    worker.call("add", {"a": 1, "b": 1})
    assert worker.call("slow", timeout=0.9)["done"]  # 1.5 s in all


def test_kill_frees_a_call_that_waits_in_another_thread(worker: WorkerProcess) -> None:
    worker.call("add", {"a": 1, "b": 1})
    threading.Timer(0.3, worker.kill).start()
    start = time.monotonic()
    with pytest.raises(WorkerError, match="ended unexpectedly"):
        worker.call("sleep", {"seconds": 30})
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("print('{\"hello\": 99}', flush=True); input()", "version 99, this side"),
        ("import sys; sys.exit('no module named bpy')", "no module named bpy"),
        ("print('only noise', flush=True)", "ended unexpectedly"),
    ],
)
def test_a_worker_that_does_not_greet_rightly_is_refused(code: str, sentence: str) -> None:
    with WorkerProcess([sys.executable, "-c", code]) as worker:
        with pytest.raises(WorkerError) as caught:
            worker.call("add")
        assert sentence in str(caught.value)


def test_a_command_that_does_not_exist() -> None:
    with pytest.raises(WorkerError, match=r"Cannot start /nowhere/blender: No such file"):
        WorkerProcess(["/nowhere/blender"]).call("ping")
