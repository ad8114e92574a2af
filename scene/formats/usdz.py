"""USD layers that Blender wrote as text, made smaller and put into a ``.usdz``.

Blender's own packages list every point for every shape, leave the shapes' weights out unless they
are animated, and name files beyond ASCII without the flag that says so.  Its Python has no USD
library everywhere, so the text is changed.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

#: Metres: points that a shape moves less stay where they are, the others go by such steps.
_STEP = 1e-6
_OFFSETS, _INDICES = "uniform vector3f[] offsets = [", "uniform int[] pointIndices = ["
_NORMALS = "normal3f[] normals = ["
_NAMES, _WEIGHTS = "uniform token[] blendShapes = [", "float[] blendShapeWeights"
#: The specification of .usdz: the data of every file begins at a multiple of this.
_ALIGNMENT = 64
#: Kind of the extra field that fills the gap, as in Pixar's own packages.
_PADDING = 0x1986
#: Bytes of a local file header without its name, and of an extra field's own header.
_HEADER, _EXTRA = 30, 4


def pack(layer: Path, files: Sequence[Path], weights: Mapping[str, float], out: Path) -> None:
    """Write ``layer``, a .usda, and the ``files`` beside or below it into the .usdz ``out``.

    ``weights`` are those of the blend shapes by name, which the layer gets where it has none.
    """
    lines = layer.read_text(encoding="utf-8").split("\n")
    text = "\n".join(_mended(lines, weights))
    with zipfile.ZipFile(out, "w") as package:
        _add(package, layer.name, text.encode())
        for file in files:
            _add(package, file.relative_to(layer.parent).as_posix(), file.read_bytes())


def _mended(lines: Sequence[str], weights: Mapping[str, float]) -> Iterator[str]:
    """The layer's lines; an array is on one of them."""
    following = iter(lines)
    for line in following:
        bare = line.lstrip()
        indent = line[: len(line) - len(bare)]
        if bare.startswith(_OFFSETS):
            yield from (indent + part for part in _sparse(bare, next(following)))
        elif bare.startswith(_NORMALS):
            # To 0.001 degrees instead of a hundred times finer.
            after = bare[bare.rindex("]") :]  # how they are interpolated
            yield f"{indent}{_NORMALS}{_vectors(_numbers(bare).reshape(-1, 3).round(5))}{after}"
        elif bare.startswith(_NAMES):
            yield line
            after = next(following)
            if _WEIGHTS in after and after.strip() != _WEIGHTS:  # animated, or there already
                yield after
                continue
            names = re.findall(r'"([^"]*)"', bare)
            values = ", ".join(f"{weights.get(name, 0.0):.7g}" for name in names)
            yield f"{indent}{_WEIGHTS} = [{values}]"
            if after.strip() != _WEIGHTS:  # a declaration without a value
                yield after
        else:
            yield line


def _sparse(offsets: str, indices: str) -> tuple[str, str]:
    """A shape's lines without the points that it does not move."""
    assert indices.lstrip().startswith(_INDICES), "Blender writes them one after the other"
    steps = np.round(_numbers(offsets).reshape(-1, 3) / _STEP)
    moved = steps.any(axis=1)
    if not moved.any():  # no indices at all would mean all points
        moved[:1] = True
    points = _numbers(indices)[moved].astype(int).tolist()
    return (
        f"{_OFFSETS}{_vectors(steps[moved] * _STEP)}]",
        f"{_INDICES}{', '.join(map(str, points))}]",
    )


def _numbers(line: str) -> NDArray[np.float64]:
    """All numbers of the array on ``line``."""
    inside = line[line.index("= [") + 3 : line.rindex("]")]
    return np.fromstring(inside.replace("(", "").replace(")", ""), sep=",")


def _vectors(values: NDArray[np.float64]) -> str:
    return ", ".join(f"({x:.6g}, {y:.6g}, {z:.6g})" for x, y, z in values.tolist())


def _add(package: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Uncompressed, where the specification wants it; zipfile flags names beyond ASCII."""
    entry = zipfile.ZipInfo(name)
    begins = package.start_dir + _HEADER + len(name.encode()) + _EXTRA
    gap = -begins % _ALIGNMENT
    entry.extra = _PADDING.to_bytes(2, "little") + gap.to_bytes(2, "little") + bytes(gap)
    package.writestr(entry, data)
