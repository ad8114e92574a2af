"""The environment's place on the disk, and what can be told from its files alone.

In the folder of ``Choices``::

    environment/        complete: it is renamed to this when all of it is there
        reconstruct_face.json   what it was made for (the stamp)
    making/             being made, or left behind by a set-up that was interrupted
        alive           touched every second by the set-up
    cache/              what pip has downloaded, until a set-up succeeds
    setup.log           what the last set-up did
    checked.json        what the last checks found, see ``check.py``
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...backend.bounded import parse_json
from ...backend.errors import OutputError
from .choices import Choices
from .requirements import Requirements

STAMP = "reconstruct_face.json"
LOG = "setup.log"
CHECKED = "checked.json"
#: A set-up that has not touched its file for so long has ended.
ALIVE_S = 10.0
_INSIDE = "Scripts/python.exe" if sys.platform == "win32" else "bin/python"
_read: dict[Path, tuple[tuple[int, int], dict[str, Any]]] = {}


def environment_of(folder: Path) -> Path:
    """The complete environment's folder."""
    return folder / "environment"


def making_of(folder: Path) -> Path:
    """The folder of a set-up that is going on."""
    return folder / "making"


def python_of(environment: Path) -> Path:
    """The Python of an environment."""
    return environment / _INSIDE


def read_json(path: Path) -> dict[str, Any]:
    """The object in a small file, {} when there is none; read again only when it has changed."""
    try:
        found = path.stat()
        state = found.st_mtime_ns, found.st_size
        known = _read.get(path)
        if known is None or known[0] != state:
            value = parse_json(path.read_bytes())
            known = _read[path] = state, value if isinstance(value, dict) else {}
        return known[1]
    except (OSError, ValueError):
        return {}


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write it whole or not at all.  Raises OSError."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(value, indent=1), encoding="utf-8")
    beside.replace(path)


def being_made(folder: Path) -> bool:
    """Whether a set-up is going on, in this Blender or in another one."""
    with suppress(OSError):
        return time.time() - (making_of(folder) / "alive").stat().st_mtime < ALIVE_S
    return False


def made_for(choices: Choices) -> Requirements | None:
    """What the complete environment holds; None where there is none, or other packages."""
    if choices.folder is None:
        return None
    digest = read_json(environment_of(choices.folder) / STAMP).get("digest")
    for one in (choices.requirements, choices.gpu_requirements):
        if digest == one.digest():
            return one
    return None


def modules_of(python: str | os.PathLike[str], choices: Choices) -> tuple[str, ...]:
    """The modules that must load in ``python``: an environment of ours has all it was made for."""
    ours = choices.folder and os.fspath(python_of(environment_of(choices.folder)))
    found = made_for(choices) if os.fspath(python) == ours else None
    return (found or choices.requirements).modules


def problem(choices: Choices) -> tuple[str, str] | None:
    """What is wrong with the environment as (code, sentence), as far as its files tell.

    The codes are those of ``status.py``: "missing", "unfinished", "outdated", "broken".
    """
    folder = choices.folder
    if folder is None or not environment_of(folder).is_dir():
        if folder is not None and making_of(folder).is_dir() and not being_made(folder):
            return "unfinished", "Setting up the backend was interrupted; set it up again."
        return "missing", "The backend, which finds and fits the face, is not set up yet."
    stamp = read_json(environment_of(folder) / STAMP)
    if not stamp:
        return "broken", "The backend's environment is damaged; repair it."
    if made_for(choices) is None:
        return "outdated", (
            f"The backend was set up for version {stamp.get('version')} of the add-on and this one "
            "needs other packages; update it."
        )
    if not python_of(environment_of(folder)).is_file() or not Path(stamp.get("base", "")).is_file():
        return "broken", (
            f"The Python that the backend was made from ({stamp.get('base')}) is gone, as after "
            "Blender was moved or updated; repair the backend."
        )
    return None


def remove(choices: Choices) -> None:
    """Delete the environment and all that set-ups have left.  Raises :class:`OutputError`."""
    folder = choices.folder
    if folder is None:
        return
    if being_made(folder):
        raise OutputError("The backend is being set up; cancel that first, then remove it.")
    for path in (environment_of(folder), making_of(folder), folder / "cache"):
        discard(path)
    for name in (CHECKED, LOG):
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):  # other people's files may be in it
        folder.rmdir()


def discard(path: Path) -> None:
    """Delete the folder ``path``, at once under its name.  Raises :class:`OutputError`."""
    with suppress(OSError):
        for left in path.parent.glob(f"{path.name}.old-*"):  # from a time when it was in use
            delete(left)
    if not path.exists():
        return
    away = path.with_name(f"{path.name}.old-{os.getpid()}-{time.time_ns()}")
    rename(path, away)
    delete(away)


def delete(folder: Path) -> None:
    """Delete ``folder`` and all in it, as far as it can be.

    Files that may not be written are made so first, which Windows wants: copies of a read-only
    Python, as Blender from the Microsoft Store has one, are read-only too.
    """
    if sys.platform == "win32":
        for path in folder.rglob("*"):
            with suppress(OSError):
                path.chmod(stat.S_IWRITE | stat.S_IREAD)
    shutil.rmtree(folder, ignore_errors=True)


def rename(path: Path, new: Path) -> None:
    """Rename a folder.  Raises :class:`OutputError`.

    Windows refuses while a file in it is open, for instance by a virus scanner: tried for a while.
    """
    end = time.monotonic() + 5.0
    while True:
        try:
            path.rename(new)
            return
        except OSError as error:
            if sys.platform != "win32" or time.monotonic() > end:
                raise OutputError(
                    f"Cannot rename {path}: {error.strerror}; close what uses it and try again."
                ) from error
        time.sleep(0.2)
