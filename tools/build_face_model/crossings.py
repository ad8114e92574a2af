"""Where a head's surface crosses itself, its teeth or its eyeballs, expression by expression.

Run with ``python -m tools.build_face_model.crossings``; prints the table for
``docs/face_model.md``. ``--model`` measures another file, ``--heads`` another number of random
heads.

Counted are pairs of triangles of the outer skin (lips included; of the lids from their visible edge
on, as what lies behind it reaches into the globe by design) with each other, with teeth and gums,
and with the eyes. Pairs that meet less deep than ``TOUCH_MM`` touch, as lips and lids do.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from reconstruct_face.backend.model import DEFAULT_MODEL, FaceModel, load_model
from reconstruct_face.backend.model.face_model import EYE_KINDS, mixed
from reconstruct_face.backend.model.lids import EDGE
from reconstruct_face.backend.model.own import own_expressions
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from .gaps import random_heads
from .render import split_quads

HEADS = 10
SEED = 33
TOUCH_MM = np.array([0.5, 0.15, 0.15])
"""Depth from which on triangles count as crossing, by ``KINDS``: lips that rest on each other sink
in by up to 0.53 mm at neutral, of which nothing is seen."""
MOVED_MM = 0.02
PAIRS = {
    "jawOpen + mouthClose": {"jawOpen": 1, "mouthClose": 1},
    "eyeBlink + eyeSquint": {"eyeBlink": 1, "eyeSquint": 1},
    "eyeBlink + mouthSmile": {"eyeBlink": 1, "mouthSmile": 1},
    "eyeSquint + cheekSquint": {"eyeSquint": 1, "cheekSquint": 1},
    "mouthPucker + mouthFunnel": {"mouthPucker": 1, "mouthFunnel": 1},
    "mouthRollLower + mouthRollUpper": {"mouthRollLower": 1, "mouthRollUpper": 1},
    "tongueOut + jawOpen": {"tongueOut": 1, "jawOpen": 1},
}
"""Expressions that people make together; both sides where a name has sides."""
KINDS = ("skin", "mouth", "eyes")
"""What the skin crosses: itself, teeth or gums or tongue, the eyeballs."""


@dataclass(frozen=True, eq=False)
class Surface:
    """The triangles of a head that may cross.

    Attributes:
        triangles: (F, 3) vertices.
        kind: (F,) index into ``KINDS`` of what each belongs to.
    """

    triangles: np.ndarray
    kind: np.ndarray

    @classmethod
    def of(cls, polygons: np.ndarray, kinds: np.ndarray, lid_rings: np.ndarray) -> Surface:
        """That of ``polygons`` (P, 4) of the materials ``kinds`` (P,) str, with the rings of its
        lids (2, R, L)."""
        behind = np.isin(polygons, lid_rings[:, :EDGE]).any(axis=1)
        wanted = {"skin": 0, "teeth": 1, "tongue": 1, **dict.fromkeys(EYE_KINDS, 2)}
        kind = np.array([wanted.get(name, -1) for name in kinds.tolist()])
        outer = np.flatnonzero((kind == 0) & ~behind)
        kind[kind == 0] = -1
        kind[outer[largest_piece(polygons[outer])]] = 0  # the sockets are pieces of their own
        kept = np.flatnonzero(kind >= 0)
        return cls(split_quads(polygons[kept]), np.tile(kind[kept], 2))

    @classmethod
    def of_model(cls, model: FaceModel) -> Surface:
        """That of a ``model`` which names the rings of its lids; raises ValueError otherwise."""
        if model.lid_rings is None:
            raise ValueError("the model names no rings of its lids")
        kinds = np.array(model.material_kinds)[model.polygon_material]
        return cls.of(model.polygons, kinds, model.lid_rings)

    def crossing(self, points: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of triangles that cross.

        Args:
            points: (V, 3) mm.
            near: (C, 2) candidates, by :meth:`near`.

        Returns:
            (N, 2) rows of ``triangles`` and (N,) mm how deep they cross.
        """
        corners = points[self.triangles]
        low, high = corners.min(axis=1), corners.max(axis=1)
        first, second = near.T
        apart = ((low[first] > high[second]) | (low[second] > high[first])).any(axis=1)
        pairs = near[~apart]
        pairs = pairs[cross(corners[pairs[:, 0]], corners[pairs[:, 1]])]
        return pairs, depth(corners[pairs[:, 0]], corners[pairs[:, 1]])

    def near(
        self, points: np.ndarray, moved: np.ndarray, slack: float = 0.0, itself: bool = True
    ) -> np.ndarray:
        """(C, 2) pairs of triangles that may cross, each once, the first of skin.

        Args:
            points: (V, 3) mm.
            moved: (V,) bool; at least one of a pair has such a vertex.
            slack: mm by which each may still move.
            itself: with pairs of skin and skin.
        """
        corners = points[self.triangles]
        low, high = corners.min(axis=1) - slack, corners.max(axis=1) + slack
        middle, reach = (low + high) / 2, np.linalg.norm(high - low, axis=1) / 2
        moving, skin = moved[self.triangles].any(axis=1), self.kind == 0
        if not moving.any():
            return np.zeros((0, 2), int)
        around = (low <= high[moving].max(axis=0)) & (high >= low[moving].min(axis=0))
        around = around.all(axis=1)
        seeds = np.flatnonzero(skin & around)
        found = [np.zeros((0, 2), int)]
        # By size, so that the few large triangles do not make all others look far around.
        for smallest, largest in ((0.0, 1.5), (1.5, 4.0), (4.0, np.inf)):
            size = (reach >= smallest) & (reach < largest)
            others = np.flatnonzero(size & around & (itself | ~skin))
            if not len(others):
                continue
            close = cKDTree(middle[others]).query_ball_point(
                middle[seeds], reach[seeds] + reach[others].max()
            )
            first = np.repeat(seeds, [len(one) for one in close])
            second = others[np.concatenate(close).astype(int)]
            kept = (~skin[second] | (first < second)) & (moving[first] | moving[second])
            kept &= ~((low[first] > high[second]) | (low[second] > high[first])).any(axis=1)
            found.append(np.stack([first[kept], second[kept]], axis=1))
        pairs = np.concatenate(found)
        shared = self.triangles[pairs[:, 0], :, None] == self.triangles[pairs[:, 1], None, :]
        return pairs[~shared.any(axis=(1, 2))]


def largest_piece(polygons: np.ndarray) -> np.ndarray:
    """(F,) bool: which of the ``polygons`` (F, 4) belong to the largest connected piece."""
    used, corners = np.unique(polygons, return_inverse=True)
    corners = corners.reshape(polygons.shape)
    links = np.concatenate([corners[:, [k, (k + 1) % 4]] for k in range(4)])
    graph = coo_matrix((np.ones(len(links), bool), links.T), (len(used), len(used)))
    piece = connected_components(graph, directed=False)[1][corners[:, 0]]
    return piece == np.bincount(piece).argmax()


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N,) bool: whether triangles ``a`` and ``b`` (N, 3, 3) share a point: an edge of one goes
    through the other (Moeller and Trumbore 1997)."""
    found = np.zeros(len(a), bool)
    for one, other in ((a, b), (b, a)):
        edge1, edge2 = other[:, 1] - other[:, 0], other[:, 2] - other[:, 0]
        for k in range(3):
            start, ray = one[:, k], one[:, (k + 1) % 3] - one[:, k]
            p = np.cross(ray, edge2)
            area = (edge1 * p).sum(axis=1)
            area = np.where(np.abs(area) < 1e-12, np.nan, area)
            s = start - other[:, 0]
            u = (s * p).sum(axis=1) / area
            q = np.cross(s, edge1)
            v = (ray * q).sum(axis=1) / area
            t = (edge2 * q).sum(axis=1) / area
            with np.errstate(invalid="ignore"):
                found |= (u >= 0) & (v >= 0) & (u + v <= 1) & (t >= 0) & (t <= 1)
    return found


def depth(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N,) mm by which crossing triangles ``a`` and ``b`` (N, 3, 3) have to be moved along one's
    normal until they only touch."""
    least = np.full(len(a), np.inf)
    for one, other in ((a, b), (b, a)):
        normal = np.cross(other[:, 1] - other[:, 0], other[:, 2] - other[:, 0])
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        over = ((one - other[:, :1]) * normal[:, None]).sum(axis=2)
        least = np.minimum(least, np.minimum(over.max(axis=1), -over.min(axis=1)))
    return least


def poses(names: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """What is measured: name to weights. Both sides of a shape at once, and ``PAIRS``."""
    found = {"neutral": {}}
    for name in names:
        if name.endswith("Right") and name != "mouthRight":
            continue
        plain = name.removesuffix("Left") if name not in ("mouthLeft", "jawLeft") else name
        sides = [plain] if plain in names else [plain + "Left", plain + "Right"]
        found[plain] = dict.fromkeys(sides, 1.0)
    for label, weights in PAIRS.items():
        found[label] = {}
        for name, weight in weights.items():
            sides = [name] if name in names else [name + "Left", name + "Right"]
            found[label] |= dict.fromkeys(sides, float(weight))
    return found


def counts(model: FaceModel, heads: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Pose -> (heads, 3) crossing pairs by ``KINDS`` on the neutral ``heads`` (V, 3) mm."""
    surface = Surface.of_model(model)
    names = model.expression_names
    found: dict[str, list[np.ndarray]] = {name: [] for name in poses(names)}
    for head in heads:
        basis = own_expressions(model, head.astype(np.float32))
        for name, weights in poses(names).items():
            shape = mixed(np.array([weights.get(one, 0.0) for one in names]), basis)
            moved = np.linalg.norm(shape, axis=1) > MOVED_MM
            if not weights:
                moved[:] = True
            posed = head.astype(np.float64) + shape
            pairs, deep = surface.crossing(posed, surface.near(posed, moved))
            kind = surface.kind[pairs[:, 1]]
            found[name].append(np.bincount(kind[deep > TOUCH_MM[kind]], minlength=len(KINDS)))
    return {name: np.array(rows) for name, rows in found.items()}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a face model's file")
    parser.add_argument("--heads", type=int, default=HEADS)
    options = parser.parse_args()
    model = load_model(options.model)
    heads = [model.mean, *random_heads(model, options.heads, SEED)]
    columns = [f"{place}: {kind}" for place in ("mean", "random") for kind in KINDS]
    print(f"| triangle pairs | {' | '.join(columns)} |")
    print("|---|" + "---|" * len(columns))
    for name, rows in counts(model, heads).items():
        if rows.any():
            rest = rows[1:].mean(axis=0) if len(rows) > 1 else np.zeros(len(KINDS))
            print(f"| {name} | {' | '.join(map(str, rows[0]))} | "
                  f"{' | '.join(f'{value:.1f}' for value in rest)} |")  # fmt: skip


if __name__ == "__main__":
    main()
