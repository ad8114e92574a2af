"""Which test files an environment gets: those whose packages it has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NEEDS_TORCH, NEEDS_NONE = "tests/test_differentiable.py", "tests/test_visemes.py"
#: Stands for an environment in which importing torch fails.
NO_TORCH = """
import sys
sys.modules["torch"] = None
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""


def collected(*options: str) -> tuple[set[str], str]:
    """The files whose tests pytest would run, and all that it said."""
    done = subprocess.run(
        [sys.executable, "-c", NO_TORCH, "--collect-only", "-q", *options],
        capture_output=True, text=True, timeout=120, cwd=ROOT, check=False,
    )  # fmt: skip
    return {line.split("::")[0] for line in done.stdout.splitlines() if "::" in line}, done.stdout


@pytest.mark.seconds
@pytest.mark.parametrize("option", ["--torch=without", "--fast"])
def test_without_torch_a_file_that_needs_it_is_not_even_imported(option: str) -> None:
    """Also where it is named: tools/test.sh hands its arguments to both runs."""
    files, said = collected(option, NEEDS_TORCH, NEEDS_NONE)
    assert files == {NEEDS_NONE}, said
    assert "error" not in said


@pytest.mark.seconds
def test_with_torch_only_what_needs_it_is_taken() -> None:
    """Here the import fails, so that the file was taken is seen by that."""
    files, said = collected("--torch=only", NEEDS_TORCH, NEEDS_NONE)
    assert files == set()
    assert f"ERROR {NEEDS_TORCH}" in said and NEEDS_NONE not in said
