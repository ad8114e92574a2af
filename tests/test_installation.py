"""The backend's environment: which Python is used, how one is made, and what is said of it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from reconstruct_face.backend.errors import Cancelled, FaceError, OutputError, WorkerError
from reconstruct_face.scene.installation import check, environment, locate, set_up, status
from reconstruct_face.scene.installation.choices import Choices, choices, choose
from reconstruct_face.scene.installation.locate import PYTHON_VARIABLE, find_python
from reconstruct_face.scene.installation.set_up import SetUp, start_set_up
from reconstruct_face.scene.installation.status import Status, installation_status

from tests.errors import raises
from tests.installation import nothing_found_elsewhere  # noqa: F401  # a fixture for all
from tests.tiny_packages import make_wheel, tiny_choices

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def tiny(tmp_path: Path) -> Choices:
    """Two small packages that come with the extension; chosen."""
    chosen = tiny_choices(tmp_path)
    choose(chosen)
    return chosen


@pytest.fixture(scope="module")
def environment_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment of :func:`tiny`, made by a set-up."""
    chosen = tiny_choices(tmp_path_factory.mktemp("once"))
    SetUp(chosen, "0.1.0").start().wait()
    assert chosen.folder is not None
    return environment.environment_of(chosen.folder)


@pytest.fixture
def made(tiny: Choices, environment_once: Path) -> Choices:
    """As :func:`tiny`, set up."""
    assert tiny.folder is not None
    shutil.copytree(environment_once, environment.environment_of(tiny.folder), symlinks=True)
    assert settled().code == status.READY
    return tiny


def settled() -> Status:
    """The status once the checks that it started have ended."""
    end = time.monotonic() + 20
    while (found := installation_status()).code == status.CHECKING and time.monotonic() < end:
        time.sleep(0.05)
    return found


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


# -- making it


def test_a_set_up_from_the_extensions_own_wheels(
    tiny: Choices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No network, and a package server that does not exist: nothing is asked of it."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    before = installation_status()
    assert (before.code, before.usable) == (status.MISSING, False)
    assert "came with the add-on" in before.sentence
    steps: list[tuple[float, str]] = []
    run = start_set_up("0.1.0")
    assert start_set_up("0.1.0") is run, "one at a time"
    assert installation_status().code == status.INSTALLING
    run.wait(lambda fraction, step: steps.append((fraction, step)))
    assert len(steps) > 2
    assert [fraction for fraction, _ in steps] == sorted(fraction for fraction, _ in steps)
    found = installation_status()
    assert (found.code, found.sentence, found.device) == ("ready", "The backend is ready.", "CPU")
    assert find_python() == found.python
    loaded = subprocess.run([found.python, "-c", "import tiny_b"], check=False)
    assert loaded.returncode == 0
    assert tiny.folder is not None
    left = {path.name for path in tiny.folder.iterdir()}
    assert left == {"environment", "setup.log", "checked.json"}
    assert "tiny_b" in (tiny.folder / "setup.log").read_text()


def test_blenders_own_python_gets_nothing(tiny: Choices) -> None:
    start_set_up("0.1.0").wait()
    done = subprocess.run([sys.executable, "-c", "import tiny_a"], capture_output=True, check=False)
    assert done.returncode != 0


@pytest.mark.seconds
def test_by_name_from_where_pips_configuration_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = tiny_choices(tmp_path, bundled=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", chosen.wheels.as_uri())
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "elsewhere"))
    choose(replace(chosen, index="http://me:secret@127.0.0.1:9/simple"))
    assert chosen.requirements.cost in installation_status().sentence, "said before it starts"
    start_set_up("0.1.0").wait()
    assert settled().code == status.READY
    assert not (tmp_path / "elsewhere").exists()
    log = (tmp_path / "backend" / "setup.log").read_text()
    assert "127.0.0.1:9" in log and "secret" not in log


def test_offline_it_says_what_to_do(tmp_path: Path) -> None:
    choose(replace(tiny_choices(tmp_path, bundled=False), online=False))
    found = installation_status()
    assert found.code == status.OFFLINE
    with raises(WorkerError) as caught:
        start_set_up("0.1.0").wait()
    assert str(caught.value) == found.sentence
    assert not (tmp_path / "backend").exists()


def test_wheels_for_another_python_do_not_count(tmp_path: Path) -> None:
    chosen = tiny_choices(tmp_path)
    bundle = chosen.wheels / "bundle.json"
    bundle.write_text(bundle.read_text().replace("3.", "2."))
    choose(chosen)
    assert installation_status().code == status.OFFLINE


def sleeper(folder: Path) -> tuple[str, Path]:
    """A "Python" that never ends, and the file it writes its process id to."""
    script, pid = folder / "slow python", folder / "pid"
    script.write_text(f'#!/bin/sh\necho $$ > "{pid}"\nexec sleep 60\n')
    script.chmod(0o755)
    return str(script), pid


def gone(pid: Path) -> bool:
    stat = Path(f"/proc/{pid.read_text().strip()}/stat")
    return not stat.exists() or stat.read_text().split()[2] == "Z"


def test_cancelling_leaves_nothing(tiny: Choices, tmp_path: Path) -> None:
    base, pid = sleeper(tmp_path)
    run = start_set_up("0.1.0", base=base)
    wait_for(lambda: pid.exists() and pid.read_text() != "")
    start = time.monotonic()
    run.cancel()
    with pytest.raises(Cancelled):
        run.wait()
    assert time.monotonic() - start < 5.0, "half a second, on a machine that is not busy"
    assert gone(pid)
    assert tiny.folder is not None
    assert {path.name for path in tiny.folder.iterdir()} == {"setup.log"}
    assert installation_status().code == status.MISSING
    start_set_up("0.1.0").wait()
    assert installation_status().code == status.READY


INTERRUPTED = """
import sys
from pathlib import Path
from reconstruct_face.scene.installation.choices import choose
from reconstruct_face.scene.installation.set_up import start_set_up
from tests.tiny_packages import tiny_choices
choose(tiny_choices(Path(sys.argv[1])))
start_set_up("0.1.0", base=sys.argv[2]).wait()
"""


def test_blender_killed_in_the_middle_of_it(tiny: Choices, tmp_path: Path) -> None:
    base, pid = sleeper(tmp_path)
    other = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(tmp_path), base], cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        wait_for(lambda: pid.exists() and pid.read_text() != "")
        found = installation_status()
        assert (found.code, found.usable) == (status.INSTALLING, False), "the other one's"
        with raises(WorkerError, "Another Blender"):
            start_set_up("0.1.0").wait()
        with raises(OutputError):
            environment.remove(tiny)
        assert not gone(pid), "the other one's set-up goes on"
    finally:
        other.kill()
        other.wait()
        os.kill(int(pid.read_text()), signal.SIGKILL)
    assert tiny.folder is not None
    alive = tiny.folder / "making" / "alive"
    os.utime(alive, (0, time.time() - environment.ALIVE_S - 1))
    assert installation_status().code == status.UNFINISHED
    with raises(WorkerError) as caught:
        find_python()
    assert str(caught.value) == installation_status().sentence
    start_set_up("0.1.0").wait()
    assert installation_status().code == status.READY
    assert not alive.parent.exists()


@pytest.mark.seconds
def test_other_packages_make_it_outdated_and_the_update_replaces_it(
    made: Choices, tmp_path: Path
) -> None:
    first = find_python()
    new = tiny_choices(tmp_path, tiny_a="", tiny_c="")
    choose(new)
    found = installation_status()
    assert found.code == status.OUTDATED
    with raises(WorkerError, "0.1.0"):
        find_python()
    swaps: list[bool] = []
    start_set_up("0.2.0", before_swap=lambda: swaps.append(Path(first).exists())).wait()
    assert swaps == [True], "told before the old one goes"
    assert installation_status().code == status.READY
    assert subprocess.run([find_python(), "-c", "import tiny_c"], check=False).returncode == 0


@pytest.mark.seconds
def test_packages_for_a_gpu_are_another_choice_and_the_backend_stays_until_they_are_there(
    made: Choices, tmp_path: Path
) -> None:
    """What works is not called outdated because something else was chosen for the next set-up."""
    more = tiny_choices(tmp_path, bundled=False, tiny_a="", tiny_b="import tiny_a", tiny_c="")
    lock = tmp_path / "requirements-gpu.lock"
    more.requirements.lock.rename(lock)
    tiny_choices(tmp_path)
    gpu = replace(more.requirements, lock=lock, name="GPU")
    both = replace(made, gpu_requirements=gpu, hardware="gpu", online=False)
    choose(both)
    assert settled().code == status.READY
    assert environment.made_for(both) == both.requirements
    with raises(WorkerError, "online"):
        start_set_up("0.1.0").wait()  # these did not come with the extension
    (tmp_path / "wheels" / "bundle.json").write_text(
        (tmp_path / "wheels" / "bundle.json")
        .read_text()
        .replace(both.requirements.digest(), gpu.digest())
    )
    start_set_up("0.1.0").wait()
    assert environment.made_for(both) == gpu
    assert subprocess.run([find_python(), "-c", "import tiny_c"], check=False).returncode == 0
    choose(replace(both, hardware="processor"))
    assert settled().code == status.READY, "it holds more than that needs"
    assert environment.made_for(both) == gpu


def test_a_file_that_is_not_the_one_which_was_locked(tmp_path: Path) -> None:
    chosen = tiny_choices(tmp_path)
    make_wheel(chosen.wheels, "tiny_a", code="import os  # something was slipped in")
    fails(chosen, WorkerError, "hash")


def test_a_failed_update_keeps_the_old_one(made: Choices, tmp_path: Path) -> None:
    new = tiny_choices(tmp_path, tiny_a="", tiny_c="raise ImportError('libfoo.so is missing')")
    choose(new)
    with raises(WorkerError, "tiny_c", "ImportError", "libfoo.so"):
        start_set_up("0.2.0").wait()
    found = installation_status()
    assert found.code == status.OUTDATED
    assert "libfoo.so" in found.failure
    choose(tiny_choices(tmp_path))
    assert settled().code == status.READY


def test_the_python_that_it_was_made_from_is_gone(made: Choices, tmp_path: Path) -> None:
    """As after Blender was moved."""
    base = tmp_path / "blender" / "python"
    base.parent.mkdir()
    base.symlink_to(os.path.realpath(sys.executable))
    assert made.folder is not None
    stamp = environment.environment_of(made.folder) / environment.STAMP
    environment.write_json(stamp, {**environment.read_json(stamp), "base": str(base)})
    assert installation_status().code == status.READY
    base.unlink()
    found = installation_status()
    assert (found.code, str(base) in found.sentence) == (status.BROKEN, True)
    start_set_up("0.1.0").wait()
    assert installation_status().code == status.READY


def test_removing(made: Choices) -> None:
    assert made.folder is not None
    (made.folder / "mine.txt").write_text("kept")
    environment.remove(made)
    assert installation_status().code == status.MISSING
    assert [path.name for path in made.folder.iterdir()] == ["mine.txt"]
    environment.remove(made)


# -- why it cannot be made


def fails(chosen: Choices, kind: type[FaceError], *facts: object) -> None:
    """The set-up fails with ``facts``; nothing of it counts."""
    choose(chosen)
    with raises(kind, *facts) as caught:
        start_set_up("0.1.0").wait()
    assert installation_status().code == status.MISSING
    assert installation_status().failure == str(caught.value)
    assert chosen.folder is not None
    assert not environment.environment_of(chosen.folder).exists()
    assert not environment.making_of(chosen.folder).exists()


@pytest.mark.seconds
def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    fails(tiny_choices(tmp_path, bundled=False), WorkerError, "server")


def test_too_little_room(tmp_path: Path) -> None:
    chosen = tiny_choices(tmp_path)
    chosen = replace(chosen, requirements=replace(chosen.requirements, disk_mb=10**9))
    fails(chosen, OutputError, chosen.folder, "1000000000 MB")


def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    """A real one, of two megabytes."""
    chosen = tiny_choices(tmp_path, tiny_a=f"x = {os.urandom(2_000_000).hex()!r}")
    assert chosen.folder is not None
    chosen.folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", chosen.folder],
        capture_output=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip("a small disk can only be mounted by root")
    try:
        fails(chosen, WorkerError, "disk", "1 MB")
        assert {path.name for path in chosen.folder.iterdir()} <= {"setup.log"}
    finally:
        subprocess.run(["umount", "--lazy", chosen.folder], check=True)


def test_no_wheel_for_this_python(tmp_path: Path) -> None:
    chosen = tiny_choices(tmp_path, tiny_a="")
    for wheel in chosen.wheels.glob("tiny_a*"):
        wheel.unlink()
    make_wheel(chosen.wheels, "tiny_a", tag="cp27-cp27m-win32")
    fails(chosen, WorkerError, "tiny_a==1.0")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    chosen = tiny_choices(tmp_path)
    (tmp_path / "file").write_text("")
    choose(replace(chosen, folder=tmp_path / "file" / "backend"))
    with raises(OutputError, tmp_path / "file" / "backend"):
        start_set_up("0.1.0").wait()


def test_a_package_that_takes_the_process_down(tmp_path: Path) -> None:
    chosen = tiny_choices(tmp_path, tiny_a="", tiny_b="import os; os.abort()")
    fails(chosen, WorkerError, "tiny_b", f"status {-signal.SIGABRT}")


# -- an existing Python, and checks


def test_an_existing_python_is_asked_once(
    made: Choices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = find_python()
    for module in (check, locate, set_up, status):
        monkeypatch.setattr(module, "CHECKS", check.Checks())
    elsewhere = replace(made, folder=tmp_path / "other", python=python)
    (tmp_path / "other").mkdir()
    choose(elsewhere)
    first = installation_status()
    assert (first.code, first.usable, first.source) == (status.CHECKING, True, "preferences")
    assert settled().code == status.READY
    for module in (check, locate, status):  # the next Blender: only the file is left
        monkeypatch.setattr(module, "CHECKS", check.Checks())
    assert installation_status().code == status.READY


def test_an_existing_python_without_the_packages(tiny: Choices, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "v"], check=True)
    python = environment.python_of(tmp_path / "v")
    choose(replace(tiny, python=str(python)))
    found = settled()
    assert (found.code, found.usable) == (status.PYTHON_LACKS, False)
    with raises(WorkerError, python, "tiny_a", "tiny_b") as caught:
        find_python()
    assert str(caught.value) == found.sentence
    (site,) = (tmp_path / "v").glob("lib/python*/site-packages")
    (site / "tiny_a.py").write_text("")  # the user repairs it: noticed without being told
    (site / "tiny_b.py").write_text("")
    assert settled().code == status.READY


def test_a_device_that_is_not_there_is_told_before_the_run(made: Choices) -> None:
    """None of the small packages is torch: no CUDA is found."""
    choose(replace(made, device="cuda"))
    found = settled()
    assert (found.code, found.device) == (status.READY, "CPU")
    assert "no CUDA" in found.sentence


def test_what_is_missing_is_named_as_pip_knows_it(tmp_path: Path) -> None:
    """By the real list, in an empty environment."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "v"], check=True)
    choose(Choices(python=str(environment.python_of(tmp_path / "v"))))
    found = settled()
    assert found.code == status.PYTHON_LACKS
    assert "opencv-python-headless, pillow" in found.sentence and "cv2" not in found.sentence
    assert "onnxruntime and face_recognition_models" in found.sentence
    assert "torch" not in found.sentence


def test_a_chosen_python_that_is_none(tiny: Choices, tmp_path: Path) -> None:
    choose(replace(tiny, python=str(tmp_path / "gone")))
    assert installation_status().code == status.PYTHON_MISSING
    choose(replace(tiny, python="/bin/false"))
    found = settled()
    assert found.code == status.BROKEN
    assert "/bin/false is not a Python that works" in found.sentence
    (tmp_path / "text").write_text("no program")
    choose(replace(tiny, python=str(tmp_path / "text")))
    assert "cannot be run: Permission denied" in settled().sentence


def test_the_environment_variable_comes_first(
    tiny: Choices, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(PYTHON_VARIABLE, str(tmp_path / "gone"))
    found = installation_status()
    assert (found.code, found.source) == (status.PYTHON_MISSING, "variable")
    assert PYTHON_VARIABLE in found.sentence
    assert choices() is tiny


def test_packages_that_break_later(made: Choices) -> None:
    assert made.folder is not None
    place = environment.environment_of(made.folder)
    (module,) = place.glob("lib/python*/site-packages/tiny_a.py")
    module.write_text("raise OSError('libstd.so.6: cannot open shared object file')")
    assert installation_status().code == status.READY, "nothing tells, until it is looked at"
    status.check_again()
    found = settled()
    assert found.code == status.BROKEN
    assert "tiny_a does not load" in found.sentence and "libstd.so.6" in found.sentence
    with raises(WorkerError, "tiny_a", "libstd.so.6"):
        find_python()
    start_set_up("0.1.0").wait()
    assert installation_status().code == status.READY
    (module,) = place.glob("lib/python*/site-packages/tiny_a.py")
    module.unlink()  # a deleted one is noticed by itself
    found = settled()
    assert (found.code, "lacks tiny_a" in found.sentence) == (status.BROKEN, True)


def test_a_status_is_cheap(made: Choices) -> None:
    """Panels ask for it at every draw: no process, less than a millisecond (ten, when busy)."""
    installation_status()
    times = []
    for _ in range(20):
        start = time.perf_counter()
        installation_status()
        times.append(time.perf_counter() - start)
    assert min(times) < 0.001


def test_a_set_up_needs_a_folder(tmp_path: Path) -> None:
    run = SetUp(replace(tiny_choices(tmp_path), folder=None), "0.1.0").start()
    with raises(OutputError):
        run.wait()
