"""The zips of tools/build_extension.py, with small wheels in place of the backend's."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
from reconstruct_face.scene.installation import set_up
from reconstruct_face.scene.installation.choices import Choices
from reconstruct_face.scene.installation.pip import bundled_for
from reconstruct_face.scene.installation.requirements import PLATFORMS, PROCESSOR, PYTHONS

from tests.errors import has, raises
from tests.tiny_packages import PLATFORM, make_wheel, tiny_choices

ROOT = Path(__file__).resolve().parents[1]
PYTHON = "{}.{}".format(*sys.version_info)


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The tool, packing a copy of the project without its 28 MB of assets."""
    path = ROOT / "tools/build_extension.py"
    spec = importlib.util.spec_from_file_location("build_extension", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    small = tmp_path_factory.mktemp("project")
    for name in ("__init__.py", "blender_manifest.toml", "LICENSE"):
        shutil.copy(ROOT / name, small)
    for name in ("scene", "tools", "tests"):
        shutil.copytree(ROOT / name, small / name, ignore=shutil.ignore_patterns("*.pyc"))
    vars(module)["ROOT"] = small
    return module


@pytest.fixture
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all that pip sees: the small wheels, and its own."""
    packages = tmp_path / "packages"
    make_wheel(packages, "pip", version="99.0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", packages.as_uri())
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return packages


def manifest_of(path: Path) -> dict[str, object]:
    with zipfile.ZipFile(path) as archive:
        return tomllib.loads(archive.read("blender_manifest.toml").decode())


def test_the_thin_zip_is_the_project_and_pip(
    tool: ModuleType, no_network: Path, tmp_path: Path
) -> None:
    path = tool.build_thin(tmp_path / "out")
    assert path.name == f"reconstruct_face-{manifest_of(path)['version']}.zip"
    assert "platforms" not in manifest_of(path)
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
    assert {name for name in names if name.startswith("wheels/") and name != "wheels/"} == {
        "wheels/pip-99.0-py3-none-any.whl"
    }
    assert {"scene/installation/requirements.lock", "scene/installation/probe.py"} <= names
    assert not [name for name in names if name.startswith(("tools", "tests"))]


def test_a_thin_zip_that_has_grown_too_large_is_not_built(
    tool: ModuleType, no_network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tool.LARGEST_THIN_MB == 40, "as docs/release.md says"
    monkeypatch.setattr(tool, "LARGEST_THIN_MB", 0.01)
    with raises(tool.BuildError, "blender_manifest.toml"):
        tool.build_thin(tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.zip"))


def test_the_full_zip_sets_up_a_backend_without_a_network(
    tool: ModuleType, no_network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the tool packs is what the set-up takes."""
    source = tiny_choices(tmp_path / "source", bundled=False, tiny_a="", tiny_b="import tiny_a")
    for wheel in source.wheels.glob("*.whl"):
        wheel.rename(no_network / wheel.name)
    path = tool.build_full(tmp_path / "out", PLATFORM, PYTHON, requirements=source.requirements)
    assert path.name.endswith(f"-{PLATFORM}-py{PYTHON}.zip")
    manifest = manifest_of(path)
    assert manifest["platforms"] == [PLATFORM]
    assert "wheels" not in manifest, "they are not for Blender's own Python"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "extension")
    wheels = tmp_path / "extension" / "wheels"
    (wheels / "pip-99.0-py3-none-any.whl").unlink()  # was none; the Python's own is used
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    chosen = Choices(
        tmp_path / "backend", requirements=source.requirements, wheels=wheels, online=False
    )
    assert set_up.packages_are_here(chosen)
    set_up.SetUp(chosen, "0.1.0").start().wait()
    python = tmp_path / "backend" / "environment" / "bin" / "python"
    assert subprocess.run([python, "-c", "import tiny_b"], check=False).returncode == 0


def test_a_full_zip_counts_for_its_own_python_and_packages_alone(
    tool: ModuleType, no_network: Path, tmp_path: Path
) -> None:
    source = tiny_choices(tmp_path / "source", bundled=False, tiny_a="")
    for wheel in source.wheels.glob("*.whl"):
        wheel.rename(no_network / wheel.name)
    path = tool.build_full(tmp_path / "out", PLATFORM, "3.13", requirements=source.requirements)
    assert manifest_of(path)["blender_version_min"] == "5.1.0", "the first with Python 3.13"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "extension")
    chosen = Choices(requirements=source.requirements, wheels=tmp_path / "extension" / "wheels")
    assert bundled_for(chosen, (3, 13), PLATFORM)
    assert not bundled_for(chosen, (3, 12), PLATFORM)
    assert not bundled_for(chosen, (3, 13), "windows-arm64")
    source.requirements.lock.write_text("tiny_a==2.0\n")
    os.utime(source.requirements.lock, (1, 1))
    assert not bundled_for(chosen, (3, 13), PLATFORM), "an update of the add-on needs other ones"


def test_a_wheel_that_is_not_to_be_had(tool: ModuleType, no_network: Path, tmp_path: Path) -> None:
    source = tiny_choices(tmp_path / "source", bundled=False, tiny_a="")
    with raises(tool.BuildError, "tiny_a==1.0"):
        tool.build_full(tmp_path / "out", PLATFORM, PYTHON, requirements=source.requirements)
    assert not list((tmp_path / "out").glob("*.zip"))


def test_the_index_lists_the_zips_for_blender(
    tool: ModuleType, no_network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main(["--index", str(tmp_path / "repository")]) == 0
    shown = capsys.readouterr().out
    listing = json.loads((tmp_path / "repository" / "index.json").read_text())
    (entry,) = listing["data"]
    assert entry["id"] == "reconstruct_face"
    zipped = tmp_path / "repository" / Path(entry["archive_url"]).name
    assert zipped.stat().st_size == entry["archive_size"]
    assert str(zipped) in shown and " MB" in shown
    shutil.copy(zipped, zipped.with_name("another.zip"))
    assert tool.main(["--index", str(tmp_path / "repository")]) == 1
    has(capsys.readouterr().err, tmp_path / "repository")


@pytest.mark.parametrize("platform", sorted(PLATFORMS.values()))
@pytest.mark.parametrize("minor", range(PYTHONS[0][1], PYTHONS[1][1] + 1))
def test_the_lock_names_each_package_once_per_target(
    tool: ModuleType, platform: str, minor: int
) -> None:
    assert set(tool.PLATFORMS) == set(PLATFORMS.values())
    pinned = tool._pinned(PROCESSOR, platform, f"3.{minor}")
    names = list(pinned)
    assert {"onnxruntime", "dlib-bin", "numpy"} <= set(names)
    assert not [line for line in pinned.values() if "==" not in line or "--hash=" not in line]
    assert ("colorama" in names) == (platform == "windows-x64")
