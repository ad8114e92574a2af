"""A short round of the soak command, and that it notices what goes wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools.soak.soak import Soak

ROOT = Path(__file__).parents[1]


def test_what_is_lost_twice_or_left_is_noticed(tmp_path: Path) -> None:
    soak = Soak(tmp_path, 1)
    soak._out.mkdir()
    soak._each_once([], "nothing")
    assert soak.failures == []
    soak._each_once(soak._photos, "the whole run")
    assert "3 photos lost" in soak.failures[-1]
    (soak._place / "blender_abc").mkdir()
    (soak._out / ".anna.claim").write_text("")
    soak._each_once([], "the whole run")
    assert "blender_abc" in soak.failures[-1] and ".anna.claim" in soak.failures[-1]
    (soak._out / "anna.json").write_text("{}")
    soak._whole("the whole run")
    assert "anna is not whole" in soak.failures[-1]
    (soak._out / "anna.json").unlink()
    soak._whole("the whole run")
    assert "lost" in soak.failures[-1] and "failures" in soak.told()


@pytest.mark.slow
def test_a_short_round() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.soak", "--rounds", "1", "--processes", "2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=550,
    )
    assert done.returncode == 0, done.stdout + done.stderr
