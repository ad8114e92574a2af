"""pip: which one, how it is called, what its output means."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ...backend.errors import WorkerError
from .choices import Choices
from .environment import read_json

#: In the folder of wheels: what they were collected for (tools/build_extension writes it).
BUNDLE = "bundle.json"
_WHEEL = re.compile(r"pip-(\d+)\.(\d+)[^/\\]*-py3-none-any\.whl$")
#: Where Pythons keep a wheel of pip: their own module, and Debian's python3-pip-whl.
_FIND_WHEEL = """
import glob, importlib.util, os
spec = importlib.util.find_spec("ensurepip")
folders = [os.path.join(os.path.dirname(spec.origin), "_bundled")] if spec else []
for folder in folders + ["/usr/share/python-wheels"]:
    for path in sorted(glob.glob(os.path.join(folder, "pip-*.whl"))):
        print(path)
"""


def bundled_for(chosen: Choices, version: tuple[int, int], platform: str) -> bool:
    """Whether all packages for this Python and platform came with the extension."""
    bundle = read_json(chosen.wheels / BUNDLE)
    return (
        bundle.get("python") == f"{version[0]}.{version[1]}"
        and bundle.get("platform") == platform
        and bundle.get("digest") == chosen.wanted.digest()
    )


def find_pip(base: str, chosen: Choices, env: Mapping[str, str]) -> Path:
    """A wheel of pip, which runs without being installed.

    The extension's own; where it was installed from a checkout, that of the Python ``base``.
    Raises :class:`WorkerError`.
    """
    found = sorted(chosen.wheels.glob("pip-*.whl"))
    if not found:
        try:
            done = subprocess.run(
                [base, "-I", "-c", _FIND_WHEEL],
                capture_output=True, text=True, env=dict(env), timeout=60,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )  # fmt: skip
            found = [Path(line) for line in done.stdout.splitlines()]
        except (OSError, subprocess.TimeoutExpired) as error:
            raise WorkerError(f"Blender's Python at {base} cannot be run: {error}.") from error
    found = [path for path in found if _WHEEL.search(path.name)]
    if not found:
        raise WorkerError(
            f"Blender's Python at {base} has no pip; install your system's package python3-venv, "
            "or choose an existing Python environment in the add-on's preferences."
        )
    return max(found, key=_version)


def install_commands(python: Path, pip: Path, chosen: Choices, offline: bool) -> list[list[str]]:
    """What installs the requirements into the environment of ``python``, one after the other.

    Everything is known by its hash: first what source packages are built with, so that pip fetches
    nothing of its own.  ``offline`` takes all from the extension's wheels.  Otherwise pip's own
    configuration counts, also for the address of the package server.
    """
    requirements = chosen.wanted
    command = [
        str(python), str(pip / "pip"), "install", "--no-input", "--disable-pip-version-check",
        "--no-warn-script-location", "--require-hashes", "--no-build-isolation",
        "--no-compile",  # Python compiles what is used when it is
    ]  # fmt: skip
    if _version(pip) >= (24, 1):
        command += ["--progress-bar", "raw"]
    if offline:
        command += ["--no-index", "--find-links", str(chosen.wheels)]
    else:
        # Told to try once only, pip does not say that the network failed.
        command += ["--retries", "2"]
        if chosen.index:
            command += ["--extra-index-url", chosen.index]
    names = [name for name in requirements.names() if name.lower() not in requirements.source_only]
    last = [*command, "--requirement", str(requirements.lock), "--only-binary", ",".join(names)]
    if requirements.build is None:
        return [last]
    return [[*command, "--requirement", str(requirements.build)], last]


class Output:
    """pip's output as progress: ``fraction`` 0..1 of what it does, ``step`` in words."""

    #: Of the fractions, what downloading takes; the rest is unpacking.
    DOWNLOADED = 0.7

    def __init__(self, download_mb: int) -> None:
        self.fraction = 0.0
        self.step = "Looking up packages"
        self.installing: list[str] = []  #: names, once pip has come to that
        self._expected, self._done = download_mb * 1e6, 0.0
        self._name, self._size = "", 0.0

    def feed(self, line: str) -> None:
        """Take one line."""
        line = line.strip()
        if found := re.match(r"Progress (\d+) of (\d+)", line):
            self._count(float(found[1]), float(found[2]))
        elif found := re.match(r"(?:Downloading|Using cached) (\S+\.(?:whl|tar\.gz|zip))\b", line):
            self._done += self._size
            self._size = 0.0
            self._name = _package_of(found[1])
            self.step = f"Downloading {self._name}"
        elif found := re.match(r"Processing (.+\.(?:whl|tar\.gz|zip))\b", line):  # on this disk
            self.step = f"Reading {_package_of(found[1])}"
        elif found := re.match(r"Collecting ([A-Za-z0-9._-]+)", line):
            self.step = f"Looking up {found[1]}"
        elif found := re.match(r"Installing collected packages: (.*)", line):
            self.installing = found[1].split(", ")
            self.fraction = self.DOWNLOADED
            self.installed(0)

    def installed(self, count: int) -> None:
        """So many packages are in place."""
        if self.installing:
            total = len(self.installing)
            count = min(count, total - 1)
            part = (count + 0.5) / total * (1 - self.DOWNLOADED)
            self.fraction = max(self.fraction, self.DOWNLOADED + part)
            self.step = f"Installing {self.installing[count]} ({count + 1} of {total})"

    def _count(self, now: float, size: float) -> None:
        if size < 200_000:  # a package's description, not the package
            return
        self._size = size
        share = min((self._done + now) / self._expected, 1.0)
        self.fraction = max(self.fraction, share * self.DOWNLOADED)
        self.step = f"Downloading {self._name}: {now / 1e6:.0f} of {size / 1e6:.0f} MB"


def why(log: str, disk_mb: int) -> str:
    """The reason why pip failed, read from its output: the usual ones in plain words."""

    def says(*patterns: str) -> bool:
        return re.search("|".join(patterns), log) is not None

    if says("No space left on device", r"\[Errno 28\]", "not enough space on the disk"):
        return f"the disk is full; free {disk_mb} MB and try again."
    if says("CERTIFICATE_VERIFY_FAILED", "certificate verify failed"):
        return (
            "the package server's certificate is not trusted; if your network has its own, name "
            "its file in pip's configuration ('cert') or in the environment variable PIP_CERT."
        )
    if says("ProxyError", "Tunnel connection failed"):
        return "the network's proxy refused; set it in the environment variable HTTPS_PROXY."
    if says(
        "Temporary failure (in name )?resol", "Name or service not known", "Network is unre",
        "Failed to establish a new connection", "getaddrinfo failed", "Connection timed out",
        "nodename nor servname", "NewConnectionError", "ConnectTimeout", "ReadTimeout",
        "Connection refused", "Connection reset", "Read timed out",
    ):  # fmt: skip
        return "the package server cannot be reached; check the network and try again."
    if says("DO NOT MATCH THE HASHES"):
        return (
            "the package server gave another file than the add-on names by its hash; try again, or "
            "use another server."
        )
    if found := re.search(r"No matching distribution found for (\S+)", log):
        return (
            f"there is no {found[1]} for this Python and platform; choose an existing Python "
            "environment in the add-on's preferences."
        )
    if found := re.search(r"Permission denied: '([^']+)'|\[WinError 5\][^']*'([^']+)'", log):
        return f"{found[1] or found[2]} cannot be written; check its permissions."
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["pip said nothing"])[-1].removeprefix("ERROR:").strip()


def _package_of(file: str) -> str:
    return re.split(r"[/\\]", file)[-1].split("-")[0].replace("_", "-")


def _version(pip: Path) -> tuple[int, int]:
    found = _WHEEL.search(pip.name)
    return (int(found[1]), int(found[2])) if found else (0, 0)
