"""What the project says of itself: its version, its public names, its files for contributors."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata

from tests.imports import ROOT


def test_the_version_stands_in_one_place() -> None:
    """In Blender's manifest; what is installed here took it from there."""
    version = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "version" not in project and project["dynamic"] == ["version"]
    installed = metadata.version("reconstruct-face")
    assert installed == version, "set the environment up again (tools/test.sh)"
