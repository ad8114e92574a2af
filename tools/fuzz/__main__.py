"""``python -m tools.fuzz KIND... [--seed N] [--count N]``: see ``--help``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from .child import make_case
from .kinds import GROUPS, KINDS
from .runner import run


def main() -> int:
    """Exit status 0 where every case was read or refused in a sentence, else 1."""
    parser = argparse.ArgumentParser(
        prog="tools.fuzz", description="Damaged files by the thousand."
    )
    parser.add_argument("kinds", nargs="+", metavar="KIND", choices=[*KINDS, *GROUPS],
                        help=f"of {', '.join([*KINDS, *GROUPS])}")  # fmt: skip
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, help="cases of each kind (default: a full round)")
    parser.add_argument("--seconds", type=float, help="stop after so many, with some of each kind")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the files of failed cases")
    args = parser.parse_args()
    kinds = list(dict.fromkeys(k for name in args.kinds for k in GROUPS.get(name, (name,))))
    counts = {kind: args.count or KINDS[kind].count for kind in kinds}
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz_") as name:
        folder = Path(name)
        report = run(kinds, args.seed, counts, folder, args.seconds, args.first)
        print(report.table())
        print(f"{time.monotonic() - start:.0f} s, seed {args.seed}")
        if args.keep:
            for one in (one for one in report.failures if one.outcome != "not made"):
                target = args.keep / one.kind
                print(make_case(one.kind, args.seed, one.index, folder / "good", target)[0])
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
