"""``python -m tools.make_accuracy_set FOLDER``: a picture for every head that has none."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from .picture import render_head


def main() -> int:
    """Render and return the exit status; one line per picture on standard output."""
    parser = argparse.ArgumentParser(prog="make_accuracy_set", description=__doc__)
    parser.add_argument("folder", type=Path, help="made by 'bench accuracy'")
    folder: Path = parser.parse_args().folder
    heads = sorted(folder.glob("[0-9][0-9][0-9][0-9].npz"))
    if not heads or not (folder / "mesh.npz").is_file():
        print(f"{folder} holds no heads; run 'bench accuracy' instead.", file=sys.stderr)
        return 2
    mesh = dict(np.load(folder / "mesh.npz", allow_pickle=False))
    for number, path in enumerate(heads, start=1):
        picture = path.with_suffix(".png")
        if picture.is_file():
            continue
        start = time.perf_counter()
        render_head(dict(np.load(path, allow_pickle=False)), mesh, picture)
        seconds = time.perf_counter() - start
        print(f"[{number}/{len(heads)}] {picture.name}: {seconds:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
