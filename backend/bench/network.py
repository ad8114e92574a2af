"""``bench network``: milliseconds for one crop, and crops per second in batches."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import FaceError
from ..model import load_model
from ..network.device import NAMES, available
from ..network.predict import Regressor

#: Crops in a batch; of "cpu", and of all others.
BATCH = {"cpu": 16, "cuda": 128}


def latency(regressor: Regressor, size: int, repeat: int, mirrored: bool) -> float:
    """Median milliseconds from one crop of ``size`` to its estimate."""
    crops = _crops(1, size)
    return 1000 * _median_seconds(lambda: regressor.regress(crops, mirrored=mirrored), repeat)


def throughput(regressor: Regressor, size: int, batch: int, repeat: int) -> float:
    """Crops per second in batches of ``batch``, from pixels to estimates, not mirrored."""
    crops = _crops(batch, size)
    return batch / _median_seconds(lambda: regressor.regress(crops, mirrored=False), repeat)


def _crops(count: int, size: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def _median_seconds(call: Callable[[], object], repeat: int) -> float:
    """After three calls that are not counted.  Estimates lie on the CPU, so no work is pending."""
    for _ in range(3):
        call()
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="bench network", description="The network alone: no detection, no refinement."
    )
    add = parser.add_argument
    add("--weights", type=Path, metavar="FILE", help="default: the shipped ones")
    add("--repeat", type=int, default=30, help="runs, of which the median is taken (default 30)")
    add("--batch", type=int, help=f"crops in a batch (default {BATCH['cpu']}, GPU {BATCH['cuda']})")
    args = parser.parse_args(argv)
    if min(args.repeat, args.batch or 1) < 1:
        parser.error("--repeat and --batch start at 1")
    try:
        model = load_model()
        for name in NAMES:
            device = available(name)
            if device is None:
                continue
            regressor = Regressor(model, args.weights, name)
            size = regressor.weights.input_size
            batch = args.batch or BATCH["cpu" if name == "cpu" else "cuda"]
            one, both = (latency(regressor, size, args.repeat, m) for m in (False, True))
            many = throughput(regressor, size, batch, max(3, args.repeat // 5))
            by = "torch" if device.torch else "ONNX Runtime"
            print(f"{name} by {by}, {size} x {size}, {regressor.weights.architecture}")
            print(f"  one crop             {one:8.1f} ms")
            print(f"  one crop, mirrored   {both:8.1f} ms")
            print(f"  batches of {batch:<10}{many:8.0f} crops/s")
    except FaceError as error:
        print(f"bench network: {error}", file=sys.stderr)
        return error.exit_status
    return 0
