"""``train-contours``: the regressor from contours to expression.  See ``--help``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..errors import FaceError
from ..fit.expression_regressor import REGRESSOR_FILE
from ..model import DEFAULT_MODEL, load_model


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="train-contours",
        description="Train the regressor from a face's contours to its expression, on random "
        "heads of the face model; a few minutes on one core.",
    )
    add = parser.add_argument
    add("--heads", type=int, default=220_000, metavar="N", help="default 220000")
    add("--epochs", type=int, default=5, metavar="N", help="default 5")
    add("--seed", type=int, default=5, metavar="N")
    add("--model", default=DEFAULT_MODEL, help="face model: default, or a file")
    add("-o", "--out", type=Path, default=REGRESSOR_FILE, metavar="FILE")
    args = parser.parse_args(argv)
    try:
        from ..training.contours.fit import Recipe, save_regressor, train_regressor

        recipe = Recipe(heads=args.heads, epochs=args.epochs, seed=args.seed)
        regressor = train_regressor(
            load_model(args.model), recipe, lambda line: print(line, file=sys.stderr, flush=True)
        )
        print(save_regressor(args.out, regressor))
    except FaceError as error:
        print(f"train-contours: {error}", file=sys.stderr)
        return error.exit_status
    return 0
