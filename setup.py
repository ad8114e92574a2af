"""The version is read from ``blender_manifest.toml``, the one place where it stands."""

import tomllib
from pathlib import Path

from setuptools import setup

manifest = Path(__file__).with_name("blender_manifest.toml").read_text(encoding="utf-8")
setup(version=tomllib.loads(manifest)["version"])
