"""Wheels made on the spot, in place of the backend's gigabytes."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import zipfile
from pathlib import Path

import pip
from reconstruct_face.scene.installation.choices import Choices
from reconstruct_face.scene.installation.pip import BUNDLE
from reconstruct_face.scene.installation.requirements import PLATFORMS, Requirements

PLATFORM = next(
    name for (system, _), name in PLATFORMS.items() if system.lower().startswith(sys.platform[:5])
)


def make_wheel(
    folder: Path, name: str, code: str = "", version: str = "1.0", tag: str = "py3-none-any"
) -> Path:
    """A wheel of one module ``name`` that holds ``code``."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        record.append(f"{path},sha256={digest.decode()},{len(text.encode())}\n")
    files[f"{info}/RECORD"] = "".join(record) + f"{info}/RECORD,,\n"
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)  # the same file at any time
    return wheel


def pip_as_if_unpacked(folder: Path) -> None:
    """This environment's pip, where a wheel of it is looked for: that is compiled at every run."""
    wheel = folder / f"pip-{pip.__version__}-py3-none-any.whl"
    if not wheel.exists():
        wheel.mkdir(parents=True)
        (wheel / "pip").symlink_to(Path(pip.__file__).parent)


def tiny_choices(root: Path, *, bundled: bool = True, **packages: str) -> Choices:
    """An installation in ``root`` of modules with the given code; two empty ones by default.

    ``bundled``: their wheels come with the extension.
    """
    packages = packages or {"tiny_a": "", "tiny_b": "import tiny_a"}
    lock, wheels = root / "requirements.lock", root / "wheels"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, code in packages.items():
        wheel = make_wheel(wheels, name, code)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        lines.append(f"{name}==1.0 \\\n    --hash=sha256:{digest}\n")
    lock.write_text("".join(lines))
    requirements = Requirements(lock, tuple(packages), disk_mb=1)
    if bundled:
        pip_as_if_unpacked(wheels)
        bundle = {
            "python": "{}.{}".format(*sys.version_info),
            "platform": PLATFORM,
            "digest": requirements.digest(),
        }
        (wheels / BUNDLE).write_text(json.dumps(bundle))
    return Choices(root / "backend", requirements=requirements, wheels=wheels, online=not bundled)
