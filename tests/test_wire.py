"""The wire between the two processes: answers, errors, cancel, death, silence, versions."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from reconstruct_face.backend.errors import Cancelled, FaceError, NoFaceError, WorkerError
from reconstruct_face.backend.exchange.wire import WorkerProcess
from reconstruct_face.backend.lifeline import idle_seconds

from tests.errors import has, raises
from tests.processes import running, seconds_until

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

def slow(*, progress, steps=6):
    for i in range(steps):
        time.sleep(0.1)
        progress(i / steps, "Working")
    return {"done": True}

def locked(*, progress):
    sum(range(10**10))  # minutes in C, without letting go of Python's lock
    return {}

methods = (add, fail, crash, die, sleep, slow, locked)
idle = float(sys.argv[1]) if len(sys.argv) > 1 else None
serve({method.__name__: method for method in methods}, {"python": "3.x"}, idle)
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
    assert first["pid"] == second["pid"] == worker.pid, "a second process was started"
    assert worker.about == {"python": "3.x"}


def test_an_expected_error_keeps_class_and_sentence_and_the_worker_lives(
    worker: WorkerProcess,
) -> None:
    with raises(NoFaceError) as caught:
        worker.call("fail")
    assert str(caught.value) == "No face in Zoë.jpg; choose another.", "as it was raised"
    assert worker.call("add", {"a": 1, "b": 1})["sum"] == 2


@pytest.mark.parametrize(
    ("method", "params", "kind", "fact"),
    [
        ("crash", {}, FaceError, "ZeroDivisionError"),
        ("add", {"a": 1}, FaceError, "TypeError"),
        ("nothing", {}, WorkerError, "'nothing'"),
    ],
)
def test_unexpected_errors_are_answered(
    worker: WorkerProcess, method: str, params: dict, kind: type[FaceError], fact: str
) -> None:
    with raises(kind, fact) as caught:
        worker.call(method, params)
    assert ("Traceback" in caught.value.details) == (method != "nothing")
    assert worker.call("add", {"a": 1, "b": 1})["sum"] == 2


def test_death_is_told_with_its_last_words_and_the_next_call_starts_anew(
    worker: WorkerProcess,
) -> None:
    before = worker.call("add", {"a": 1, "b": 1})["pid"]
    with raises(WorkerError, "exit status 9", "out of memory, says the library") as caught:
        worker.call("die")
    assert "a library prints" in caught.value.details
    assert worker.call("add", {"a": 1, "b": 1})["pid"] != before


@pytest.mark.seconds
def test_an_idle_worker_ends_itself_and_is_started_again_without_a_word() -> None:
    # Long enough that a busy machine does not come to the next request too late.
    with WorkerProcess([sys.executable, "-c", SERVER, "2.5"]) as worker:
        pid = worker.call("add", {"a": 1, "b": 1})["pid"]
        assert worker.call("sleep", {"seconds": 3.5}) == {}, "it was at work, not idle"
        assert worker.call("add", {"a": 1, "b": 1})["pid"] == pid
        assert 1.0 < seconds_until(lambda: not running(pid)) < 15
        assert worker.call("add", {"a": 1, "b": 1})["pid"] != pid


@pytest.mark.seconds
def test_a_worker_that_rests_lets_go_once_goes_on_and_ends_when_idle() -> None:
    resting = SERVER.replace(
        '"3.x"}, idle)', '"3.x"}, idle, lambda: print("letting go", file=sys.stderr, flush=True))'
    ).replace("methods = (", "from reconstruct_face.backend.exchange import wire\nmethods = (")
    resting = resting.replace("idle = float", "wire.REST_S = 0.5\nidle = float")
    with WorkerProcess([sys.executable, "-c", resting, "4"]) as worker:
        pid = worker.call("add", {"a": 1, "b": 1})["pid"]
        time.sleep(1.5)
        assert worker.call("add", {"a": 2, "b": 1}) == {"sum": 3, "pid": pid}
        with pytest.raises(WorkerError) as caught:
            worker.call("die")
        assert caught.value.details.count("letting go") == 1
        pid = worker.call("add", {"a": 1, "b": 1})["pid"]
        assert 2.0 < seconds_until(lambda: not running(pid)) < 20


def test_a_request_that_meets_a_worker_on_its_way_out_goes_to_the_next() -> None:
    # Its last words were sent and are not read yet; the request is lost in its pipe.
    leaving = SERVER.replace("serve({", "import atexit; atexit.register(time.sleep, 1.0); serve({")
    with WorkerProcess([sys.executable, "-c", leaving, "0.3"]) as worker:
        pid = worker.call("add", {"a": 1, "b": 1})["pid"]
        time.sleep(0.6)
        assert running(pid) and worker.ready
        assert worker.call("add", {"a": 2, "b": 1})["sum"] == 3
        assert worker.pid not in (None, pid)


@pytest.mark.parametrize(
    ("minutes", "seconds"), [("", 600.0), ("0", None), ("0.5", 30.0), ("20", 1200.0)]
)
def test_minutes_of_idleness(minutes: str, seconds: float | None) -> None:
    assert idle_seconds(minutes) == seconds


@pytest.mark.parametrize("minutes", ["soon", "-1", "nan", "inf", "1e9"])
def test_what_is_no_time_of_idleness(minutes: str) -> None:
    with pytest.raises(ValueError, match="."):
        idle_seconds(minutes)


def test_silence_ends_the_worker(worker: WorkerProcess) -> None:
    worker.call("add", {"a": 1, "b": 1})
    start = time.monotonic()
    with raises(WorkerError):
        worker.call("sleep", {"seconds": 30}, timeout=0.5)
    assert time.monotonic() - start < 10
    assert worker.call("add", {"a": 1, "b": 1})["sum"] == 2


def test_a_stopped_worker_is_noticed(worker: WorkerProcess) -> None:
    pid = worker.call("add", {"a": 1, "b": 1})["pid"]
    threading.Timer(0.3, os.kill, (pid, signal.SIGSTOP)).start()
    with raises(WorkerError, "2 s"):
        worker.call("slow", {"steps": 100}, timeout=2.0)
    assert seconds_until(lambda: not running(pid)) < 1
    assert worker.call("add", {"a": 1, "b": 1})["sum"] == 2


def test_progress_and_heartbeat_are_signs_of_life(worker: WorkerProcess) -> None:
    worker.call("add", {"a": 1, "b": 1})
    assert worker.call("slow", timeout=0.4)["done"]  # 0.6 s in all
    assert worker.call("sleep", {"seconds": 3.0}, timeout=2.0) == {}


class Cancel(threading.Event):
    """Set ``after`` seconds from its making; ``seconds`` tells how long ago."""

    def __init__(self, after: float) -> None:
        super().__init__()
        self._set = time.monotonic() + after
        threading.Timer(after, self.set).start()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._set


def test_cancel_between_steps_keeps_the_worker(worker: WorkerProcess) -> None:
    pid = worker.call("add", {"a": 1, "b": 1})["pid"]
    cancel = Cancel(0.3)
    with pytest.raises(Cancelled):
        worker.call("slow", {"steps": 100}, cancelled=cancel)
    assert cancel.seconds < 0.5
    assert worker.call("add", {"a": 1, "b": 1})["pid"] == pid


@pytest.mark.parametrize(("method", "params"), [("sleep", {"seconds": 30}), ("locked", {})])
def test_cancel_ends_a_worker_that_does_not_listen(
    worker: WorkerProcess, method: str, params: dict
) -> None:
    pid = worker.call("add", {"a": 1, "b": 1})["pid"]
    cancel = Cancel(0.3)
    with pytest.raises(Cancelled):
        worker.call(method, params, cancelled=cancel)
    assert cancel.seconds < 0.5
    assert seconds_until(lambda: not running(pid)) < 1
    assert worker.call("add", {"a": 1, "b": 1})["sum"] == 2


def test_what_is_soon_done_may_linger(worker: WorkerProcess) -> None:
    pid = worker.call("add", {"a": 1, "b": 1})["pid"]
    for seconds, kept in ((1.0, True), (30.0, False)):
        cancel = Cancel(0.1)
        with pytest.raises(Cancelled):
            worker.call("sleep", {"seconds": seconds}, cancelled=cancel, linger=2.0)
        assert cancel.seconds < 0.5
        assert worker.pid == pid
        answer = worker.call("add", {"a": seconds, "b": 1})
        assert answer["sum"] == seconds + 1, "the answer to the cancelled request was taken"
        assert (answer["pid"] == pid) == kept


def test_cancel_while_it_starts_leaves_it_starting() -> None:
    slow_start = f"import time; time.sleep(1.5)\n{SERVER}"
    with WorkerProcess([sys.executable, "-c", slow_start]) as worker:
        cancel = Cancel(0.3)
        with pytest.raises(Cancelled):
            worker.call("add", {"a": 1, "b": 1}, cancelled=cancel)
        assert cancel.seconds < 0.5
        assert not worker.ready
        pid = worker.pid
        assert worker.call("add", {"a": 1, "b": 1})["pid"] == pid


@pytest.mark.parametrize("error", [KeyboardInterrupt, Cancelled, ValueError])
def test_what_progress_raises_ends_the_request(
    worker: WorkerProcess, error: type[BaseException]
) -> None:
    def stop(fraction: float, step: str) -> None:
        raise error("enough")

    with raises(error, "enough"):
        worker.call("slow", {"steps": 1000}, progress=stop)
    start = time.monotonic()
    assert worker.call("add", {"a": 1, "b": 1})["sum"] == 2
    assert time.monotonic() - start < 10, "the next request had to wait for it"


PARENT = """
import sys, time
from reconstruct_face.backend.exchange.wire import WorkerProcess

worker = WorkerProcess([sys.executable, "-c", sys.argv[1]])
print(worker.call("add", {"a": 1, "b": 1})["pid"], flush=True)
if sys.argv[2]:
    worker.call(sys.argv[2], {"seconds": 60} if sys.argv[2] == "sleep" else {})
time.sleep(60)
"""


@pytest.mark.parametrize("method", ["", "sleep", "locked"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_its_parent(method: str, number: signal.Signals) -> None:
    command = [sys.executable, "-c", PARENT, SERVER, method]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        time.sleep(0.3)
        assert running(pid)
        parent.send_signal(number)
        assert seconds_until(lambda: not running(pid)) < 2


def test_the_worker_refuses_a_parent_of_another_version() -> None:
    request = {"id": 1, "method": "add", "params": {"a": 1, "b": 1}, "hello": 99}
    done = subprocess.run(
        [sys.executable, "-c", SERVER],
        input=json.dumps(request) + "\n", capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    told = [json.loads(line) for line in done.stdout.splitlines() if '"error"' in line]
    assert [message["error"]["code"] for message in told] == ["worker"]
    has(told[0]["error"]["message"], 99, 1)


def test_kill_frees_a_call_that_waits_in_another_thread(worker: WorkerProcess) -> None:
    worker.call("add", {"a": 1, "b": 1})
    threading.Timer(0.3, worker.kill).start()
    start = time.monotonic()
    with raises(WorkerError, "SIGKILL"):
        worker.call("sleep", {"seconds": 30})
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    ("code", "facts"),
    [
        ("print('{\"hello\": 99}', flush=True); input()", (99, 1)),
        ("import sys; sys.exit('no module named bpy')", ("exit status 1", "no module named bpy")),
        ("print('only noise', flush=True)", ("exit status 0",)),
    ],
)
def test_a_worker_that_does_not_greet_rightly_is_refused(
    code: str, facts: tuple[object, ...]
) -> None:
    with WorkerProcess([sys.executable, "-c", code]) as worker, raises(WorkerError, *facts):
        worker.call("add")


def test_a_command_that_does_not_exist() -> None:
    with raises(WorkerError, "/nowhere/blender", os.strerror(errno.ENOENT)):
        WorkerProcess(["/nowhere/blender"]).call("ping")


def test_started_before_it_is_asked(worker: WorkerProcess) -> None:
    worker.start()
    pid = worker.pid
    assert pid is not None
    assert worker.call("add", {"a": 1, "b": 2})["pid"] == pid
    worker.start()
    assert worker.pid == pid


def test_a_start_that_fails_is_told_by_the_call() -> None:
    worker = WorkerProcess(["/no/such/program"])
    worker.start()
    assert worker.pid is None
    with pytest.raises(WorkerError):
        worker.call("add")
