"""A rig saved, reopened, linked and overridden, and Rigify's metarig: what
``tools/real_blender/rigs.py`` checks, in the bpy module; other Blenders run the same script."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "tools" / "real_blender" / "rigs.py"


@pytest.mark.slow
def test_a_rig_is_the_same_after_saving_and_as_an_override(tmp_path: Path) -> None:
    for what in ("--make", "--check"):
        done = subprocess.run(
            [sys.executable, "-P", str(SCRIPT), what, str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    told = done.stdout
    for step in ("opened", "saved and reopened", "keys lead", "bones lead", "library override"):
        assert f": {step}: 0.0" in told, told
    assert ": Rigify: [" in told, told
