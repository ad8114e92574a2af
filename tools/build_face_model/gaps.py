"""How far apart lips and lids that should touch stand, over random identities.

Run with ``python -m tools.build_face_model.gaps``; prints the table for ``docs/face_model.md``.
``--model`` measures another file, ``--heads`` fewer heads.

The gap is the height of what one sees between them: parallel rays that meet teeth, tongue or the
mouth's inside before any skin, with the face at neutral; the eyeball with ``eyeBlink`` at 1, be it
between the lids or through one. A head's gap is that of its worst column of rays and worse eye.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from reconstruct_face.backend.model import DEFAULT_MODEL, FaceModel, load_model
from reconstruct_face.backend.model.face_model import EYE_KINDS
from reconstruct_face.backend.model.lids import EDGE
from reconstruct_face.backend.model.own import own_expressions

from .render import View, cast, split_quads

HEADS = 2000
SEED = 21
STEP = (0.2, 0.1)
"""mm from one ray to the next, across and up."""
BAR = {"lips": 0.3, "lids": 0.2}
"""mm that they may stand apart: less is not seen."""
VIEWS = {
    "from the front": (0.0, 0.0),
    "35 degrees from the side": (-35.0, 0.0),
    "15 degrees from above": (0.0, 15.0),
    "15 degrees from below": (0.0, -15.0),
}
"""Name -> degrees of yaw and pitch that the head is turned by before it is looked at."""
MARGIN = np.array([25.0, 25.0, 60.0])
"""mm around the slit's line: the piece of the head that is cast at."""


class Slit:
    """The piece of a model around a slit, for rays along -z.

    Attributes:
        vertices: (N,) indices of its vertices in the head.
    """

    def __init__(
        self,
        mean: np.ndarray,
        polygons: np.ndarray,
        inside: np.ndarray,
        line: np.ndarray,
        reach: float = 1.0,
    ) -> None:
        """``mean`` (V, 3) mm; ``polygons`` (F, 4); ``inside`` (F,) bool, what one should not see;
        ``line`` (L,) vertices beside the slit; ``reach`` mm above and below them to look at."""
        low, high = mean[line].min(axis=0) - MARGIN, mean[line].max(axis=0) + MARGIN
        near = ((mean > low) & (mean < high)).all(axis=1)[polygons].all(axis=1)
        self.vertices, corners = np.unique(polygons[near], return_inverse=True)
        self._triangles = split_quads(corners.reshape(-1, 4))
        self._inside = np.tile(inside[near], 2)
        self._line, self._reach = np.searchsorted(self.vertices, line), reach

    def open(self, points: np.ndarray) -> np.ndarray:
        """Where one sees inside in the piece ``points`` (N, 3): (rows, columns) bool, ``STEP`` mm
        apart."""
        low, high = points[self._line].min(axis=0), points[self._line].max(axis=0)
        across, up = STEP
        x, y = np.meshgrid(
            np.arange(low[0], high[0], across),
            np.arange(low[1] - self._reach, high[1] + self._reach, up),
        )
        origins = np.stack([x.ravel(), y.ravel(), np.full(x.size, high[2] + 200)], axis=1)
        hit, _ = cast(points, self._triangles, origins, np.tile([0.0, 0.0, -1.0], (x.size, 1)))
        return ((hit >= 0) & self._inside[hit]).reshape(x.shape)

    def gap(self, points: np.ndarray) -> float:
        """mm, the height of what one sees where it is highest."""
        return float(self.open(points).sum(axis=0).max() * STEP[1])


def eye_materials(model: FaceModel) -> list[int]:
    """The materials of all that belongs to an eye, its cornea too."""
    return [number for number, kind in enumerate(model.material_kinds) if kind in EYE_KINDS]


def _lashes(model: FaceModel) -> int:
    return model.material_kinds.index("lashes") if "lashes" in model.material_kinds else -1


def random_heads(model: FaceModel, heads: int, seed: int = SEED) -> Iterator[np.ndarray]:
    """Yields neutral heads (V, 3) mm, all coefficients drawn from N(0, 1)."""
    rng = np.random.default_rng(seed)
    for _ in range(heads):
        yield model.vertices(rng.normal(size=len(model.identity_basis)))


def lip_gaps(model: FaceModel, heads: int, seed: int = SEED) -> dict[str, np.ndarray]:
    """Gaps in mm of random heads' lips at neutral: (heads,) for each of ``VIEWS``."""
    outer, inner = (
        model.polygon_material == model.material_kinds.index(name) for name in ("skin", "mouth")
    )
    line = np.intersect1d(model.polygons[outer], model.polygons[inner])
    mouth = Slit(model.mean, model.polygons, ~outer, line)
    turns = [View(yaw=yaw, pitch=pitch).rotation() for yaw, pitch in VIEWS.values()]
    found = [
        [mouth.gap(head[mouth.vertices] @ turn.T) for turn in turns]
        for head in random_heads(model, heads, seed)
    ]
    return dict(zip(VIEWS, np.array(found).T, strict=True))


def lid_gaps(model: FaceModel, heads: int, seed: int = SEED, own: bool = True) -> np.ndarray:
    """(heads,) gaps in mm of random heads' lids, the worse eye's, with ``eyeBlink`` at 1;
    with the model's blinks where not ``own``.

    Raises:
        ValueError: the model does not name the rings of its lids.
    """
    if model.lid_rings is None:
        raise ValueError("the model names no rings of its lids")
    shown = model.polygon_material != _lashes(model)
    eyeball = np.isin(model.polygon_material, eye_materials(model))[shown]
    names = [model.expression_names.index(f"eyeBlink{side}") for side in ("Right", "Left")]
    eyes = [
        Slit(model.mean, model.polygons[shown], eyeball, rings[EDGE], reach=6.0)
        for rings in model.lid_rings
    ]
    found = []
    for head in random_heads(model, heads, seed):
        basis = own_expressions(model, head) if own else model.expression_basis
        found.append(
            max(
                eye.gap((head + basis[name])[eye.vertices])
                for name, eye in zip(names, eyes, strict=True)
            )
        )
    return np.array(found)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a face model's file")
    parser.add_argument("--heads", type=int, default=HEADS)
    options = parser.parse_args()
    model = load_model(options.model)
    rows = {f"lips, {name}": gaps for name, gaps in lip_gaps(model, options.heads).items()}
    if model.lid_rings is not None:
        rows["lids, the model's blink"] = lid_gaps(model, options.heads, own=False)
        rows["lids, the head's own blink"] = lid_gaps(model, options.heads)
    print(f"| gap in mm, {options.heads} heads | 50 % | 95 % | 99 % | worst | over the bar |")
    print("|---|---|---|---|---|---|")
    for name, gaps in rows.items():
        bar = BAR[name.split(",")[0]]
        shares = " | ".join(f"{value:.1f}" for value in np.quantile(gaps, [0.5, 0.95, 0.99, 1]))
        over = (gaps > bar + STEP[1] / 2).mean() * 100
        print(f"| {name} | {shares} | {over:.2f} % ({bar} mm) |")


if __name__ == "__main__":
    main()
