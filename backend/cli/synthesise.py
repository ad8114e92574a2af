"""The ``synthesise`` command: training pictures into shards.  See ``--help``."""

from __future__ import annotations

import argparse
import os
import sys

from ..errors import FaceError
from ..exchange.arguments import a_path
from ..model import DEFAULT_MODEL
from ..training.synthetic.shards import ShardSet, render_shards


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="synthesise",
        description="Render synthetic training pictures with known coefficients. A set that was "
        "interrupted is continued; a larger --count adds to it.",
    )
    add = parser.add_argument
    add("folder", type=a_path, help="where the shards go")
    add("--count", type=int, default=60_000, metavar="N", help="pictures (default: 60000)")
    add("--size", type=int, default=128, metavar="S", help="side in pixels (default: 128)")
    add("--seed", type=int, default=1, help="decides every picture (default: 1)")
    add("--processes", type=int, default=os.cpu_count() or 1, metavar="P")
    add("--model", default=DEFAULT_MODEL, help="face model: default, or a file")
    args = parser.parse_args(argv)
    if min(args.count, args.size, args.processes) < 1:
        parser.error("--count, --size and --processes must be at least 1")
    wanted = ShardSet(args.folder, args.size, args.count, args.seed, args.model)
    try:
        speed = render_shards(
            wanted,
            args.processes,
            lambda done, speed: print(
                f"{done} pictures, {speed:.1f} a second", file=sys.stderr, flush=True
            ),
        )
    except FaceError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    print(f"{args.folder} is complete; {speed:.1f} pictures a second in this run")
    return 0
