"""What one photo costs: each step when everything is loaded, and all of it from nothing."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..blender import Blender
from ..cli.reconstruct import SAMPLE
from ..errors import FaceError, WorkerError
from ..exchange import save_reconstruction
from ..exchange.formats import DEFAULT_FORMATS
from ..pipeline import Options, reconstruct, warm_up
from ..preview import preview_window

#: What ``--hair`` takes: the default, and what the bare head costs.
_HAIR = ("photo", "none")
ENTRY = Path(__file__).resolve().parents[1] / "__main__.py"


@dataclass(frozen=True)
class Report:
    """Medians in seconds, memory in MB."""

    steps: dict[str, float]  #: per step, warm
    warm: float  #: photo to .blend and .glb, both processes loaded, no preview
    warm_preview: float  #: the same with the preview's two Cycles renderings
    cold: float  #: the command line from its start to its end, no preview
    memory: dict[str, float]  #: peak of each process in the cold run

    def table(self) -> str:
        """For people."""
        rows = [f"{name:<28}{seconds:8.2f} s" for name, seconds in self.steps.items()]
        rows += [
            "-" * 38,
            f"{'total, warm, no preview':<28}{self.warm:8.2f} s",
            f"{'total, warm, with preview':<28}{self.warm_preview:8.2f} s",
            f"{'total, cold, no preview':<28}{self.cold:8.2f} s",
            *(f"{f'peak memory, {name}':<28}{mb:8.0f} MB" for name, mb in self.memory.items()),
            f"{'peak memory, together':<28}{sum(self.memory.values()):8.0f} MB",
        ]
        return "\n".join(rows)


def warm_runs(
    photo: Path, repeat: int, options: Options, *, preview: bool = False
) -> tuple[dict[str, float], float]:
    """Median seconds per step and in total of ``repeat`` runs, after one that is not counted."""
    steps: dict[str, list[float]] = {}
    totals = []
    blender = Blender()
    try:
        blender.warm_up()
        warm_up(options)
        with tempfile.TemporaryDirectory() as folder:
            for count in range(repeat + 1):
                start = time.perf_counter()
                timings = _once(photo, Path(folder), options, blender, preview)
                total = time.perf_counter() - start
                if count == 0:  # the first run still loads what is loaded on first use
                    continue
                totals.append(total)
                for step, seconds in timings.items():
                    steps.setdefault(step, []).append(seconds)
    finally:
        blender.close()
    medians = {step: statistics.median(seconds) for step, seconds in steps.items()}
    return medians, statistics.median(totals)


def _once(
    photo: Path, folder: Path, options: Options, blender: Blender, preview: bool
) -> dict[str, float]:
    head = reconstruct(photo, options)[0]
    start = time.perf_counter()
    npz = save_reconstruction(head, folder / "bench.npz")
    timings = dict(head.timings)
    timings["save"] = time.perf_counter() - start
    start = time.perf_counter()
    window = preview_window(head) if preview else None
    built = blender.build(npz, folder, "bench", DEFAULT_FORMATS, window)
    blender_total = time.perf_counter() - start
    steps: dict[str, float] = built["timings"]
    timings |= steps
    timings["blender wire"] = max(0.0, blender_total - sum(steps.values()))
    return timings


def cold_run(photo: Path, *more: str) -> tuple[float, dict[str, float]]:
    """Seconds and peak MB per process of the command line in new processes, without preview.

    ``more`` are further arguments.  Raises the command line's error as a :class:`FaceError`.
    """
    seconds, document = _command(photo, *more)
    memory: dict[str, float] = document["peak_memory_mb"]
    return seconds, memory


def _command(photos: Path, *more: str) -> tuple[float, dict[str, Any]]:
    """Seconds of the command line and its document; see :func:`cold_run`."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, str(ENTRY), "reconstruct", str(photos)]
            + ["-o", folder, "--no-preview", "--json", "--quiet", *more],
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - start
    document: dict[str, Any] = json.loads(done.stdout or "{}")
    # A folder may hold pictures without a face.
    if done.returncode and all(one["status"] != "ok" for one in document.get("photos", ())):
        raise WorkerError(f"The cold run failed: {done.stderr.strip() or done.returncode}")
    return seconds, document


def folder_table(folder: Path, *more: str) -> str:
    """How many photos of ``folder`` the command line does in a minute, without preview, and what
    share of the steps' seconds each step has; for people.  Raises as :func:`cold_run` does."""
    seconds, document = _command(folder, *more)
    done = [photo for photo in document["photos"] if photo["status"] == "ok"]
    steps: dict[str, float] = {}
    for photo in done:
        for step, taken in photo["timings"].items():
            steps[step] = steps.get(step, 0.0) + taken
    total = sum(steps.values())
    rows = [f"{step:<28}{100 * taken / total:7.1f} %" for step, taken in steps.items()]
    memory = document["peak_memory_mb"].items()
    rows += [
        "-" * 38,
        f"{'photos':<28}{len(done):7d}",
        f"{'seconds, with the start':<28}{seconds:7.1f}",
        f"{'photos a minute':<28}{60 * len(done) / seconds:7.1f}",
        *(f"{f'peak memory, {name}':<28}{mb:7.0f} MB" for name, mb in memory),
    ]
    return "\n".join(rows)


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="bench",
        description="Seconds per step for one photo, warm and cold, and memory; for a folder, how "
        "many photos a minute.",
    )
    parser.add_argument(
        "photo", nargs="?", type=Path, default=SAMPLE, help="or folder; default: the sample"
    )
    parser.add_argument(
        "--hair",
        choices=(*_HAIR, "both"),
        default="photo",
        help='with hair, without, or one after the other ("both")',
    )
    parser.add_argument("--repeat", type=int, default=5, help="warm runs (default 5), medians")
    parser.add_argument("--cold", type=int, default=3, help="cold runs (default 3), median")
    args = parser.parse_args(argv)
    if args.repeat < 1 or args.cold < 1:
        parser.error("--repeat and --cold start at 1")
    print(f"{args.photo.name}, {os.cpu_count()} CPUs, Python {platform.python_version()}")
    try:
        for hair in _HAIR if args.hair == "both" else (args.hair,):
            print(f"\nhair: {hair}")
            if args.photo.is_dir():
                print(folder_table(args.photo, "--hair", hair))
            else:
                print(_report(args.photo, hair, args.repeat, args.cold).table())
    except FaceError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.exit_status
    return 0


def _report(photo: Path, hair: str, repeat: int, cold: int) -> Report:
    options = Options(hair=hair)
    # Cold first: measured beside our own loaded processes, it would find their files cached.
    runs = [cold_run(photo, "--hair", hair) for _ in range(cold)]
    steps, warm = warm_runs(photo, repeat, options)
    previews, warm_preview = warm_runs(photo, 1, options, preview=True)
    steps |= {step: seconds for step, seconds in previews.items() if step not in steps}
    memory = max((memory for _, memory in runs), key=lambda found: sum(found.values()))
    seconds = statistics.median(seconds for seconds, _ in runs)
    return Report(steps, warm, warm_preview, seconds, memory)
