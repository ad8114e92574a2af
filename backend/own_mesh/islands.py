"""Parts of a mesh that are not its skin: eyeballs, teeth, tongue, lashes, hair, clothes.

Deformation transfer is for one surface; these go with what they belong to.  Eyeballs turn about
their own middle, teeth go with the skull or the jaw, a tongue and a separate mouth go as the
default's do where they lie, and everything else follows the skin next to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..geometry.similarity import Similarity
from ..model.completing.parts import EYE_SCALES, connected, eye_spheres
from ..model.completing.solver import factor
from ..model.completing.template import Template
from ..model.face_model import fit_sphere

Double = NDArray[np.float64]
Int = NDArray[np.int32]

#: A ball is an eye's where its middle is so near the default's, and its points lie within a part
#: of its radius on a sphere.
EYE_MM, ROUND = 14.0, 0.12
#: All that lies within so many radii of an eyeball belongs to it: iris, pupil, cornea.
WITHIN = 1.12
#: A film over an eye is that much wider than high.
FILM = 1.6
#: Teeth, tongue and mouth lie so near the default's, mm, in the median.
INSIDE_MM = 11.0
#: The default's tongue reaches to its teeth: what is hardly nearer to it is teeth.
TEETH_BEFORE_MM = 2.0
#: What of the mouth's inside is not larger is a tooth; upper and lower teeth's middles differ by
#: more than the second, mm.
TOOTH_MM, ROWS_MM = 34.0, 4.0
#: Gums lie so near the teeth, and at least so many vertices; the share of the jaw's way between
#: which palate and tongue are told apart, for a tongue hangs on the throat.
BESIDE_MM, FEWEST_BESIDE, STEEP = 2.5, 12, (0.25, 0.5)
TONGUE_MM = 55.0  #: a part that is wider is no tongue alone
#: What lies inside the mouth.
INNER = ("teeth", "tongue", "mouth")
#: What is next to the skin follows it wholly, what is farther away less and less, mm.
FOLLOWS_MM = (20.0, 60.0)
#: Vertices of lashes nearer to the skin than this are their roots; 3 roots move a vertex.
ROOT_MM, ROOTS = 2.0, 3
#: A small part near the eyes or the brows is held by its roots; larger ones, as hair, vertex by
#: vertex.
SMALL_MM = 80.0


@dataclass(frozen=True, eq=False)
class Islands:
    """What each vertex of a mesh belongs to."""

    part: Int  #: (V,) number of the connected part
    kind: dict[int, str]  #: of each part: skin, eye, teeth, tongue, mouth, rest
    eyes: tuple[tuple[Double, float] | None, ...]  #: middle and radius of the right and left ball

    def of(self, *kinds: str) -> NDArray[np.bool_]:
        """(V,) which vertices are of one of these ``kinds``."""
        chosen = [number for number, kind in self.kind.items() if kind in kinds]
        return np.isin(self.part, chosen)


def tell(
    template: Template, registered: NDArray, points: Double, triangles: Int, main: int
) -> Islands:
    """The parts of the mesh ``points`` (V, 3) mm by where they lie in the ``registered`` head.

    ``main`` is a vertex of the face.
    """
    part = connected(triangles, len(points))
    centres, radius = eye_spheres(template, registered)
    numbers = np.unique(part)
    order = np.argsort(part, kind="stable")
    members = dict(
        zip(numbers, np.split(order, np.searchsorted(part[order], numbers[1:])), strict=True)
    )
    balls: list[tuple[Double, float] | None] = [None, None]
    for number, ids in members.items():
        if number == part[main]:
            continue
        for side in range(2):
            found = _ball(points[ids], centres[side], radius)
            there = balls[side]
            if found is not None and (there is None or found[1] > there[1]):
                balls[side] = found
    inside = _Inside(template, registered)
    kind = {}
    for number, ids in members.items():
        if number == part[main]:
            kind[int(number)] = "skin"
        elif any(_of_eye(points[ids], ball) for ball in balls if ball is not None):
            kind[int(number)] = "eye"
        else:
            kind[int(number)] = inside.kind(points[ids])
    return Islands(part, kind, tuple(balls))


def _ball(points: Double, centre: Double, radius: float) -> tuple[Double, float] | None:
    """Middle and radius of the sphere that ``points`` (N, 3) lie on, if it is the eyeball."""
    low, high = (scale * radius for scale in EYE_SCALES)
    if len(points) < 12 or np.ptp(points, axis=0).max() > 2.3 * high:
        return None
    middle, size = fit_sphere(points)
    off = np.abs(np.linalg.norm(points - middle, axis=1) - size).mean()
    near = np.linalg.norm(middle - centre) < EYE_MM
    # A lid's film is a part of a sphere too, but far from a whole one.
    whole = np.ptp(points, axis=0).min() > 0.8 * size
    return (middle, size) if near and whole and low < size < high and off < ROUND * size else None


def _of_eye(points: Double, ball: tuple[Double, float]) -> bool:
    middle, radius = ball
    away = np.linalg.norm(points - middle, axis=1)
    if away.max() > WITHIN * radius + 0.35 * radius * (away.min() < 0.5 * radius):
        return False
    wide, high = np.ptp(points[:, 0]), np.ptp(points[:, 1])
    return not (away.min() > 0.93 * radius and wide > FILM * high)


class _Inside:
    """The default's teeth, tongue and mouth where they lie in the registered head."""

    def __init__(self, template: Template, registered: NDArray) -> None:
        model = template.model
        self.ids = []
        for kind in INNER:
            ids = np.concatenate(model.of_kind(kind))
            self.ids.append(ids)
        self.trees = {
            kind: cKDTree(registered[ids]) for kind, ids in zip(INNER, self.ids, strict=True)
        }

    def kind(self, points: Double) -> str:
        best = ("rest", INSIDE_MM)
        for kind, tree in self.trees.items():
            gap = float(np.quantile(tree.query(points)[0], 0.7))
            if gap < best[1] - (TEETH_BEFORE_MM if best[0] == "teeth" else 0):
                best = (kind, gap)
        return best[0]


class Followers:
    """How the parts move that are no skin."""

    def __init__(
        self,
        template: Template,
        registered: NDArray,
        frame: NDArray,
        points: Double,
        islands: Islands,
        skin: NDArray[np.bool_],
        triangles: Int,
    ) -> None:
        """``frame`` (3, 3) from the default's axes; ``skin`` (V,) are moved already."""
        self.triangles = triangles
        self.template, self.frame, self.points = template, np.asarray(frame), points
        self.registered = np.asarray(registered, np.float64)
        model = template.model
        self.globes = model.eyeballs
        jaw = template.arkit[template.arkit_names.index("jawOpen")]
        teeth = np.concatenate(model.of_kind("teeth"))
        low = np.linalg.norm(jaw[teeth], axis=1) > 5.0
        self.lower = teeth[low]
        self._eyes(islands)
        self._mouth(islands, teeth, low)
        self._rest(islands, skin)

    def _eyes(self, islands: Islands) -> None:
        self.balls = []
        mine = islands.of("eye")
        middles = [ball[0] if ball is not None else np.full(3, np.inf) for ball in islands.eyes]
        ids = np.flatnonzero(mine)
        gap = np.stack([np.linalg.norm(self.points[ids] - middle, axis=1) for middle in middles])
        for side, middle in enumerate(middles):
            self.balls.append((ids[gap.argmin(axis=0) == side], middle))

    def _mouth(self, islands: Islands, teeth: NDArray, low: NDArray[np.bool_]) -> None:
        """Vertices that go rigidly with the jaw, and those that go as the default's mouth."""
        inner = {
            n: np.flatnonzero(islands.part == n) for n, k in islands.kind.items() if k in INNER
        }
        rows = {
            number: ids
            for number, ids in inner.items()
            if islands.kind[number] == "teeth" or np.ptp(self.points[ids], axis=0).max() < TOOTH_MM
        }
        heights = np.array([self.points[ids, 1].mean() for ids in rows.values()])
        between = _between(heights)
        usual = (self.registered[teeth[low], 1].mean() + self.registered[teeth[~low], 1].mean()) / 2
        if between is None:
            rows, between = {}, usual
        jaw = [ids for ids in rows.values() if self.points[ids, 1].mean() < between]
        self.jaw = np.concatenate(jaw) if jaw else np.empty(0, np.intp)
        self.carry: list[tuple[NDArray, NDArray, NDArray]] = []
        model = self.template.model
        tongue = _tongue(self.template)
        inside = np.concatenate([part for kind in INNER for part in model.of_kind(kind)])
        drops = self.template.arkit[self.template.arkit_names.index("jawOpen")]
        template_drop = np.linalg.norm(drops, axis=1)
        for number, ids in inner.items():
            points = self.points[ids]
            if number in rows:
                continue
            if islands.kind[number] == "tongue" and np.ptp(points[:, 0]) < TONGUE_MM:
                # The tongue alone: laid on the default's, it takes nothing from the teeth above.
                shift = self.registered[tongue].mean(axis=0) - points.mean(axis=0)
                self._carried(ids, points + shift, tongue)
                continue
            points = points + np.array([0.0, usual - between, 0.0])
            upper = [own for own in rows.values() if self.points[own, 1].mean() >= between]
            share = self._jaw_share(ids, upper, jaw) if upper and jaw else None
            if share is None:
                self._carried(ids, points, inside)
                continue
            # Gums, tongue and palate in one piece: those of the jaw from those of the jaw.
            drop = template_drop[inside] > 5.0
            self._carried(ids, points, inside[drop], share)
            self._carried(ids, points, inside[~drop], 1 - share)

    def _carried(
        self, ids: NDArray, points: Double, source: NDArray, share: NDArray | float = 1.0
    ) -> None:
        """Have the vertices ``ids`` go as the default's of ``source`` next to ``points`` do, a
        ``share`` of the way."""
        gap, near = cKDTree(self.registered[source]).query(points, k=6)
        weight = 1 / np.maximum(gap, 0.5) ** 2
        weight *= np.reshape(share, (-1, 1)) / weight.sum(axis=1, keepdims=True)
        self.carry.append((ids, source[near], weight))

    def _jaw_share(
        self, ids: NDArray, upper: list[NDArray], lower: list[NDArray]
    ) -> NDArray[np.float64] | None:
        """(N,) 0 to 1: how far the vertices ``ids`` of one part go with the jaw.

        0 beside the mesh's own ``upper`` teeth, 1 beside its ``lower`` ones, harmonic between, and
        made steeper, so that a tongue is not torn.  None where they are beside neither.
        """
        up, low = (
            cKDTree(self.points[np.concatenate(some)]).query(self.points[ids])[0]
            for some in (upper, lower)
        )
        still, moving = (up < BESIDE_MM) & (up < low), (low < BESIDE_MM) & (low < up)
        if min(still.sum(), moving.sum()) < FEWEST_BESIDE:
            return None
        place = np.full(len(self.points), -1)
        place[ids] = np.arange(len(ids))
        mine = place[self.triangles[(place[self.triangles] >= 0).all(axis=1)]]
        ends = np.concatenate([mine[:, [0, 1]], mine[:, [1, 2]], mine[:, [2, 0]]])
        ends = np.concatenate([ends, ends[:, ::-1]]).T
        graph = sp.csr_matrix((np.ones(ends.shape[1]), ends), (len(ids), len(ids)))
        held = 1e6 * (still | moving) + 1e-9
        system = sp.diags(np.asarray(graph.sum(axis=1)).ravel() + held) - graph
        share = factor(system.tocsc()).solve(held * moving)
        part = np.clip((share - STEEP[0]) / (STEEP[1] - STEEP[0]), 0, 1)
        return part * part * (3 - 2 * part)

    def _rest(self, islands: Islands, skin: NDArray[np.bool_]) -> None:
        """What follows the skin: by its roots where it is small, else where it is."""
        ids = np.flatnonzero(islands.of("rest") & ~skin)
        on = np.flatnonzero(skin)
        self.rest = ids
        if not len(ids) or not len(on):
            self.rest = np.empty(0, np.intp)
            return
        tree = cKDTree(self.points[on])
        gap, near = tree.query(self.points[ids], k=4)
        low, high = FOLLOWS_MM
        for number in np.unique(islands.part[ids]):
            mine = np.flatnonzero(islands.part[ids] == number)
            roots = mine[gap[mine, 0] < max(ROOT_MM, 1.5 * gap[mine, 0].min())]
            if np.ptp(self.points[ids[mine]], axis=0).max() > SMALL_MM or len(roots) == len(mine):
                continue
            k = min(ROOTS, len(roots))
            along, which = cKDTree(self.points[ids[roots]]).query(self.points[ids[mine]], k=k)
            which = which.reshape(len(mine), k)
            first = roots[which[:, 0]]
            gap[mine], near[mine] = gap[first], near[first]
        weight = 1 / np.maximum(gap, 0.3) ** 2
        weight /= weight.sum(axis=1, keepdims=True)
        fade = np.clip((high - gap[:, 0]) / (high - low), 0, 1)
        self.root, self.share = on[near], weight * fade[:, None]

    def move(self, shape: NDArray, moved: NDArray) -> None:
        """Add to the displacement ``moved`` (V, 3) mm of a mesh's skin that of all else.

        ``shape`` (D, 3) mm is the default's.
        """
        turned = shape.astype(np.float64) @ self.frame.T
        for (ids, middle), globe in zip(self.balls, self.globes, strict=True):
            if len(ids) and np.abs(turned[globe]).max() > 1e-4:
                rest = self.registered[globe]
                turn = Similarity.between(rest, rest + turned[globe]).rotation
                moved[ids] = (self.points[ids] - middle) @ (turn - np.eye(3)).T
        if len(self.jaw) and np.abs(turned[self.lower]).max() > 1e-4:
            rest = self.registered[self.lower]
            at = Similarity.between(rest, rest + turned[self.lower])
            away = (self.points[self.jaw] - rest.mean(axis=0)) @ (at.rotation - np.eye(3)).T
            moved[self.jaw] = away + turned[self.lower].mean(axis=0)
        for ids, near, weight in self.carry:
            moved[ids] += np.einsum("nk,nkd->nd", weight, turned[near])
        if len(self.rest):
            moved[self.rest] = np.einsum("nk,nkd->nd", self.share, moved[self.root])


def _between(heights: Double) -> float | None:
    """The height that parts lower teeth from upper ones, or None where there is one row only.

    The split of ``heights`` (N,) into two groups with the least variance within.
    """
    sorted_ = np.sort(heights)
    if len(sorted_) < 2:
        return None
    spreads = [
        sorted_[:k].var() * k + sorted_[k:].var() * (len(sorted_) - k)
        for k in range(1, len(sorted_))
    ]
    k = int(np.argmin(spreads)) + 1
    low, high = sorted_[:k].mean(), sorted_[k:].mean()
    return float((sorted_[k - 1] + sorted_[k]) / 2) if high - low > ROWS_MM else None


def _tongue(template: Template) -> NDArray:
    """Vertex ids of the default's tongue; its kind has the gums too."""
    model = template.model
    ids = np.concatenate(model.of_kind("tongue"))
    part = connected(model.faces, len(model.mean))[ids]
    out = np.linalg.norm(template.arkit[template.arkit_names.index("tongueOut")][ids], axis=1)
    numbers = np.unique(part)
    most = numbers[np.argmax([out[part == number].mean() for number in numbers])]
    return ids[part == most]
