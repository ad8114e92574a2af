"""``bench accuracy``: how far reconstructions are from heads that are known."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ..errors import FaceError, NoFaceError
from ..exchange import Reconstruction
from ..files import write_bytes
from ..model import DEFAULT_MODEL, FaceModel, load_model
from ..pipeline import Options, reconstruct
from .accuracy_set import HEADS, SEED, SIZE, Truth, accuracy_set, default_folder
from .measured import Measured
from .measures import landmark_error, surface_distances
from .report import accuracy_table, as_json, summarise
from .runs import RUN_HELP, Run, parse_run
from .views import measure_views, views_json, views_table
from .views_set import HEADS as VIEWS_HEADS
from .views_set import SEED as VIEWS_SEED
from .views_set import VIEWS, views_set

#: Shapes that are measured: identity alone, and with the expression.
SHAPES = ("neutral", "posed")
AVERAGE = "average head"


def measure_runs(
    truths: Sequence[Truth], runs: Sequence[Run], model: FaceModel
) -> dict[str, list[Measured]]:
    """Each run's measures in the order of ``truths``; first, as ``AVERAGE``, the mean head's.

    The true heads are ``model``'s, whatever face models the runs use.
    Raises what the pipeline raises, but for :class:`NoFaceError`, which is a result.
    """
    found: dict[str, list[Measured]] = {AVERAGE: []}
    found |= {run.name: [] for run in runs}
    progress = tqdm(truths, unit="head", disable=not sys.stderr.isatty())
    for truth in progress:
        average = _distances(model, truth, model.mean, model.mean, model)
        name = truth.picture.name
        found[AVERAGE].append(Measured(name, truth.yaw, average, None, None, 0.0))
        for run in runs:
            found[run.name].append(measure(truth, run.options, model))
    return found


def measure(truth: Truth, options: Options, model: FaceModel) -> Measured:
    """Reconstruct the picture of ``truth``, a head of ``model``, and compare."""
    own = load_model(options.model, options.expressions)
    start = time.perf_counter()
    try:
        head = reconstruct(truth.picture, options)[0]
    except NoFaceError as error:
        seconds = time.perf_counter() - start
        name = truth.picture.name
        return Measured(name, truth.yaw, None, None, None, seconds, error=str(error))
    seconds = time.perf_counter() - start
    return Measured(
        truth.picture.name,
        truth.yaw,
        _distances(own, truth, head.vertices_neutral, head.vertices_posed, model),
        landmark_error(head.landmarks2d, truth.landmarks2d),
        _detected(head, truth),
        seconds,
        str(head.provenance.get("estimate", "")),
        confidence=head.provenance.get("confidence"),
    )


def _distances(
    own: FaceModel, truth: Truth, neutral: NDArray, posed: NDArray, model: FaceModel
) -> dict[str, NDArray[np.float32]]:
    pairs = ((neutral, truth.vertices_neutral), (posed, truth.vertices_posed))
    return {
        shape: surface_distances(own, found, true, model).astype(np.float32)
        for shape, (found, true) in zip(SHAPES, pairs, strict=True)
    }


def _detected(head: Reconstruction, truth: Truth) -> float | None:
    """None where the run does without detected landmarks."""
    if not np.isfinite(head.landmarks2d_detected).all():
        return None
    return landmark_error(head.landmarks2d_detected, truth.landmarks2d)


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="bench accuracy",
        description="Distance from true to reconstructed surface on a fixed set of Cycles "
        "renderings, by the NoW benchmark's protocol, and the error of the 68 landmarks.",
    )
    add = parser.add_argument
    add("--set", type=Path, metavar="FOLDER", help=f"the test set (default: {default_folder()})")
    add("--heads", type=int, help=f"heads in the set (default {HEADS}, {VIEWS_HEADS} of views)")
    add("--size", type=int, default=SIZE, help=f"their side in pixels (default {SIZE})")
    add("--seed", type=int, help=argparse.SUPPRESS)
    add(
        "--views",
        type=int,
        metavar="N",
        help="several pictures of each head, in a set of its own: a head of each picture, of the "
        f"first N of them and of all {VIEWS}, by the first --run",
    )
    add("--run", action="append", type=parse_run, metavar="NAME[:KEY=VALUE,...]", help=RUN_HELP)
    add("--json", type=Path, metavar="FILE", help="write all numbers there")
    args = parser.parse_args(argv)
    if (args.heads is not None and args.heads < 1) or args.size < 64:
        parser.error("--heads starts at 1, --size at 64")
    if args.views is not None:
        if not 2 <= args.views <= VIEWS:
            parser.error(f"--views is 2 to {VIEWS}")
        return _views(args)
    runs = args.run or [parse_run("landmarks"), parse_run("network")]
    if len({run.name for run in runs} | {AVERAGE}) != len(runs) + 1:
        parser.error("every --run needs a name of its own")
    try:
        model = load_model(DEFAULT_MODEL)
        truths = accuracy_set(
            args.set or default_folder(),
            model,
            args.heads or HEADS,
            args.size,
            SEED if args.seed is None else args.seed,
            _say,
        )
        summary = summarise(measure_runs(truths, runs, model), AVERAGE)
        if args.json:
            write_bytes(args.json, as_json(summary))
    except FaceError as error:
        print(f"bench accuracy: {error}", file=sys.stderr)
        return error.exit_status
    print(accuracy_table(summary))
    return 0


def _views(args: argparse.Namespace) -> int:
    """``--views``; the exit status."""
    run = args.run[0] if args.run else parse_run("network")
    try:
        model = load_model(DEFAULT_MODEL)
        heads = views_set(
            args.set,
            model,
            args.heads or VIEWS_HEADS,
            args.size,
            VIEWS_SEED if args.seed is None else args.seed,
            _say,
        )
        measured = measure_views(heads, run.options, model, sorted({args.views, VIEWS}))
        if args.json:
            write_bytes(args.json, views_json(measured))
    except FaceError as error:
        print(f"bench accuracy: {error}", file=sys.stderr)
        return error.exit_status
    print(views_table(measured))
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
