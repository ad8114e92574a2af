"""Nothing is imported from the folder that one stands in, whatever it holds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from reconstruct_face.backend import blender as blender_module
from reconstruct_face.backend.verify import pytorch3d
from reconstruct_face.scene.backend_process import BackendProcess
from reconstruct_face.scene.installation import check, pip
from reconstruct_face.scene.installation.choices import Choices
from reconstruct_face.scene.installation.locate import worker_environment

ROOT = Path(__file__).parents[1]
ENTRY = ROOT / "backend" / "__main__.py"
#: Modules that every entry imports sooner or later, the interpreter's own among them.
SHADOWS = (
    "argparse", "json", "pathlib", "importlib", "typing", "dataclasses", "logging", "tempfile",
    "subprocess", "glob", "numpy", "scipy", "torch", "cv2", "dlib", "PIL", "bpy", "tqdm", "runpy",
    "pkgutil", "venv", "ensurepip", "pip", "pytorch3d", "ctypes", "collections", "contextlib",
    "threadpoolctl", "pillow_heif", "safetensors", "h5py", "platform", "socket", "random",
    "reconstruct_face", "sitecustomize", "usercustomize",
)  # fmt: skip
SHADOW = 'open({found!r}, "a").write(__name__ + "\\n"); raise SystemExit("hijacked")\n'


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, full of shadows; ``found`` beside it tells which were imported."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    for name in SHADOWS:
        (folder / f"{name}.py").write_text(SHADOW.format(found=str(tmp_path / "found")))
    monkeypatch.chdir(folder)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    return folder


def clean(folder: Path) -> None:
    found = folder.parent / "found"
    assert not found.exists(), f"imported from the current folder: {found.read_text().split()}"


def test_the_shadows_work(hostile: Path) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False)
    with pytest.raises(AssertionError):
        clean(hostile)


COMMANDS = [
    "reconstruct",
    "models",
    "animate",
    "verify",
    "train",
    "synthesise",
    "original",
    "bench",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_by_path(command: str, hostile: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ENTRY), command, "--help"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    clean(hostile)


def test_the_command_as_the_documentation_has_it(hostile: Path) -> None:
    command = [sys.executable, "-P", "-m", "reconstruct_face.backend", "reconstruct", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    clean(hostile)
    documents = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    text = "".join(path.read_text() for path in documents)
    assert "python -P -m reconstruct_face" in text and "python -m reconstruct_face" not in text


def test_without_the_flag_what_the_interpreter_does_not_look_for_itself(hostile: Path) -> None:
    for name in ("runpy", "pkgutil", "importlib", "typing", "contextlib", "reconstruct_face"):
        (hostile / f"{name}.py").unlink()
    command = [sys.executable, "-m", "reconstruct_face.backend", "reconstruct", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    clean(hostile)


def test_the_installed_command(hostile: Path) -> None:
    script = Path(sys.executable).with_name("reconstruct")
    done = subprocess.run([str(script), "--help"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    clean(hostile)


@pytest.mark.seconds
def test_the_scene_worker_and_the_backend(hostile: Path) -> None:
    blender = blender_module.Blender()
    try:
        blender._worker.call("ping")
    finally:
        blender.close()
    with BackendProcess(sys.executable) as backend:
        assert "models" in backend._call("list_models", {})
    clean(hostile)


@pytest.mark.seconds
def test_the_check_of_an_environment_and_pip(hostile: Path, tmp_path: Path) -> None:
    report = check.run_check(sys.executable, ("numpy", "cv2"), worker_environment())
    assert not report.failed and not report.missing
    chosen = Choices(folder=tmp_path / "env")
    assert pip.find_pip(getattr(sys, "_base_executable", sys.executable), chosen, os.environ)
    made = tmp_path / "made"
    command = [sys.executable, "-I", "-m", "venv", "--without-pip", str(made)]
    assert subprocess.run(command, capture_output=True).returncode == 0
    clean(hostile)


def test_pytorch3d_is_looked_for_elsewhere(hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pytorch3d.VARIABLE, sys.executable)
    try:
        pytorch3d.PyTorch3D().close()
    except Exception as error:  # where it is not installed, that is what it says
        assert "hijacked" not in str(error)
    clean(hostile)


@pytest.mark.parametrize("script", ["reconstruct.sh", "verify.sh"])
def test_shell_scripts(script: str, hostile: Path, tmp_path: Path) -> None:
    """In a copy of the project whose environment is this one, and set up."""
    root = tmp_path / "project"
    (root / "tools").mkdir(parents=True)
    for path in (ROOT / "tools").glob("*.sh"):
        shutil.copy(path, root / "tools")
    for name in ("pyproject.toml", "setup.py", "blender_manifest.toml"):
        shutil.copy(ROOT / name, root)
    build = Path("scene/installation/build.lock")
    (root / build).parent.mkdir(parents=True)
    for path in (*(path.name for path in ROOT.glob("requirements*")), build):
        shutil.copy(ROOT / path, root / path)
    for name, lock in ((".venv", ""), (".venv-verify", "-verify")):
        python = root / name / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        stamp = f'source tools/setup.sh; fingerprint "requirements{lock}.lock"'
        printed = subprocess.run(
            ["bash", "-c", stamp], cwd=root, capture_output=True, text=True, check=True
        ).stdout
        (root / name / f".installed-requirements{lock}.lock").write_text(printed)
    done = subprocess.run(
        [str(root / "tools" / script), "--help"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "usage" in done.stdout
    clean(hostile)


def test_every_start_of_python_is_safe() -> None:
    """Scripts ask for -P or -I wherever they run code or a module by name."""
    for path in (ROOT / "tools").glob("*.sh"):
        for line in path.read_text().splitlines():
            if '$VENV/bin/python" -c' in line or "reconstruct_face.backend" in line:
                assert " -P " in line or 'python" -P' in line, f"{path.name}: {line}"
