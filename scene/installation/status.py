"""How the backend's installation stands: a code and a sentence, cheap enough for drawing panels."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from . import environment
from .check import CHECKS
from .choices import Choices, choices
from .locate import PYTHON_VARIABLE, project_python, worker_environment
from .requirements import unsupported
from .set_up import OFFLINE as OFFLINE_SENTENCE
from .set_up import RUNNING, last_set_up, packages_are_here

READY = "ready"
CHECKING = "checking"  #: a Python that was not used before is being asked
INSTALLING = "installing"
MISSING = "missing"
UNFINISHED = "unfinished"  #: a set-up was interrupted
OUTDATED = "outdated"  #: made for other packages than this version of the add-on needs
BROKEN = "broken"  #: packages do not load
PYTHON_MISSING = "python_missing"  #: the chosen Python is not there
PYTHON_LACKS = "python_lacks"  #: the chosen Python has not all packages
OFFLINE = "offline"  #: needs the network, which Blender is not allowed
UNSUPPORTED = "unsupported"  #: there are no packages for Blender's Python or this platform


@dataclass(frozen=True)
class Status:
    """What :func:`installation_status` found."""

    code: str  #: one of the codes above
    sentence: str  #: for the user: what was found, what to do
    python: str = ""  #: the Python that runs the backend, "" where there is none
    source: str = ""  #: "environment", "preferences", "variable", "project" or "running"
    device: str = ""  #: what it computes on, once that is known: "CPU", "CUDA: NVIDIA ..."
    progress: float = 0.0  #: 0..1 while installing
    step: str = ""  #: what is being done while installing
    failure: str = ""  #: why the last set-up of this session failed

    @property
    def usable(self) -> bool:
        """Whether a reconstruction can be started."""
        return self.code in (READY, CHECKING)


def installation_status() -> Status:
    """How things stand, from ``choices()``, a few files' times and what the last checks found.

    Never starts a process on the calling thread: a Python that was not asked yet, or has changed
    since, is asked in another one, and the code is "checking" until then.
    """
    chosen = choices()
    set_up = last_set_up()
    if set_up is not None and set_up.state == RUNNING:
        return Status(INSTALLING, set_up.step, progress=set_up.fraction, step=set_up.step)
    for source, python in (
        ("variable", os.environ.get(PYTHON_VARIABLE, "")),
        ("preferences", chosen.python),
    ):
        if python:
            return _chosen_python(python, source, chosen)
    failure = str(set_up.error) if set_up is not None and set_up.error is not None else ""
    found = environment.problem(chosen)
    if found is None and chosen.folder is not None:
        python = environment.python_of(environment.environment_of(chosen.folder))
        return _checked(str(python), "environment", chosen, failure)
    assert found is not None
    code, sentence = found
    if code == MISSING:
        if elsewhere := project_python():
            source = "running" if elsewhere == sys.executable else "project"
            return Status(READY, f"The backend runs with {elsewhere}.", elsewhere, source)
        if chosen.folder is not None and environment.being_made(chosen.folder):
            return Status(INSTALLING, "Another Blender is setting up the backend.")
    return _needs_set_up(code, sentence, chosen, failure)


def check_again() -> None:
    """Have the Python that is in use asked again, in a thread; does nothing where there is none."""
    python = installation_status().python
    if python and Path(python).is_file():
        CHECKS.start(python, worker_environment())


def _chosen_python(python: str, source: str, chosen: Choices) -> Status:
    if not Path(python).is_file():
        where = PYTHON_VARIABLE if source == "variable" else "the add-on's preferences"
        return Status(
            PYTHON_MISSING, f"There is no Python at {python} ({where}); correct the path.",
            source=source,
        )  # fmt: skip
    return _checked(python, source, chosen)


def _checked(python: str, source: str, chosen: Choices, failure: str = "") -> Status:
    """What is known of a Python that is there; if nothing is, it is being asked from now on."""
    running = CHECKS.running(python)  # first: one that ends meanwhile has told what is known now
    report = CHECKS.known(python, chosen)
    if error := CHECKS.errors.get(python):
        return Status(BROKEN, error, python, source, failure=failure)
    if report is None or running:
        CHECKS.start(python, worker_environment())
        return Status(CHECKING, "Looking whether the backend's packages load ...", python, source)
    code = report.code
    if source == "environment" and code == PYTHON_LACKS:
        code = BROKEN  # it is ours: repaired, not chosen anew
    if code == BROKEN and source == "environment":
        return _needs_set_up(code, report.sentence("the backend"), chosen, failure, python)
    device = "CPU" if report.device == "cpu" or chosen.device == "cpu" else "CUDA"
    if device == "CUDA" and report.device_name:
        device += f": {report.device_name}"
    sentence = "The backend is ready." if code == READY else report.sentence(python)
    if code == READY and chosen.device == "cuda" and report.device != "cuda":
        sentence = (
            "The backend is ready, but finds no CUDA here; set it up for an NVIDIA GPU or choose "
            "another device."
        )
    return Status(code, sentence, python, source, device, failure=failure)


def _needs_set_up(
    code: str, sentence: str, chosen: Choices, failure: str, python: str = ""
) -> Status:
    """``code``, unless setting it up cannot be done here."""
    source = "environment" if python else ""
    if reason := unsupported():
        return Status(UNSUPPORTED, reason, python, source, failure=failure)
    here = packages_are_here(chosen)
    if not chosen.online and not here:
        return Status(OFFLINE, OFFLINE_SENTENCE, python, source, failure=failure)
    if not here:
        sentence += f" {chosen.wanted.cost}"
    elif code == MISSING:
        sentence += " Its packages came with the add-on."
    return Status(code, sentence, python, source, failure=failure)
