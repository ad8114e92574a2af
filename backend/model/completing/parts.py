"""The connected parts of an imported mesh, and what they are: skin, eyes, teeth, tongue, mouth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ..face_model import fit_sphere
from .template import Template

Int = NDArray[np.int32]

#: An eyeball's middle lies so near that of the default's, and it has hardly more than that size.
EYE_MM = 12.0
EYE_SIZE_MM = 45.0
EYE_SCALES = (0.5, 1.5)  #: of the default's radius, else it is no eyeball
#: A part inside the mouth lies so near the default's teeth, tongue and mouth cavity.
INSIDE_MM = 9.0
#: A shell that lies over another eyeball's front hides it where their directions from the middle
#: differ by less than this, degrees; within the second, an eye is looked at.
NEIGHBOUR_DEGREES, FRONT_DEGREES = 8.0, 50.0
#: What the eyes' films and lashes are called here, which are left out of the faces: they need
#: transparent pictures of their own, and would be bands of skin and colour before the eyes.
LEFT_OUT = "left out"
#: Names of parts that files tell, by the words in them, the first that fits.
NAMED = (
    ("lash", LEFT_OUT),
    ("lacrimal", LEFT_OUT),
    ("occlusion", LEFT_OUT),
    ("eyeblend", LEFT_OUT),
    ("wet", LEFT_OUT),
    ("tearline", LEFT_OUT),
    ("eyeball", "eye"),
    ("sclera", "eye"),
    ("iris", "eye"),
    ("tongue", "tongue"),
    ("gums", "tongue"),
    ("teeth", "teeth"),
    ("socket", "mouth"),
    ("mouth", "mouth"),
)
#: A film or a row of lashes, of which the file tells no name, lies between these distances from
#: the middle of an eyeball, in its radii, and nowhere else.
FILM_RADII = (0.9, 1.9)


@dataclass(frozen=True, eq=False)
class Parts:
    """P connected parts of a mesh; F triangles."""

    of_triangle: Int  #: (F,)
    main: int  #: the part with the face
    kind: tuple[str, ...]  #: (F,) materials that occur, in the order of ``material``
    material: NDArray[np.uint8]  #: (F,) index into ``kind``
    dropped: NDArray[np.bool_]  #: (F,) triangles that are not shown


def connected(triangles: Int, count: int) -> Int:
    """(V,) the connected part of each vertex, the largest first."""
    ends = np.concatenate([triangles[:, :2], triangles[:, 1:]])
    graph = sp.coo_matrix((np.ones(len(ends), np.int8), ends.T), (count, count))
    number, label = connected_components(graph, False)
    order = np.argsort(-np.bincount(label, minlength=number), kind="stable")
    place = np.empty(number, np.int32)
    place[order] = np.arange(number)
    return place[label]


def classify(
    template: Template,
    registered: NDArray,
    mean: NDArray,
    triangles: Int,
    named: tuple[tuple[str, ...], Int] | None = None,
) -> Parts:
    """What the parts of the mesh ``mean`` (V, 3) are, by what lies there in the default head.

    ``registered`` (D, 3) is the default head laid over it.  ``named`` are names that the file
    itself gives to parts and which one each triangle (F,) has; parts that are sewn to others are
    left aside.
    """
    part = connected(triangles, len(mean))
    of_triangle = part[triangles[:, 0]]
    labels = np.full(len(triangles), "skin", object)
    for k in range(1, int(part.max()) + 1):
        mine = of_triangle == k
        if mine.any():
            labels[mine] = _kind(template, registered, mean[part == k])
    if named is not None:
        _tell(labels, triangles, *named)
    eyes = eye_spheres(template, registered)[0]
    labels[_covered(mean, triangles, of_triangle, labels == "eye", eyes)] = LEFT_OUT
    dropped = labels == LEFT_OUT
    labels[dropped] = "skin"
    order = [k for k in ("skin", "eye", "teeth", "tongue", "mouth") if k in set(labels)]
    material = np.array([order.index(label) for label in labels], np.uint8)
    return Parts(of_triangle, 0, tuple(order), material, dropped)


def _tell(labels: NDArray, triangles: Int, names: tuple[str, ...], which: Int) -> None:
    """Change ``labels`` (F,) of the triangles whose parts' ``names`` say what they are."""
    for number, name in enumerate(names):
        mine = which == number
        kind = next((kind for word, kind in NAMED if word in name.lower()), None)
        if kind is None or np.isin(triangles[mine], triangles[~mine]).any():
            continue  # says nothing, or is sewn to others: no part that could be told apart
        labels[mine] = kind


def _covered(
    mean: NDArray, triangles: Int, of_triangle: Int, eye: NDArray[np.bool_], centres: NDArray
) -> NDArray[np.bool_]:
    """(F,) the parts of eyes that another one hides, as a cornea that is not transparent here."""
    out = np.zeros(len(triangles), bool)
    parts = np.unique(of_triangle[eye])
    rays = {}
    for k in parts:
        points = mean[np.unique(triangles[of_triangle == k])]
        away = points - centres[np.linalg.norm(centres - points.mean(axis=0), axis=1).argmin()]
        far = np.linalg.norm(away, axis=1)
        ahead = away[:, 2] > np.cos(np.deg2rad(FRONT_DEGREES)) * far
        rays[k] = (away / far[:, None])[ahead], far[ahead], np.sign(points[:, 0].mean())
    reach = 2 * np.sin(np.deg2rad(NEIGHBOUR_DEGREES) / 2)
    for k in parts:
        inner, depth, side = rays[k]
        for other in parts:
            outer, height, its_side = rays[other]
            if k == other or side != its_side or not len(inner) or not len(outer):
                continue
            gap, near = cKDTree(outer).query(inner)
            if ((gap < reach) & (height[near] > depth)).mean() > 0.98:
                out |= of_triangle == k
    return out


def _kind(template: Template, registered: NDArray, points: NDArray) -> str:
    centres, radius = eye_spheres(template, registered)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    size = np.ptp(points, axis=0).max()
    if np.linalg.norm(centres - middle, axis=1).min() < EYE_MM and size < EYE_SIZE_MM:
        return "eye"
    low, high = np.array(FILM_RADII) * radius
    away = np.linalg.norm(points[:, None] - centres, axis=2).min(axis=1)
    if size < EYE_SIZE_MM and low < away.min() and away.max() < high:
        return LEFT_OUT
    model = template.model
    best = ("skin", INSIDE_MM)
    for kind in ("teeth", "tongue", "mouth"):
        ids = np.unique(model.polygons[model.polygon_material == model.material_kinds.index(kind)])
        gap = float(np.median(cKDTree(registered[ids]).query(points)[0]))
        if gap < best[1]:
            best = (kind, gap)
    return best[0]


def own_eyes(
    template: Template, registered: NDArray, mean: NDArray, triangles: Int, parts: Parts
) -> tuple[NDArray, float] | None:
    """:func:`eye_spheres` of the mesh's own eyeballs, or None where it has none.

    Least squares over what is shown of them; a cornea stands out of the sphere.
    """
    if "eye" not in parts.kind:
        return None
    mine = (parts.material == parts.kind.index("eye")) & ~parts.dropped
    points = np.asarray(mean, np.float64)[np.unique(triangles[mine])]
    expected, usual = eye_spheres(template, registered)
    side = np.linalg.norm(points[:, None] - expected, axis=2).argmin(axis=1)
    centres, radii = [], []
    for k in range(2):
        some = points[side == k]
        if len(some) < 4:
            return None
        centre, radius = fit_sphere(some)
        centres.append(centre)
        radii.append(radius)
    low, high = EYE_SCALES
    if not all(low * usual < radius < high * usual for radius in radii):
        return None
    return np.array(centres), float(np.mean(radii))


def eye_spheres(template: Template, registered: NDArray) -> tuple[NDArray, float]:
    """(2, 3) middles, right and left, and the radius in mm of the registered head's eyeballs."""
    spheres = [fit_sphere(registered[ids]) for ids in template.model.globes]
    return np.array([centre for centre, _ in spheres]), float(np.mean([r for _, r in spheres]))
