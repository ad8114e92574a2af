"""How long a motion takes to become F-curves: 10,000 frames of 52 shape keys.

    python tools/real_blender/keyframes.py                       with any version of the bpy module
    blender --background --python tools/real_blender/keyframes.py        in a Blender
    ... -- --frames 1000 --json

Prints a line for each step, medians of five runs; what was written is read back and compared, and
played at some frames, so that a curve that nothing moves does not count.  Exit status 1 when a
value is wrong, or writing takes longer than the 5 seconds it may.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 5.0
RUNS = 5


def main() -> int:
    """Measure and compare; the exit status."""
    inside = Path(sys.argv[0]).resolve() != Path(__file__).resolve()  # Blender's own arguments
    mine = sys.argv[1:] if not inside else []
    given = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else mine
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(given)
    found = measure(options.frames)
    print(json.dumps(found) if options.json else "\n".join(f"{k:28} {v}" for k, v in found.items()))
    return int(found["worst_error"] > 1e-6 or found["write_s"] > LIMIT_S)


def measure(frames: int) -> dict[str, Any]:
    """Seconds (medians of :data:`RUNS`), and the largest error of all values read and played."""
    import_add_on()
    import bpy
    from reconstruct_face.backend.exchange.motion import Motion
    from reconstruct_face.backend.exchange.names import ARKIT
    from reconstruct_face.scene.animation.apply import apply_motion, frame_rate
    from reconstruct_face.scene.animation.read import read_motion
    from reconstruct_face.scene.context import scene_of

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = scene_of(bpy.context)
    head = bpy.data.objects.new("Head", bpy.data.meshes.new("Head"))
    scene.collection.objects.link(head)
    for name in ("Basis", *ARKIT):
        head.shape_key_add(name=name)
    rate = frame_rate(scene)
    weights = np.random.default_rng(0).random((frames, len(ARKIT)), np.float32)
    motion = Motion(np.arange(frames) / rate, ARKIT, weights, frame_rate=rate)
    smooth = Motion(motion.times, ARKIT, _smooth(weights), frame_rate=rate)

    def write(what: Motion, tolerance: float) -> Callable[[], Any]:
        return lambda: apply_motion(
            head, what, start_frame=1, existing="replace", tolerance=tolerance
        )

    simplified_s, simplified = _timed(write(smooth, 0.01))
    write_s, written = _timed(write(motion, 0.0))
    read_s, read = _timed(lambda: read_motion(head, (1, frames)))
    columns = [read.names.index(name) for name in motion.names]
    worst = float(np.abs(read.weights[:, columns] - motion.weights).max())
    for frame in (1, frames // 3, frames):
        scene.frame_set(frame)
        played = [head.data.shape_keys.key_blocks[name].value for name in ARKIT]
        worst = max(worst, float(np.abs(played - motion.weights[frame - 1]).max()))
    return {
        "blender": bpy.app.version_string,
        "frames": frames,
        "shape_keys": len(ARKIT),
        "keyframes": written.keyframes,
        "write_s": round(write_s, 3),
        "simplified_keyframes": simplified.keyframes,
        "simplified_write_s": round(simplified_s, 3),
        "read_s": round(read_s, 3),
        "worst_error": worst,
    }


def _smooth(weights: np.ndarray) -> np.ndarray:
    """About a second's moving average, stretched to 0..1 again: as slow as a face."""
    kernel = np.hanning(25) / np.hanning(25).sum()
    out = np.stack([np.convolve(column, kernel, "same") for column in weights.T], 1)
    return np.clip((out - 0.5) * 3 + 0.5, 0, 1)


def _timed(doing: Callable[[], Any]) -> tuple[float, Any]:
    seconds = []
    result = None
    for _ in range(RUNS):
        start = time.perf_counter()
        result = doing()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), result


def import_add_on() -> None:
    """Make the project importable as ``reconstruct_face`` where it is not installed."""
    if importlib.util.find_spec("reconstruct_face") is not None:
        return
    spec = importlib.util.spec_from_file_location(
        "reconstruct_face", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["reconstruct_face"] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    sys.exit(main())
