"""Whether a Python can run the backend: asked in its own process, remembered by file stamps."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...backend.errors import WorkerError
from .choices import Choices, choices
from .environment import CHECKED, modules_of, read_json, write_json
from .requirements import PACKAGES, PYTHONS

PROBE = Path(__file__).with_name("probe.py")
#: torch on a cold, slow disk.
PATIENCE_S = 180.0


@dataclass(frozen=True)
class Report:
    """What was found."""

    python: str = ""  #: its version, "" if it did not live to tell
    missing: tuple[str, ...] = ()  #: modules that are not there
    failed: dict[str, str] = field(default_factory=dict)  #: modules that do not load, and why
    device: str = "cpu"  #: "cpu" or "cuda"
    device_name: str = ""  #: of the graphics card
    folders: tuple[str, ...] = ()  #: where its packages are

    @property
    def code(self) -> str:
        """ "ready", "python_lacks" or "broken", as in ``status.py``."""
        if self.missing or self._too_old:
            return "python_lacks"
        return "broken" if self.failed else "ready"

    def sentence(self, python: str | os.PathLike[str]) -> str:
        """What is wrong with the Python at ``python``."""
        if self._too_old:
            wanted = ".".join(map(str, PYTHONS[0]))
            return f"{python} is Python {self.python}; the backend needs {wanted} or newer."
        if self.missing:
            names = [PACKAGES.get(name, name) for name in self.missing]
            return f"{python} lacks {_listed(names)}; install what is missing there with pip."
        if self.failed:
            name, line = next(iter(self.failed.items()))
            return f"The package {name} does not load in {python}: {line}"
        return f"{python} has all that the backend needs."

    @property
    def _too_old(self) -> bool:
        version = tuple(int(part) for part in self.python.split(".")[:2] if part)
        return bool(version) and version < PYTHONS[0]


def run_check(
    python: str | os.PathLike[str],
    modules: Sequence[str],
    env: dict[str, str],
    *,
    started: Callable[[subprocess.Popen[str]], None] = lambda process: None,
) -> Report:
    """Load all ``modules`` in ``python``, and what else tells its device; takes seconds.

    ``started`` is given the process, to end it.  Raises :class:`WorkerError` when ``python`` cannot
    be run or is no Python.
    """
    try:
        process = subprocess.Popen(
            [os.fspath(python), str(PROBE), *modules],
            env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, encoding="utf-8", errors="replace",
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )  # fmt: skip
        started(process)
        output, _ = process.communicate(timeout=PATIENCE_S)
    except OSError as error:
        raise WorkerError(f"{python} cannot be run: {error.strerror}.") from error
    except subprocess.TimeoutExpired as error:
        process.kill()
        raise WorkerError(
            f"{python} did not load the packages within {PATIENCE_S:.0f} seconds; try again."
        ) from error
    lines = [line for line in output.splitlines() if line.strip()]
    loading = [line.split()[1] for line in lines if line.startswith("loading ")]
    if process.returncode == 0 and lines:
        with suppress(ValueError, TypeError, KeyError):
            return _report(json.loads(lines[-1]))
    if not loading:
        last = f": {lines[-1]}" if lines else ""
        raise WorkerError(f"{python} is not a Python that works{last}.")
    end = f"the process ended with status {process.returncode}"
    return Report(failed={loading[-1]: end})


class Checks:
    """Findings by Python, in memory and in ``checked.json`` of the chosen folder."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Any]] = {}
        self._running: dict[str, threading.Thread] = {}
        self._processes: list[subprocess.Popen[str]] = []
        self._lock = threading.Lock()
        self.errors: dict[str, str] = {}  #: Pythons that could not be asked, and the sentence

    def known(self, python: str | os.PathLike[str], chosen: Choices) -> Report | None:
        """What is known of ``python``, None if it was not asked or has changed since."""
        key = os.fspath(python)
        entry = self._known.get(key)
        if entry is None and chosen.folder is not None:
            entry = read_json(chosen.folder / CHECKED).get(key)
        if not entry or entry.get("stamps") != _stamps(key, entry, chosen):
            return None
        with suppress(TypeError, KeyError):
            return _report(entry["report"])
        return None

    def remember(self, python: str | os.PathLike[str], report: Report, chosen: Choices) -> None:
        """Keep ``report`` for the next time, also for the next Blender."""
        key = os.fspath(python)
        entry: dict[str, Any] = {"report": asdict(report)}
        entry["stamps"] = _stamps(key, entry, chosen)
        self._known[key] = entry
        self.errors.pop(key, None)
        if chosen.folder is not None and chosen.folder.is_dir():
            with suppress(OSError):  # then it is asked again next time
                path = chosen.folder / CHECKED
                write_json(path, {**read_json(path), key: entry})

    def start(self, python: str | os.PathLike[str], env: dict[str, str]) -> None:
        """Ask ``python`` in a thread, unless that is going on."""
        key = os.fspath(python)
        with self._lock:
            if self.running(key):
                return
            self.errors.pop(key, None)
            thread = threading.Thread(target=self._ask, args=(key, choices(), env), daemon=True)
            self._running[key] = thread
            thread.start()

    def running(self, python: str | os.PathLike[str]) -> bool:
        """Whether ``python`` is being asked."""
        thread = self._running.get(os.fspath(python))
        return thread is not None and thread.is_alive()

    def wait(self, python: str | os.PathLike[str]) -> None:
        """Wait until it has been asked."""
        thread = self._running.get(os.fspath(python))
        if thread is not None:
            thread.join()

    def stop(self) -> None:
        """End what is running."""
        for process in self._processes:
            process.kill()
        for thread in list(self._running.values()):
            thread.join(2.0)

    def _ask(self, key: str, chosen: Choices, env: dict[str, str]) -> None:
        try:
            modules = modules_of(key, chosen)
            report = run_check(key, modules, env, started=self._processes.append)
        except WorkerError as error:
            self.errors[key] = str(error)
        else:
            self.remember(key, report, chosen)
        finally:
            self._processes[:] = [one for one in self._processes if one.poll() is None]


CHECKS = Checks()


def _stamps(python: str, entry: dict[str, Any], chosen: Choices) -> list[Any]:
    """What changes when the Python or its packages do: times of files, and what was asked."""
    stamps: list[Any] = [" ".join(modules_of(python, chosen))]
    for path in (python, *entry["report"]["folders"]):
        try:
            stamps.append(os.stat(path).st_mtime_ns)
        except OSError:
            stamps.append(None)
    return stamps


def _report(found: dict[str, Any]) -> Report:
    return Report(
        python=found["python"],
        missing=tuple(found["missing"]),
        failed=dict(found["failed"]),
        device=found["device"],
        device_name=found["device_name"],
        folders=tuple(found["folders"]),
    )


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
