"""``train-regions``: the networks of eyes and mouth.  See ``--help``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..errors import FaceError
from ..exchange.arguments import a_path
from ..model import DEFAULT_MODEL, load_model
from ..network.regions import REGIONS_FILE, RegionReader
from .train import asking_for_torch


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    args = _parser().parse_args(argv)
    try:
        with asking_for_torch():
            from ..training.regions.fit import Recipe, Training, save_reader
            from ..training.regions.shards import ShotSet, draw_shards

        folder = Path(args.folder)
        if args.shards:
            wanted = ShotSet(folder, args.shards, args.seed, args.model)
            draw_shards(wanted, args.processes, lambda n, s: _say(f"{n} shots, {s:.1f} a second"))
        recipe = Recipe(hours=args.hours, learning_rate=args.rate, threads=args.threads)
        start = RegionReader.load(args.start) if args.start else None
        training = Training(folder, load_model(args.model), recipe, start)
        training.go(_say)
        print(save_reader(args.out, training.reader()))
    except FaceError as error:
        print(f"train-regions: {error}", file=sys.stderr)
        return error.exit_status
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="train-regions",
        description="Draw crops of the eyes and mouths of random heads into FOLDER, train the two "
        "small networks that read expressions in them, and write these.  What FOLDER has is gone "
        "on from: its shards, and its checkpoint.",
    )
    add = parser.add_argument
    add("folder", type=a_path, help="21 MB a shard; all are kept in memory while training")
    add("--shards", type=int, default=130, metavar="N",
        help="of 250 shots, with those that are there (default: 130; 0: draw none)")  # fmt: skip
    add("--processes", type=int, default=1, metavar="P", help="that draw (default: 1)")
    add("--seed", type=int, default=77, help="of the shots (default: 77)")
    add("--hours", type=float, default=12.0, metavar="H",
        help="of training (default: 12; 0: only write what the checkpoint has)")  # fmt: skip
    add("--start", type=a_path, metavar="FILE",
        help="networks to begin from where FOLDER has no checkpoint, as the shipped ones (default: "
        "at random)")  # fmt: skip
    add("--rate", type=float, default=1e-3, metavar="R",
        help="of learning, in the first epoch (default: 0.001; less from --start)")  # fmt: skip
    add("--threads", type=int, help="of training")
    add("--model", default=DEFAULT_MODEL, help="face model: default, or a file")
    add("-o", "--out", type=a_path, default=REGIONS_FILE, metavar="FILE")
    return parser
