"""What several test files share."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def astronaut() -> Path:
    """The sample photo: one smiling face, 512 x 512, public domain."""
    return ROOT / "assets" / "astronaut.jpg"


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's data folder with the imported model "small", for reading; made by the command."""
    from tests import bfm_files

    folder, there = (tmp_path_factory.mktemp(name) for name in ("data", "files"))
    face = bfm_files.small_face()
    paths = [
        bfm_files.write_bfm(there / "BFM.mat", face),
        bfm_files.write_exp_80k(there / "exp_80k.npz", face),
        bfm_files.write_stats_80k(there / "stats_80k.npz", face),
    ]
    ran = subprocess.run(
        [sys.executable, "-m", "reconstruct_face.backend", "models", "import", *map(str, paths)]
        + ["--name", "small", "--json"],
        capture_output=True,
        text=True,
        env=os.environ | {"RECONSTRUCT_FACE_DATA": str(folder)},
    )
    assert ran.returncode == 0, ran.stderr
    card = json.loads(ran.stdout)
    assert card["counts"]["vertices"] == bfm_files.SMALL
    assert Path(card["folder"], "card.png").is_file()
    return folder


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
