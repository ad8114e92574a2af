"""What pip is asked for, and what its words mean."""

from __future__ import annotations

import pytest
from reconstruct_face.scene.installation.pip import Output, why
from reconstruct_face.scene.installation.requirements import BACKEND, PACKAGES, unsupported


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


def test_what_must_load_is_what_is_locked() -> None:
    """Names of packages and of their modules differ; every declared package is tried.

    Not those that some platform has no build of: what needs them says so where they are used.
    """
    modules = {package: module for module, package in PACKAGES.items()}
    declared = [
        line.split(">=")[0]
        for line in BACKEND.lock.with_suffix(".in").read_text().splitlines()
        if line and not line.startswith("#") and ";" not in line
    ]
    assert {modules.get(name, name) for name in declared} == set(BACKEND.modules)
    locked = {name.lower().replace("_", "-") for name in BACKEND.names()}
    assert {name.lower().replace("_", "-") for name in declared} <= locked
