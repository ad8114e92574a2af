"""``python -m tools.soak [--rounds N] [--processes N]``: see ``--help``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from .soak import Soak


def main() -> int:
    """Exit status 0 where nothing was lost, twice or left."""
    parser = argparse.ArgumentParser(
        prog="tools.soak",
        description="Real runs of 'reconstruct' that end in a hurry: N kills and N signals at "
        "random times, then several processes in one folder.",
    )
    add = parser.add_argument
    add("--rounds", type=int, default=20, help="kills, and as many signals (default: 20)")
    add("--seconds", type=float, default=12.0, help="each within so many (default: 12)")
    add("--processes", type=int, default=4, help="in one folder at a time (default: 4)")
    add("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak_") as folder:
        soak = Soak(Path(folder), args.seed)
        for number in range(2 * args.rounds):
            soak.ended_in_a_hurry(args.seconds, kill=number % 2 == 0)
        if args.rounds:
            soak.completed()
        if args.processes:
            soak.many(args.processes)
        print(soak.told())
    return 1 if soak.failures else 0


if __name__ == "__main__":
    sys.exit(main())
