"""The connected parts of an imported mesh, and what they are: skin, eyes, teeth, tongue, mouth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from .template import Template

Int = NDArray[np.int32]

#: An eyeball's middle lies so near that of the default's, and it has hardly more than that size.
EYE_MM = 12.0
EYE_SIZE_MM = 45.0
#: A part inside the mouth lies so near the default's teeth, tongue and mouth cavity.
INSIDE_MM = 9.0
#: Names of parts that files tell, by the words in them; "" is left out of the mesh's faces.
NAMED = (
    ("eyeball", "eye"),
    ("tongue", "tongue"),
    ("teeth", "teeth"),
    ("wetness", ""),
    ("eyelash", "skin"),
    ("socket", "mouth"),
    ("mouth", "mouth"),
)


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
    named: Mapping[str, list[int]] | None = None,
) -> Parts:
    """What the parts of the mesh ``mean`` (V, 3) are, by what lies there in the default head.

    ``registered`` (D, 3) is the default head laid over it; ``named`` the first and last vertex of
    the parts that the file itself names; ranges that are sewn to others are left aside.
    """
    part = connected(triangles, len(mean))
    of_triangle = part[triangles[:, 0]]
    labels = np.full(len(triangles), "skin", object)
    for k in range(1, int(part.max()) + 1):
        mine = of_triangle == k
        if mine.any():
            labels[mine] = _kind(template, registered, mean[part == k])
    for name, (first, last) in (named or {}).items():
        within = ((triangles >= first) & (triangles <= last)).sum(axis=1)
        if np.isin(within, (1, 2)).any():
            continue  # sewn to others: no part that could be told apart
        inside = within == 3
        labels[inside] = next((kind for word, kind in NAMED if word in name), "skin")
    dropped = labels == ""
    labels[dropped] = "skin"
    order = [k for k in ("skin", "eye", "teeth", "tongue", "mouth") if k in set(labels)]
    material = np.array([order.index(label) for label in labels], np.uint8)
    return Parts(of_triangle, 0, tuple(order), material, dropped)


def _kind(template: Template, registered: NDArray, points: NDArray) -> str:
    centres, _ = eye_spheres(template, registered)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    size = np.ptp(points, axis=0).max()
    if np.linalg.norm(centres - middle, axis=1).min() < EYE_MM and size < EYE_SIZE_MM:
        return "eye"
    model = template.model
    best = ("skin", INSIDE_MM)
    for kind in ("teeth", "tongue", "mouth"):
        ids = np.unique(model.polygons[model.polygon_material == model.material_kinds.index(kind)])
        gap = float(np.median(cKDTree(registered[ids]).query(points)[0]))
        if gap < best[1]:
            best = (kind, gap)
    return best[0]


def eye_spheres(template: Template, registered: NDArray) -> tuple[NDArray, float]:
    """(2, 3) middles, right and left, and the radius in mm of the registered head's eyeballs."""
    eyes = [registered[ids] for ids in template.eyes()]
    centres = np.array([(eye.min(axis=0) + eye.max(axis=0)) / 2 for eye in eyes])
    away = [np.linalg.norm(eye - middle, axis=1) for eye, middle in zip(eyes, centres, strict=True)]
    return centres, float(np.mean(np.concatenate(away)))
