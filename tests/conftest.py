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

from tests.imports import Import, module_name, project, within

ROOT = Path(__file__).resolve().parents[1]
#: Packages of gigabytes, or built for few machines: what the fast tier does without.
HEAVY = (
    "torch", "bpy", "bpy_extras", "mathutils", "gpu", "aud", "dlib", "face_recognition_models",
    "tensorflow", "keras", "pytorch3d",
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--fast``: the fast tier, see CONTRIBUTING.md."""
    parser.addoption(
        "--fast", action="store_true", help="only quick tests that need none of the heavy packages"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Whether the fast tier leaves a file out: it, or what it imports or starts, is heavy.

    What the project imports in functions does not count, what tests do there does.
    """

    def follow(one: Import) -> bool:
        return one.kind != "function" or within(one.importer, "tests")

    if not config.getoption("fast") or collection_path.suffix != ".py":
        return None
    reached = project().reached(module_name(collection_path), follow)
    return any(within(name, *HEAVY) for name in reached) or None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave slow tests out of the fast tier."""
    if config.getoption("fast"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        slow += [item for item in items if item.get_closest_marker("seconds")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


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
