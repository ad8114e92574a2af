"""What several test files share."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def astronaut() -> Path:
    """The sample photo: one smiling face, 512 x 512, public domain."""
    return ROOT / "assets" / "astronaut.jpg"


@pytest.fixture
def fake_blender(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """``fake_blender(behaviour)``: an environment in which tests/fake_scene.py is "Blender"."""

    def make(behaviour: str = "") -> dict[str, str]:
        script = tmp_path / "fake blender"
        scene = ROOT / "tests" / "fake_scene.py"
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{scene}" {behaviour}\n')
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        return os.environ | {"RECONSTRUCT_FACE_BLENDER": str(script)}

    return make
