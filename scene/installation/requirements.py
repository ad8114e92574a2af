"""What the backend needs to run: packages, Pythons, platforms, room on the disk."""

from __future__ import annotations

import hashlib
import platform
import re
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

#: Versions of Python and platforms (system, machine) that all packages have wheels for.
PYTHONS = ((3, 11), (3, 14))
PLATFORMS = {
    ("Linux", "x86_64"): "linux-x64",
    ("Windows", "AMD64"): "windows-x64",
    ("Darwin", "arm64"): "macos-arm64",
}

#: Modules whose package has another name.
PACKAGES = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "dlib": "dlib-bin",
    "igl": "libigl",
    "pillow_heif": "pillow-heif",
    "skimage": "scikit-image",
}


@dataclass(frozen=True)
class Requirements:
    """A lock file, and what pip and the check must know about it.

    ``modules`` must load.  ``source_only`` packages are on PyPI as source alone; all others are
    refused as source, because compiling them takes an hour and then fails.
    """

    lock: Path
    modules: tuple[str, ...]
    source_only: tuple[str, ...] = ()
    download_mb: int = 10  #: about
    disk_mb: int = 50  #: at the worst moment: archives and what is unpacked from them

    def names(self) -> list[str]:
        """The packages' names, each once."""
        found = re.findall(r"^([A-Za-z0-9._-]+)", self._text(), re.MULTILINE)
        return list(dict.fromkeys(found))

    def digest(self) -> str:
        """Changes when the packages do."""
        return hashlib.sha256(self._text().encode()).hexdigest()[:16]

    def _text(self) -> str:
        return _lines(self.lock, self.lock.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _lines(lock: Path, _stamp: int) -> str:
    """Read once: panels ask whether it has changed at every draw."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if line.strip() and not line.startswith("#"))


def _backend() -> Requirements:
    # On Linux, PyPI's torch is the CUDA build, which brings its libraries along (measured with
    # Python 3.13: 5.3 GB in the end, 8.5 GB at the worst moment; the CPU build: 1.5 GB).
    linux = sys.platform == "linux"
    return Requirements(
        lock=Path(__file__).with_name("requirements.lock"),
        modules=(
            "numpy", "scipy", "cv2", "PIL", "pillow_heif", "dlib", "embreex", "safetensors", "h5py",
            "igl", "skimage", "threadpoolctl", "tqdm", "torch", "face_recognition_models",
        ),
        source_only=("face-recognition-models",),
        download_mb=3000 if linux else 400,
        disk_mb=9000 if linux else 2500,
    )  # fmt: skip


BACKEND = _backend()


def unsupported(
    version: tuple[int, int] = sys.version_info[:2],
    system: str | None = None,
    machine: str | None = None,
) -> str | None:
    """The sentence that says why no environment can be made from this Python here, or None."""
    here = system or platform.system(), machine or platform.machine()
    if here not in PLATFORMS:
        return (
            f"The backend's packages are not made for {here[0]} on {here[1]}; choose an existing "
            "Python environment that has them in the add-on's preferences."
        )
    if not PYTHONS[0] <= version <= PYTHONS[1]:
        first, last = (".".join(map(str, edge)) for edge in PYTHONS)
        return (
            f"Blender's Python is {version[0]}.{version[1]}, the backend's packages are made for "
            f"{first} to {last}; choose an existing Python environment in the add-on's preferences."
        )
    return None
