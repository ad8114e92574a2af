"""Making the backend's environment, in a thread: progress, cancel, a log; whole or not at all."""

from __future__ import annotations

import atexit
import os
import platform
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ...backend.errors import Cancelled, FaceError, OutputError, WorkerError
from . import environment
from .check import CHECKS, Report, run_check
from .choices import Choices, choices
from .locate import worker_environment
from .pip import Output, bundled_for, find_pip, install_commands, why
from .requirements import BUILD_SETTINGS, PLATFORMS, unsupported

RUNNING, DONE, FAILED, CANCELLED = "running", "done", "failed", "cancelled"
OFFLINE = (
    "Blender is not allowed to go online, and the backend's packages have to be downloaded: allow "
    "online access in Blender's preferences (System), or install the add-on's full zip."
)


class SetUp:
    """One set-up.  Its attributes may be read from any thread."""

    def __init__(
        self,
        chosen: Choices,
        version: str,
        base: str | None = None,
        before_swap: Callable[[], None] = lambda: None,
    ) -> None:
        """``version`` is the add-on's, ``base`` the Python that the environment is made from.

        ``before_swap`` is called, in the set-up's thread, before the new environment takes the
        place of the old one: to end what uses that.
        """
        self.fraction = 0.0
        self.step = "Starting"
        self.state = RUNNING
        self.error: FaceError | None = None  #: why it failed
        self._chosen, self._version = chosen, version
        self._base, self._before_swap = base or sys.executable, before_swap
        self._cancelled, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._news: deque[tuple[float, str]] = deque()
        self._claimed = False  #: whether the folder of what is being made is this one's

    def start(self) -> SetUp:
        """Begin; returns itself."""
        self._thread.start()
        return self

    def poll(self) -> bool:
        """Whether it has ended."""
        return self._ended.is_set()

    def cancel(self) -> None:
        """Have it end as "cancelled"; what it has made is deleted."""
        self._cancelled.set()

    def wait(self, progress: Callable[[float, str], None] | None = None) -> None:
        """Wait for the end, with ``progress`` called for every new step.

        Raises ``error``, and :class:`Cancelled`.
        """
        try:
            while not self._ended.wait(0.1):
                self._tell(progress)
            self._tell(progress)
        except BaseException:
            self.cancel()
            self._ended.wait(10.0)
            raise
        if self.error is not None:
            raise self.error
        if self.state == CANCELLED:
            raise Cancelled("Cancelled.")

    def _tell(self, progress: Callable[[float, str], None] | None) -> None:
        while self._news:
            news = self._news.popleft()
            if progress is not None:
                progress(*news)

    # -- the thread

    def _run(self) -> None:
        state, error = DONE, None
        folder = self._chosen.folder
        try:
            self._prepare()
            self._make()
        except Cancelled:
            state = CANCELLED
        except FaceError as failure:
            state, error = FAILED, _of_the_store(failure, self._base)
        except OSError as failure:
            state, error = FAILED, _os_error(failure, self._chosen)
        except Exception as failure:
            state, error = FAILED, FaceError(f"Unexpected {type(failure).__name__}: {failure}")
        if folder is not None and self._claimed:  # another one's is left alone
            with suppress(OutputError):
                environment.discard(environment.making_of(folder))
        self.error, self.state = error, state
        self._ended.set()

    def _prepare(self) -> None:
        """Refuse what cannot end well, before anything is written."""
        chosen = self._chosen
        if chosen.folder is None:
            raise OutputError("There is no folder for the backend's environment.")
        sentence = unsupported()
        if sentence:
            raise WorkerError(sentence)
        if not self._offline and not chosen.online:
            raise WorkerError(OFFLINE)
        if environment.being_made(chosen.folder):
            raise WorkerError("Another Blender is setting up the backend; wait until it is done.")
        chosen.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(chosen.folder).free / 1e6
        if free < chosen.wanted.disk_mb:
            raise OutputError(
                f"The disk of {chosen.folder} has {free:.0f} MB free, the backend needs "
                f"{chosen.wanted.disk_mb} MB while it is set up; free some space."
            )
        (chosen.folder / environment.LOG).write_text("", encoding="utf-8")

    @property
    def _offline(self) -> bool:
        return packages_are_here(self._chosen)

    def _make(self) -> None:
        chosen, folder = self._chosen, self._chosen.folder
        assert folder is not None
        making = environment.making_of(folder)
        environment.discard(making)
        making.mkdir()
        self._claimed = True
        (making / "temporary").mkdir()
        (making / "alive").touch()  # now, not when the thread gets its turn
        threading.Thread(target=self._beat, args=(making / "alive",), daemon=True).start()
        env = self._environment(making)
        made = making / "environment"
        self._report(0.01, "Making the environment")
        # Without pip: the extension's own one is used, and Debian's Pythons have none.
        done, text = self._call([self._base, "-I", "-m", "venv", "--without-pip", str(made)], env)
        if done:
            raise WorkerError(f"{self._base} could not make an environment: {why(text, 0)}")
        python = environment.python_of(made)
        pip = find_pip(self._base, chosen, env)
        output = Output(chosen.wanted.download_mb)

        def read(line: str) -> None:
            output.feed(line)
            if output.installing:
                output.installed(_packages_in(made))
            self._report(0.03 + 0.9 * output.fraction, output.step)

        *first, last = install_commands(python, pip, chosen, self._offline)
        for command in first:
            self._install(command, env)
        self._install(last, env, read)
        self._swap(made, folder, self._check(python))

    def _install(
        self,
        command: list[str],
        env: Mapping[str, str],
        read: Callable[[str], None] = lambda line: None,
    ) -> None:
        done, text = self._call(command, env, read)
        if done:
            reason = why(text, self._chosen.wanted.disk_mb)
            raise WorkerError(f"The backend's packages could not be installed: {reason}")

    def _check(self, python: Path) -> Report:
        self._report(0.94, "Trying the packages")
        report = run_check(
            python, self._chosen.wanted.modules, worker_environment(), started=self._watch
        )
        if self._cancelled.is_set():
            raise Cancelled("Cancelled.")
        if report.code != "ready":
            raise WorkerError(f"Set up, but not usable: {report.sentence('the new environment')}")
        stamp = {
            "version": self._version,
            "digest": self._chosen.wanted.digest(),
            "python": report.python,
            "base": os.path.realpath(python) if os.path.islink(python) else self._base,
        }
        environment.write_json(python.parents[1] / environment.STAMP, stamp)
        return report

    def _swap(self, made: Path, folder: Path, report: Report) -> None:
        """Put it in its place: from here on it counts."""
        self._report(0.98, "Finishing")
        place = environment.environment_of(folder)
        self._before_swap()
        CHECKS.stop()  # a Python that is being asked has files open too
        environment.discard(place)
        environment.rename(made, place)
        moved = tuple(path.replace(str(made), str(place)) for path in report.folders)
        python = environment.python_of(place)
        CHECKS.remember(python, replace(report, folders=moved), self._chosen)
        with suppress(OutputError):
            environment.discard(folder / "cache")

    def _environment(self, making: Path) -> dict[str, str]:
        """For pip: one disk holds all that it writes, and a new try finds its downloads."""
        env = worker_environment()
        temporary = str(making / "temporary")
        env |= {"TMPDIR": temporary, "TEMP": temporary, "TMP": temporary}
        env |= {"PIP_CACHE_DIR": str(making.parent / "cache"), "PYTHONUTF8": "1"}
        env["DIST_EXTRA_CONFIG"] = str(BUILD_SETTINGS)
        env["PYTHONUNBUFFERED"] = "1"  # what pip does is shown when it does it
        # Settings that would have it install elsewhere than into the environment.
        for name in ("PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV"):
            env.pop(name, None)
        return env

    def _call(
        self,
        command: list[str],
        env: Mapping[str, str],
        read: Callable[[str], None] = lambda line: None,
    ) -> tuple[int, str]:
        """Run ``command``, give ``read`` its lines; returns its status and what it said.

        ``read`` is also given an empty line now and then.
        """
        assert self._chosen.folder is not None
        said: list[str] = []
        try:
            process = subprocess.Popen(
                command, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace",
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )  # fmt: skip
        except OSError as error:
            raise WorkerError(f"{command[0]} cannot be run: {error.strerror}.") from error
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=_pump, args=(process, lines), daemon=True).start()
        with open(self._chosen.folder / environment.LOG, "a", encoding="utf-8") as log:
            # The address of a package index may hold a password.
            log.write(re.sub(r"//[^/@\s]+@", "//...@", f"$ {' '.join(command)}\n"))
            while True:
                if self._cancelled.is_set():
                    end_process(process)
                    raise Cancelled("Cancelled.")
                try:
                    line = lines.get(timeout=0.2)
                except queue.Empty:
                    read("")
                    continue
                if line is None:
                    break
                read(line)
                if not line.startswith("Progress "):
                    log.write(line)
                    log.flush()
                    said.append(line)
        return process.wait(), "".join(said)

    def _watch(self, process: subprocess.Popen[str]) -> None:
        """End ``process`` when this is cancelled."""

        def watch() -> None:
            while process.poll() is None:
                if self._cancelled.wait(0.1):
                    process.kill()
                    return

        threading.Thread(target=watch, daemon=True).start()

    def _report(self, fraction: float, step: str) -> None:
        fraction = max(self.fraction, fraction)
        if step != self.step:
            self._news.append((fraction, step))
        self.fraction, self.step = fraction, step

    def _beat(self, alive: Path) -> None:
        """Tell other Blenders that this is going on."""
        with suppress(OSError):
            while not self._ended.wait(1.0):
                alive.touch()


_last: SetUp | None = None


def start_set_up(
    version: str, *, base: str | None = None, before_swap: Callable[[], None] = lambda: None
) -> SetUp:
    """Have the environment made, or made anew, as ``choices()`` says; see :class:`SetUp`.

    One that is going on is returned instead of a second one.
    """
    global _last
    if _last is None or _last.poll():
        _last = SetUp(choices(), version, base, before_swap).start()
        atexit.register(stop)
    return _last


def last_set_up() -> SetUp | None:
    """The set-up that is going on, or the last one of this session."""
    return _last


def stop() -> None:
    """Cancel what is going on, and forget it."""
    global _last
    set_up, _last = _last, None
    atexit.unregister(stop)
    if set_up is not None and not set_up.poll():
        set_up.cancel()
        set_up._ended.wait(10.0)


def packages_are_here(chosen: Choices) -> bool:
    """Whether a set-up can do without the network."""
    name = PLATFORMS.get((platform.system(), platform.machine()), "")
    return bundled_for(chosen, sys.version_info[:2], name)


def end_process(process: subprocess.Popen[str]) -> None:
    """End a process and those that it has started."""
    if sys.platform == "win32":
        subprocess.run(
            ["taskkill", "/T", "/F", "/PID", str(process.pid)],
            capture_output=True, check=False, creationflags=subprocess.CREATE_NO_WINDOW,
        )  # fmt: skip
    else:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(5.0)


def _pump(process: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
    # When Blender dies this pipe closes, and pip ends at its next word.
    assert process.stdout is not None
    with suppress(ValueError), process.stdout:
        for line in process.stdout:
            lines.put(line)
    lines.put(None)


def _packages_in(made: Path) -> int:
    folders = [*made.glob("lib/python*/site-packages"), *made.glob("Lib/site-packages")]
    return sum(len(list(folder.glob("*.dist-info"))) for folder in folders[:1])


def _of_the_store(error: FaceError, base: str) -> FaceError:
    """``error``, with what may be behind it where ``base`` is part of a Microsoft Store's app.

    Such files are read-only, and Windows may not let them be run by others.
    """
    if "windowsapps" not in re.split(r"[\\/]", base.lower()):
        return error
    told = type(error)(
        f"{error} Blender from the Microsoft Store keeps its Python to itself: take Blender from "
        "blender.org, or choose an existing Python environment in the add-on's preferences."
    )
    told.__cause__ = error
    return told


def _os_error(error: OSError, chosen: Choices) -> FaceError:
    reason = why(str(error), chosen.wanted.disk_mb)
    return OutputError(f"The backend cannot be set up in {chosen.folder}: {reason}")
