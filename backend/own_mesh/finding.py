"""The 68 landmarks on a mesh, found in pictures of it.

The mesh is drawn from many sides as matt skin; where dlib's detector sees a face, its landmarks are
lifted to the surface.  A similarity between them and the default head's says which way the face
looks, and from there it is drawn again, larger and from several sides, until they stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..detect import Detection
from ..errors import NoFaceError
from ..fit.faces import UNUSABLE_SPREAD, default_detector, default_predictor
from ..geometry.similarity import Similarity
from ..geometry.triangles import unit, vertex_normals
from ..model.completing.parts import connected
from ..model.completing.template import default_template
from ..raster import Raster
from .drawing import View, draw

Double = NDArray[np.float64]
Int = NDArray[np.int32]
Progress = Callable[[float, str], None]

#: The detector's score from which on the search ends, and under which there is no face.
SURE, LEAST = 1.0, 0.0
#: Degrees between the directions of the search.
STEP = 45
#: Turns from which landmarks are taken once it is known where the face looks, and how often.
LOOKS = ((0.0, 0.0), (-22.0, 0.0), (22.0, 0.0), (0.0, 12.0), (0.0, -12.0))
ROUNDS = 2
#: Half of what these pictures show, mm of the default head; and their sides in pixels.
CLOSE_MM, CLOSE_PIXELS = 130.0, 560
#: Landmarks lifted from a surface more turned away than this are not believed.
FACING = 0.35
#: Root mean square distance in mm of the default face's landmarks from those of a face.
WORST_MM = 14.0
#: What is not the jaw's line, which is an outline and no place on the surface.
INNER = np.arange(17, 68)
SKIN_MARKS = np.arange(17, 36)  #: brows and nose: never eyes or teeth


@dataclass(frozen=True, eq=False)
class FoundFace:
    """Where the face of a mesh is."""

    landmarks: Double  #: (68, 3) in the mesh's axes and unit; the jaw's are the least certain
    score: float  #: of the detector


def find_face(
    vertices: NDArray, triangles: Int, up: int = 2, progress: Progress | None = None
) -> FoundFace:
    """The landmarks of the face in a mesh, ``vertices`` (V, 3) in any unit and pose.

    ``triangles`` (F, 3).  ``up`` is the axis, 0 to 2, that is tried first as upright.  Raises
    :class:`NoFaceError` where no face is seen from anywhere.
    """
    report = progress or (lambda fraction, step: None)
    points = np.asarray(vertices, np.float64)
    best: tuple[float, Double] | None = None
    candidates = list(_frames(up))
    for k, frame in enumerate(candidates):
        report(0.5 * k / len(candidates), "Looking for the face")
        found = _seen(points @ frame.T, triangles)
        if found is not None and (best is None or found[0] > best[0]):
            best = found[0], found[1] @ frame
        # A whole ring around one axis is compared: a mirror of a face is none, a profile is less.
        if best is not None and best[0] >= SURE and (k + 1) % (360 // STEP) == 0:
            break
    if best is None:
        raise NoFaceError(
            "No face was seen on the mesh from any side; set its landmarks by hand, or choose "
            "the mesh that has the face."
        )
    landmarks = best[1]
    for k in range(ROUNDS):
        report(0.5 + 0.5 * k / ROUNDS, "Finding its landmarks")
        landmarks = _refined(points, triangles, landmarks)
    return FoundFace(landmarks, best[0])


def placed(landmarks: NDArray, ids: NDArray | None = None) -> tuple[Similarity, float]:
    """From the default head's axes, mm, to the mesh's; and how far the landmarks are off, mm.

    ``landmarks`` (N, 3) are the default's ``ids`` (N,), all but the jaw's if none are given.
    """
    chosen = INNER if ids is None else np.asarray(ids)
    points = np.asarray(landmarks, np.float64)
    points = points[chosen] if ids is None else points
    source = default_template().landmarks[chosen]
    found = Similarity.between(source, points)
    off = np.linalg.norm(found.apply(source) - points, axis=1) / max(found.scale, 1e-12)
    return found, float(np.sqrt((off**2).mean()))


def _frames(up: int) -> Iterator[Double]:
    """(3, 3) rows: to the left, up and forward, in the mesh's axes.

    All turns about the axis ``up``, then about the others, both ways round; Blender's front first.
    """
    others = [axis for axis in (2, 1, 0) if axis != up]
    for sign in (1.0, -1.0):
        for axis in (up, *others):
            upward = np.zeros(3)
            upward[axis] = sign
            forward = np.zeros(3)
            # -Y is the front where Z is up, +Z where Y is.
            forward[1 if axis == 2 else 2] = -1.0 if axis == 2 else 1.0
            left = np.cross(upward, forward)
            for degrees in range(0, 360, STEP):
                c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
                ahead = c * forward + s * left
                yield np.array([np.cross(upward, ahead), upward, ahead], np.float64)


def _windows(points: Double) -> Iterator[View]:
    """The whole of it, and what may be the head of a body."""
    low, high = points.min(axis=0), points.max(axis=0)
    middle, size = (low + high) / 2, high - low
    yield View(middle, 0.55 * max(size[0], size[1]))
    if size[1] > 0.8 * size[0]:
        # A head is a seventh to an eighth of a body, a sixth of a child's.
        head = 0.2 * size[1]
        top = points[points[:, 1] > high[1] - head]
        across = np.median(top[:, 0])
        yield View(np.array([across, high[1] - head / 2, np.median(top[:, 2])]), 0.6 * head)


def _seen(points: Double, triangles: Int) -> tuple[float, Double] | None:
    """Score and (68, 3) landmarks of the best face that is seen along -z."""
    normals = vertex_normals(points, triangles)
    best = None
    for view in _windows(points):
        raster = view.raster(points, triangles)
        picture = draw(view, points, triangles, normals, raster)
        for face in default_detector().prominent(picture, doubtful=True):
            if face.score < LEAST or (best is not None and face.score <= best[0]):
                continue
            marks, spread = default_predictor().predict_with_spread(picture, face.box)
            lifted = _lifted(view, raster, points, triangles, normals, marks)
            if spread <= UNUSABLE_SPREAD and lifted is not None:
                best = face.score, lifted[0]
    return best


def _lifted(
    view: View,
    raster: Raster,
    points: Double,
    triangles: Int,
    normals: Double,
    marks: NDArray,
    skin: NDArray[np.bool_] | None = None,
) -> tuple[Double, Double, Int] | None:
    """(68, 3) the surface behind pixels ``marks`` (68, 2), (68,) how it faces, (68,) triangles.

    What lies beside the mesh, or the triangles ``skin`` (F,) of it, gets the nearest pixel that
    shows them.  None where nothing is shown.
    """
    shown = raster.mask if skin is None else np.append(skin, False)[raster.face_id]
    rows, columns = np.nonzero(shown)
    if not len(rows):
        return None
    near = cKDTree(np.c_[columns, rows]).query(marks)[1]
    at = rows[near], columns[near]
    hit = raster.face_id[at]
    corners, weights = triangles[hit], raster.barycentric[at]
    place = np.einsum("nk,nkd->nd", weights, points[corners])
    normal = unit(np.einsum("nk,nkd->nd", weights, normals[corners]))
    return place, np.abs((normal * view.toward(place)).sum(axis=1)), hit


def _refined(points: Double, triangles: Int, landmarks: Double) -> Double:
    """``landmarks`` (68, 3) from several pictures that look straight at the face."""
    at, _ = placed(landmarks)
    local = at.inverse(points)
    template = default_template()
    middle = template.landmarks[INNER].mean(axis=0)
    normals = vertex_normals(local, triangles)
    part = connected(triangles, len(points))[triangles[:, 0]]
    expected = at.inverse(landmarks)
    centres = np.array([expected[36:42].mean(axis=0), expected[42:48].mean(axis=0)])
    total, weight = np.zeros((68, 3)), np.zeros(68)
    for yaw, pitch in LOOKS:
        view = View(middle, CLOSE_MM, yaw, pitch, CLOSE_PIXELS)
        raster = view.raster(local, triangles)
        marks = view.project(expected)
        lifted = _lifted(view, raster, local, triangles, normals, marks)
        if lifted is None:
            continue
        main = np.bincount(part[lifted[2][SKIN_MARKS]]).argmax()
        skin = part == main
        picture = draw(view, local, triangles, normals, raster, ~skin, centres)
        face = _expected(picture, marks)
        marks, _ = default_predictor().predict_with_spread(picture, face)
        lifted = _lifted(view, raster, local, triangles, normals, marks, skin)
        assert lifted is not None
        # Seen from the side, the far half of a face is guessed.
        belief = np.clip(lifted[1] - FACING, 0.0, None) ** 2 + 1e-6
        total += belief[:, None] * lifted[0]
        weight += belief
    if not weight.all():
        return landmarks
    return at.apply(total / weight[:, None])


def _expected(picture: NDArray[np.uint8], marks: Double) -> NDArray[np.float32]:
    """(4,) the detector's box about ``marks`` (68, 2), as it would frame them."""
    low, high = marks[INNER].min(axis=0), marks[INNER].max(axis=0)
    chin = marks[8, 1]
    side = 1.05 * max(high[0] - low[0], chin - low[1])
    middle = np.array([(low[0] + high[0]) / 2, (low[1] + chin) / 2])
    box = np.concatenate([middle - side / 2, middle + side / 2]).astype(np.float32)
    found: Detection | None = default_detector().near(picture, box)
    return box if found is None else found.box
