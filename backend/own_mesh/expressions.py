"""ARKit's 52 expressions on any mesh with a face.

Landmarks, found or given, say where the face is, which way it looks and how large it is; the
default head is laid over it (:mod:`..model.completing.registration`) and its shapes are transferred
(:mod:`..model.completing.transfer`), as for an imported face model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import igl
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..errors import ModelError, NoFaceError
from ..geometry.similarity import Similarity
from ..model.completing.correspondence import Correspondence, correspond
from ..model.completing.parts import connected
from ..model.completing.registration import Registration, register
from ..model.completing.surface import LookupMesh
from ..model.completing.template import Template, default_template
from ..model.completing.transfer import transfer
from ..model.importing.checks import outward
from .finding import WORST_MM, find_face, placed
from .islands import Followers, Islands, tell
from .lids import NAMES as BLINKS
from .lids import Lids
from .mesh import checked, welded

Float = NDArray[np.float32]
Double = NDArray[np.float64]
Int = NDArray[np.int32]
Progress = Callable[[float, str], None]

FEWEST_LANDMARKS = 6  #: that say where a face is
#: How much landmarks that were found count beside the surface; brows and jaw have no edge there.
FOUND = np.zeros(68)
FOUND[27:31] = 0.5  # the bridge of the nose
FOUND[31:36] = 0.3
FOUND[36:48] = 0.3
FOUND[48:60] = 0.4
GIVEN = 1.0
#: mm about the default head beyond which nothing of a mesh is moved: below, and elsewhere.
BELOW_MM, AROUND_MM = 10.0, 120.0
#: Of the default's face with a counterpart, under which it is no face; and mm of the rest's error.
COVERED, WORST_FIT_MM = 0.5, 1.6
#: mm that a face may be away from what a head of usual shape would be: ICT-FaceKit's, MakeHuman's
#: and ours have 0.2 to 1.1, a ball with landmarks on it 3.3 to 5.6, Blender's monkey 4.6.
WORST_BENT_MM = 3.0
#: A part is skin too where most of it has believable counterparts in the default's skin, and is
#: larger than what lies over an eye, mm.
SKIN_BELIEF, SKIN_MM = 0.6, 50.0
#: What no shape moves by more, mm, is left where it is, but for so many rings about what moves.
STILL_MM, MARGIN = 0.01, 4

#: Of the open eye, from which on a user is told that lids leave it open.
OPEN = 0.05
#: mm by which the ends of an edge part when the jaw drops, from which on it leads across the lips;
#: parts of the mouth's width, and how many of the inner ones are sewn in a mouth that is sealed.
JUMP_MM, LIP_PARTS, SEALED = 10.0, 12, 0.6


@dataclass(frozen=True, eq=False)
class MeshExpressions:
    """52 shapes of a mesh of V vertices, in its own axes and unit."""

    names: tuple[str, ...]  #: (52,)
    shapes: Float  #: (52, V, 3) displacement at weight 1
    landmarks: Double  #: (68, 3)
    unit_mm: float  #: what one unit of the mesh would be on a head of the default's size
    fit_mm: float  #: root mean square distance of the default's face from the mesh
    covered: float  #: 0..1 part of the default's face that has a counterpart
    parts: dict[str, int]  #: vertices of each kind of part
    notes: tuple[str, ...]  #: sentences about what it lacks


def expressions_for(
    vertices: NDArray,
    triangles: NDArray,
    landmarks: NDArray | None = None,
    landmark_ids: NDArray | None = None,
    up: int = 2,
    progress: Progress | None = None,
) -> MeshExpressions:
    """ARKit's shapes for the mesh ``vertices`` (V, 3), ``triangles`` (F, 3), any unit and pose.

    ``landmarks`` (N, 3) are points of its face in its own coordinates and ``landmark_ids`` (N,)
    their numbers among iBUG's 68, all 68 if these are not given; without any they are found in
    pictures of the mesh, ``up`` (0 to 2) being the axis tried first as upright.
    ``progress(fraction, step)`` is called before each step.

    Raises :class:`NoFaceError` where no face is found or the landmarks are not a face's, and
    :class:`ModelError` where the arrays are no mesh or what is there resembles no face.
    """
    return _Run(vertices, triangles, progress or (lambda fraction, step: None)).run(
        landmarks, landmark_ids, up
    )


def lips_sealed(match: Correspondence, points: Double, triangles: Int) -> bool:
    """Whether edges of the mesh ``points`` (V, 3) mm lead from the upper to the lower lip."""
    template = match.template
    lips = match.carry(template.model.mask("lips")) > 0.3
    drop = match.carry(template.arkit[template.arkit_names.index("jawOpen")][:, 1])
    ends = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    ends = ends[lips[ends].all(axis=1)]
    jump = np.abs(drop[ends[:, 0]] - drop[ends[:, 1]]) > JUMP_MM
    if not jump.any():
        return False
    corners = template.landmarks_of(match.registered)[[48, 54], 0]
    across = points[ends[jump]].mean(axis=1)[:, 0]
    counts = np.histogram(across, bins=LIP_PARTS, range=(corners.min(), corners.max()))[0]
    return bool((counts[2:-2] > 0).mean() > SEALED)


class _Run:
    def __init__(self, vertices: NDArray, triangles: NDArray, report: Progress) -> None:
        given, corners = checked(vertices, triangles)
        self.points, self.triangles, self.which = welded(given, corners)
        self.report = report
        self.template = default_template()
        self.notes: list[str] = []

    def run(self, landmarks: NDArray | None, ids: NDArray | None, up: int) -> MeshExpressions:
        marks, strength = self._marks(landmarks, ids, up)
        known = np.flatnonzero(np.isfinite(marks).all(axis=1))
        counted = np.flatnonzero(strength > 0)
        at, off = placed(marks[counted], counted)
        if off > WORST_MM:
            raise NoFaceError(
                f"The landmarks are {off:.0f} mm away from where a face has them (on a head of "
                "usual size); check that right is the head's own right, or set them by hand."
            )
        local = at.inverse(self.points)
        near = self._near(local)
        found = _Head(
            self.template, local, self.triangles, near, at.inverse(marks[known]), known, strength,
            lambda part, step: self.report(0.3 + 0.7 * part, step),
        )  # fmt: skip
        moved = found.shapes()
        turn = (at.scale * at.rotation).astype(np.float32)
        shapes = np.empty((len(moved), len(self.which), 3), np.float32)
        for k, shape in enumerate(moved):
            shapes[k] = (shape @ turn.T)[self.which]
        return MeshExpressions(
            names=self.template.arkit_names,
            shapes=shapes,
            landmarks=at.apply(self.template.landmarks_of(found.registration.vertices)),
            unit_mm=1 / at.scale,
            fit_mm=found.registration.error_mm,
            covered=found.registration.covered,
            parts=found.parts,
            notes=tuple(self.notes + found.notes),
        )

    def _marks(
        self, landmarks: NDArray | None, ids: NDArray | None, up: int
    ) -> tuple[Double, Double]:
        """(68, 3) landmarks, NaN where there is none, and (68,) how much each counts."""
        if landmarks is None:
            found = find_face(
                self.points, self.triangles, up, lambda f, step: self.report(0.3 * f, step)
            )
            return found.landmarks, FOUND
        numbers = np.arange(68) if ids is None else np.asarray(ids)
        points = np.asarray(landmarks, np.float64)
        if points.shape != (len(numbers), 3) or not np.isfinite(points).all():
            raise ModelError(f"The landmarks are {points.shape}, not {len(numbers)} points (N, 3).")
        if len(numbers) and not (numbers.min() >= 0 and numbers.max() < 68):
            raise ModelError("The landmarks' numbers are not those of iBUG's 68, 0 to 67.")
        if len(numbers) < FEWEST_LANDMARKS:
            raise NoFaceError(
                f"{len(numbers)} landmarks were set; set {FEWEST_LANDMARKS} or more, among them "
                "the corners of eyes and mouth and the tip of the nose."
            )
        marks, strength = np.full((68, 3), np.nan), np.zeros(68)
        marks[numbers], strength[numbers] = points, GIVEN
        if ids is None:
            strength[:17] = 0.0  # an outline: each file has its own points along it
        return marks, strength

    def _near(self, local: Double) -> NDArray[np.bool_]:
        """(W,) what is near enough to the head to be moved."""
        low, high = self.template.mean.min(axis=0), self.template.mean.max(axis=0)
        inside = (local > low - AROUND_MM) & (local < high + AROUND_MM)
        return inside.all(axis=1) & (local[:, 1] > low[1] - BELOW_MM)


class _Head:
    """The part of a mesh that is a head, in the default's axes and mm."""

    def __init__(
        self,
        template: Template,
        local: Double,
        triangles: Int,
        near: NDArray[np.bool_],
        marks: Double,
        known: NDArray,
        strength: Double,
        report: Progress,
    ) -> None:
        self.template, self.report = template, report
        self.notes: list[str] = []
        self.open_lids = [0.0, 0.0]  #: of the right and the left eye, what closed lids leave open
        self.count = len(local)
        self.ids = np.flatnonzero(near)
        if len(self.ids) < 200:
            raise NoFaceError("There is almost nothing of the mesh where its head should be.")
        place = np.full(len(local), -1, np.int32)
        place[self.ids] = np.arange(len(self.ids), dtype=np.int32)
        self.points = local[self.ids]
        inside = place[triangles]
        self.triangles = np.ascontiguousarray(inside[(inside >= 0).all(axis=1)])
        self.main = self._main(marks, known)
        if self._inside_out():
            self.triangles = np.ascontiguousarray(self.triangles[:, ::-1])
        self.registration = self._register(marks, known, strength)

    def _main(self, marks: Double, known: NDArray) -> int:
        """A vertex of the part that has the face."""
        used = np.unique(self.triangles)
        if not len(used):
            raise NoFaceError("There is no surface where the mesh's head should be.")
        part = connected(self.triangles, len(self.points))
        skin = np.isin(known, np.r_[8, 17:36, 48, 54])
        near = used[cKDTree(self.points[used]).query(marks[skin])[1]]
        most = np.bincount(part[near]).argmax()
        return int(near[part[near] == most][0])

    def _inside_out(self) -> bool:
        """Whether the face's triangles are clockwise seen from outside."""
        part = connected(self.triangles, len(self.points))
        mine = self.triangles[part[self.triangles[:, 0]] == part[self.main]]
        return not np.array_equal(outward(mine, self.points), mine)

    def _register(self, marks: Double, known: NDArray, strength: Double) -> Registration:
        self.report(0.0, "Laying the default head over it")
        part = connected(self.triangles, len(self.points))
        outer = self.triangles[part[self.triangles[:, 0]] == part[self.main]]
        surface = LookupMesh(self.points, outer)
        border = np.zeros(len(self.points), bool)
        edges = igl.boundary_facets(outer.astype(np.int64))[0]
        border[np.unique(edges)] = True
        whole = np.zeros((68, 3))
        whole[known] = marks
        start = Similarity(1.0, np.eye(3), np.zeros(3))
        found = register(self.template, surface, border, start, whole, strength)
        if found.covered < COVERED or found.error_mm > WORST_FIT_MM:
            raise NoFaceError(
                f"What is there resembles no face: only {found.covered:.0%} of a face was found "
                f"in it, {found.error_mm:.1f} mm away; check the landmarks, or choose another mesh."
            )
        if found.bent_mm > WORST_BENT_MM:
            raise NoFaceError(
                f"The face is {found.bent_mm:.1f} mm away from what a human head could be, on a "
                f"head of usual size ({WORST_BENT_MM:g} at most); check the landmarks, or choose "
                "another mesh."
            )
        return found

    def shapes(self) -> Float:
        """(52, W, 3) mm in the default's axes."""
        template, registered = self.template, self.registration.vertices
        self.report(0.35, "Telling its parts")
        islands = tell(template, registered, self.points, self.triangles, self.main)
        skin, match, triangles = self._skin(islands)
        self.parts = {
            kind: int(islands.of(kind).sum()) for kind in sorted(set(islands.kind.values()))
        }
        frame = self.registration.similarity.matrix()[:, :3]
        self.report(0.4, "Transferring ARKit's shapes")
        on_skin = transfer(
            match, frame, self.points[skin], triangles, template.arkit,
            lambda part: self.report(0.4 + 0.5 * part, "Transferring ARKit's shapes"),
        )  # fmt: skip
        self.report(0.9, "Moving eyes and teeth")
        self._close_lids(islands, skin, match, triangles, on_skin)
        self._notes(islands, match, triangles, self.points[skin])
        mask = islands.part == islands.part[self.main]
        mask[skin] = True
        followers = Followers(
            template, registered, frame, self.points, islands, mask, self.triangles
        )
        out = np.zeros((len(on_skin), self.count, 3), np.float32)
        for k, shape in enumerate(template.arkit):
            moved = np.zeros((len(self.points), 3))
            moved[skin] = on_skin[k]
            followers.move(shape, moved)
            out[k][self.ids] = moved
        return out

    def _close_lids(
        self,
        islands: Islands,
        skin: NDArray,
        match: Correspondence,
        triangles: Int,
        shapes: Float,
    ) -> None:
        """Blinks of ``shapes`` (52, N, 3) that close the mesh's own lids, where it has eyeballs."""
        names, eye = list(self.template.arkit_names), islands.of("eye")
        for side, (name, ball) in enumerate(zip(BLINKS, islands.eyes, strict=True)):
            if ball is None:
                continue
            corners = self.triangles[eye[self.triangles].all(axis=1)]
            lids = Lids(
                self.template, match, self.points[skin], triangles, ball,
                (self.points, corners), side,
            )  # fmt: skip
            k = names.index(name)
            shapes[k] = lids.closed(shapes[k])
            self.open_lids[side] = lids.open_share(shapes[k])

    def _notes(
        self, islands: Islands, match: Correspondence, triangles: Int, points: Double
    ) -> None:
        if lips_sealed(match, points, triangles):
            self.notes.append(
                "The lips are one surface without an opening: jawOpen stretches it; cut the mesh "
                "between the lips to open the mouth."
            )
        balls = sum(eye is not None for eye in islands.eyes)
        if balls < 2:
            self.notes.append(
                "No eyeballs were found as parts of their own, so the eyes do not turn; select "
                "theirs with the face if they are other meshes."
                if not balls
                else "Only one eyeball was found, so one eye does not turn."
            )
        if not islands.of("teeth").any():
            self.notes.append("No teeth were found.")
        for side, share in zip(("right", "left"), self.open_lids, strict=True):
            if share > OPEN:
                self.notes.append(
                    f"{share:.0%} of the {side} eye is still seen when it blinks; its lids may "
                    "have too few vertices, or its landmarks be off."
                )

    def _skin(self, islands: Islands) -> tuple[NDArray, Correspondence, Int]:
        """Vertices of the skin, their counterparts and their triangles among themselves."""
        ball = any(eye is not None for eye in islands.eyes)
        template = self.template.without_eyes() if ball else self.template
        part = islands.part
        chosen = part == part[self.main]
        for number, kind in islands.kind.items():
            mine = part == number
            if kind == "rest" and np.ptp(self.points[mine], axis=0).max() > SKIN_MM:
                chosen |= mine & self._is_skin(template, mine)
        ids, match, triangles = self._matched(template, np.flatnonzero(chosen))
        # What cannot move costs as much as what can.
        reach = np.linalg.norm(template.arkit, axis=2).max(axis=0)
        moving = match.carry(reach) > STILL_MM
        for _ in range(MARGIN):
            moving[triangles[moving[triangles].any(axis=1)]] = True
        return self._matched(template, ids[moving])

    def _matched(self, template: Template, ids: NDArray) -> tuple[NDArray, Correspondence, Int]:
        """The vertices ``ids``, their counterparts and their triangles among themselves."""
        place = np.full(len(self.points), -1, np.int32)
        place[ids] = np.arange(len(ids), dtype=np.int32)
        inside = place[self.triangles]
        triangles = np.ascontiguousarray(inside[(inside >= 0).all(axis=1)])
        match = correspond(template, self.registration.vertices, self.points[ids], triangles)
        return ids, match, triangles

    def _is_skin(self, template: Template, mine: NDArray[np.bool_]) -> bool:
        place = np.cumsum(mine) - 1
        triangles = place[self.triangles[mine[self.triangles].all(axis=1)]].astype(np.int32)
        match = correspond(template, self.registration.vertices, self.points[mine], triangles)
        return bool((match.belief > 0.9).mean() > SKIN_BELIEF)
