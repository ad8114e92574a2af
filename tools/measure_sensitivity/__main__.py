"""The command."""

from __future__ import annotations

import argparse
from importlib import import_module
from unittest.mock import patch

import numpy as np
from reconstruct_face.backend.model import FaceModel, load_model
from tqdm import tqdm

from . import __doc__ as description
from .cases import CASES, Case
from .drawn import Array, draw


def table(model: FaceModel, case: Case, pictures: int, seed: int) -> None:
    """Prints a line for what is and for every change."""
    given = [
        case.prepare(model, draw(model, (seed, number), case.open_mouth))
        for number in tqdm(range(pictures), "drawn", leave=False, disable=None)
    ]

    def measured() -> Array:
        errors = [case.errors(model, one) for one in given]
        columns[:] = errors[0]
        return np.array([list(one.values()) for one in errors])

    columns: list[str] = []
    base = measured()
    print(f"{pictures} pictures: {_row(columns, base, base)}", flush=True)
    for constant in case.constants:
        module = import_module(f"reconstruct_face.backend.{constant.module}")
        kept = [part for part in vars(module).values() if hasattr(part, "cache_clear")]
        for label, value in constant.changes():
            with patch.object(module, constant.name, value):
                for part in kept:  # what was worked out with the other value
                    part.cache_clear()
                row = _row(columns, base, measured())
            for part in kept:
                part.cache_clear()
            print(f"{constant.module}.{constant.name} {label}: {row}", flush=True)


def _row(columns: list[str], base: Array, changed: Array) -> str:
    parts = []
    for column, old, new in zip(columns, base.T, changed.T, strict=True):
        known = np.isfinite(old) & np.isfinite(new)
        apart, mean = (new - old)[known], old[known].mean()
        text = f"{column} {new[known].mean():.3f}"
        if apart.any():
            unsure = apart.std() / np.sqrt(max(len(apart) - 1, 1))
            text += f" ({100 * apart.mean() / mean:+.1f} +- {100 * unsure / mean:.1f})"
        parts.append(text)
    return ", ".join(parts)


def main() -> None:
    """Draws, measures and prints."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; or all")
    parser.add_argument("--pictures", type=int, help="instead of the case's own number")
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    unknown = set(options.cases) - set(CASES)
    if unknown:
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    model = load_model()
    for name in options.cases or CASES:
        print(f"\n{name}")
        table(model, CASES[name], options.pictures or CASES[name].pictures, options.seed)


if __name__ == "__main__":
    main()
