"""The ``own-mesh`` command: ARKit's expressions for a mesh in a file.  See ``--help``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from ..errors import FaceError
from ..exchange.arguments import a_path
from ..exchange.output import prepare_output
from ..exchange.own_mesh import LANDMARKS
from ..files import write_bytes
from ..model.importing.obj import read_obj
from ..own_mesh import MeshExpressions, expressions_for
from ..terminal import interrupted_status

#: Bytes of a vertex's line.
_LINE = 40


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    args = _parser().parse_args(argv)
    try:
        mesh = read_obj(args.mesh)
        prepare_output(args.out, 52 * _LINE * len(mesh.points))
        found = expressions_for(mesh.points, mesh.triangles, up="xyz".index(args.up))
        print(*_written(args.out, found, mesh.points, mesh.triangles), sep="\n")
    except FaceError as error:
        print(f"own-mesh: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt as end:
        return interrupted_status(end)
    print(
        f"note: the face was met within {found.fit_mm:.1f} mm on a head of usual size, "
        f"{found.covered:.0%} of it",
        *(f"note: {note}" for note in found.notes),
        sep="\n",
        file=sys.stderr,
    )
    return 0


def _written(
    folder: Path, found: MeshExpressions, points: np.ndarray, triangles: np.ndarray
) -> list[Path]:
    """One OBJ file a shape, the vertices in the order of the mesh's, and its landmarks."""
    faces = "".join(f"f {a} {b} {c}\n" for a, b, c in triangles + 1)
    out = []
    for name, shape in zip(found.names, found.shapes, strict=True):
        out.append(write_bytes(folder / f"{name}.obj", (_lines(points + shape) + faces).encode()))
    marks = "".join(
        f"{name}\t{' '.join(f'{x:.9g}' for x in found.landmarks[number])}\n"
        for name, number in LANDMARKS.items()
    )
    return [*out, write_bytes(folder / "landmarks.txt", marks.encode())]


def _lines(points: np.ndarray) -> str:
    return "".join(f"v {x:.9g} {y:.9g} {z:.9g}\n" for x, y, z in points.tolist())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="own-mesh",
        description="Give a mesh with a human face ARKit's 52 expressions: one OBJ file each, "
        "vertices in the order of the mesh's.  The face is found by itself.",
    )
    add = parser.add_argument
    add("mesh", metavar="MESH.obj", type=a_path, help="the mesh")
    add("-o", "--out", metavar="DIR", type=a_path, required=True, help="folder of what is written")
    add("--up", choices=("x", "y", "z"), default="y", help="tried first as upright (default: y)")
    return parser
