"""``bench models NAME``: what an imported face model costs, and its ARKit shapes' worth.

Import times are those of the ``models import`` command, so files are given to measure them too.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from ..errors import FaceError, WorkerError
from ..exchange.model_cards import find_model
from ..exchange.options import EXPRESSIONS
from ..geometry.camera import Camera
from ..geometry.rotation import FACING

REPEATS = 7
ROOT = __name__.rpartition(".backend.")[0]
#: Runs in a process of its own: seconds to load, and to make vertices, of which the first is cold.
_LOAD = """
import json, sys, time
import numpy as np
from {package}.model import load_model
start = time.perf_counter()
model = load_model(sys.argv[1], sys.argv[2])
loaded = time.perf_counter() - start
rng = np.random.default_rng(0)
a, w = rng.normal(size=len(model.identity_basis)), rng.normal(size=len(model.expression_basis))
seconds = []
for _ in range(20):
    start = time.perf_counter()
    model.vertices(a, w)
    seconds.append(time.perf_counter() - start)
print(json.dumps([loaded, seconds[0], float(np.median(seconds[1:]))]))
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="bench models", description=__doc__)
    parser.add_argument("name", metavar="NAME", help="an imported face model")
    parser.add_argument("--files", nargs="+", type=Path, help="its files: time the import too")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    args = parser.parse_args(argv)
    try:
        report = measure(args.name, args.files)
    except FaceError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    print(json.dumps(report, indent=1) if args.json else text(report))
    return 0


def measure(name: str, files: list[Path] | None = None) -> dict[str, Any]:
    """Seconds and MB of the imported model ``name``; medians, each run in a process of its own.

    ``files`` are imported anew, into a folder that is thrown away.  Raises :class:`ModelError`.
    """
    card = find_model(name)
    report: dict[str, Any] = {"name": name, "kind": card.kind, "counts": dict(card.counts)}
    report["figures"] = dict(card.figures)
    if files:
        report["import_s"] = _timed_import(files)
    for expressions in EXPRESSIONS:
        script = ["-P", "-c", _LOAD.format(package=f"{ROOT}.backend"), name, expressions]
        runs = [_python(script) for _ in range(REPEATS)]
        load, first, later = (median(column) for column in zip(*runs, strict=True))
        report[expressions] = {
            "load_s": load,
            "first_vertices_s": first,
            "vertices_ms": 1000 * later,
        }
        report[expressions] |= _timed_build(name, expressions)
    return report


def _timed_import(files: list[Path]) -> float:
    from ..model.importing.importer import import_model

    with tempfile.TemporaryDirectory() as folder:
        kept = os.environ.get("RECONSTRUCT_FACE_DATA")
        os.environ["RECONSTRUCT_FACE_DATA"] = folder
        try:
            start = time.perf_counter()
            import_model(files)
            return time.perf_counter() - start
        finally:
            if kept is None:
                del os.environ["RECONSTRUCT_FACE_DATA"]
            else:
                os.environ["RECONSTRUCT_FACE_DATA"] = kept


def _timed_build(name: str, expressions: str) -> dict[str, float]:
    """The Blender object of a random head of the model."""
    from ..exchange import save_reconstruction

    with tempfile.TemporaryDirectory() as folder:
        path = save_reconstruction(random_head(name, expressions), Path(folder) / "head.npz")
        runs = [_python(["-P", "-m", f"{ROOT}.scene.measure", str(path)]) for _ in range(3)]
    seconds, keys, before, after = (median(column) for column in zip(*runs, strict=True))
    return {
        "build_s": seconds,
        "shape_keys": keys,
        "build_mb": after - before,
        "process_mb": after,
    }


def random_head(name: str, expressions: str = "native", seed: int = 0) -> Any:
    """A :class:`Reconstruction` with random coefficients and no photo to speak of."""
    from ..exchange.reconstruction import MaterialSlot, Reconstruction
    from ..model import load_model
    from ..photo.encode import encode_jpeg, encode_png

    model = load_model(name, expressions)
    rng = np.random.default_rng(seed)
    identity = rng.normal(size=len(model.identity_basis)).astype(np.float32)
    limits = model.expression_range
    expression = (0.2 * rng.uniform(size=len(limits)) * limits[:, 1]).astype(np.float32)
    posed = model.vertices(identity, expression)
    marks = posed[model.landmarks68]
    camera = np.array([[800.0, 0, 256], [0, 800, 256], [0, 0, 1]])
    rotation, translation = FACING, np.array([0.0, 0, 900])
    pixels = Camera(camera, rotation, translation).project(marks).astype(np.float32)
    grey = np.full((512, 512, 3), 128, np.uint8)
    return Reconstruction(
        vertices_neutral=model.vertices(identity),
        vertices_posed=posed,
        faces=model.faces,
        polygons=model.polygons,
        polygon_material=model.polygon_material,
        uv=model.uv,
        uv_polygons=model.uv_polygons,
        identity=identity,
        expression=expression,
        expression_names=model.expression_names,
        expression_range=model.expression_range,
        expression_basis=model.expression_basis,
        albedo=np.zeros(0, np.float32),
        camera_matrix=camera,
        rotation=rotation,
        translation=translation,
        image_size=(512, 512),
        landmarks68=model.landmarks68,
        landmarks3d=marks,
        landmarks2d=pixels,
        landmarks2d_detected=pixels,
        face_box=np.array([100, 100, 400, 400], np.float32),
        sh_light=np.zeros((9, 3), np.float32),
        texture_mode="albedo",
        texture=encode_png(grey),
        photo=encode_jpeg(grey),
        crop=encode_png(grey),
        materials=tuple(MaterialSlot(kind, kind) for kind in model.material_kinds),
        model={"name": model.name},
        photo_path="none",
        face_index=1,
        warnings=(),
        timings={},
        versions={},
        provenance={},
    ).validate()


def _python(arguments: list[str]) -> list[float]:
    """The list that this Python prints, run with ``arguments`` in a new process."""
    ran = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    if ran.returncode:
        last = ran.stderr.strip().splitlines()[-1:] or ["no message"]
        raise WorkerError(f"A measuring process failed: {last[0]}")
    return json.loads(ran.stdout.strip().splitlines()[-1])


def text(report: dict[str, Any]) -> str:
    """The report in lines."""
    counts = report["counts"]
    lines = [f"{report['name']}: {report['kind']}"]
    lines.append(
        f"  {counts['vertices']:,} vertices, {counts['identity']} identity modes, "
        f"{counts['expressions']} expressions, {counts['albedo']} colour modes"
    )
    if "import_s" in report:
        lines.append(f"  import {report['import_s']:.1f} s")
    for expressions in EXPRESSIONS:
        one = report[expressions]
        lines.append(
            f"  {expressions}: load {1000 * one['load_s']:.0f} ms, vertices "
            f"{one['vertices_ms']:.1f} ms (the first {1000 * one['first_vertices_s']:.0f} ms), "
            f"Blender object with {one['shape_keys']:.0f} keys {one['build_s']:.2f} s, "
            f"{one['build_mb']:.0f} MB more, {one['process_mb']:.0f} MB in all"
        )
    lines += [f"  {key.replace('_', ' ')}: {value:.3g}" for key, value in report["figures"].items()]
    return "\n".join(lines)
