"""Short hair of the face: strands of some millimetres that lie along the skin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..geometry.triangles import dot, triangle_areas, unit, vertex_normals
from ..model import FaceModel
from ..texture.channels import tripled
from .strands import Float, resampled
from .surface import Roots, spread

#: Share of the direction that is kept from the step before.
_INERTIA = 0.4


@dataclass(frozen=True, eq=False)
class Patch:
    """N points close together on a part of the skin, evenly by area; head coordinates, mm."""

    roots: Roots  #: the points, as a strand could begin at each
    normals: NDArray[np.float64]  #: (N, 3) unit, outwards
    uv: Float  #: (N, 2)
    density: float  #: points on a square mm
    tree: cKDTree  #: of the points

    @property
    def points(self) -> Float:
        """(N, 3) mm."""
        return self.roots.points

    def interpolated(self, faces: NDArray, values: NDArray) -> NDArray:
        """(N, C) of ``values`` (V, C) at vertices, by the model's ``faces``."""
        corners = values[faces[self.roots.triangle]]
        return (corners * self.roots.weights[..., None]).sum(axis=1)


def patch_of(
    model: FaceModel,
    vertices: NDArray,
    where: NDArray[np.bool_],
    density: float,
    rng: np.random.Generator,
) -> Patch | None:
    """The :class:`Patch` of the skin's triangles ``where`` (F,), of ``density`` points on a square
    mm of the head ``vertices`` (V, 3); None where there are none."""
    vertices = np.asarray(vertices, np.float64)
    skin = model.polygon_material[model.polygon_of_face] == model.material_kinds.index("skin")
    area = triangle_areas(vertices, model.faces) * (where & skin)
    count = round(float(area.sum()) * density)
    if not count:
        return None
    drawn, weights = spread(area, count, rng)
    corners = model.faces[drawn]
    points = (vertices[corners] * weights[..., None]).sum(axis=1)
    normals = vertex_normals(vertices, model.faces)[corners]
    uv = (model.uv[model.uv_faces[drawn]] * weights[..., None]).sum(axis=1)
    roots = Roots(
        points.astype(np.float32), drawn, weights.astype(np.float32), np.ones(count, np.float32)
    )
    return Patch(
        roots,
        unit((normals * weights[..., None]).sum(axis=1)),
        uv.astype(np.float32),
        density,
        cKDTree(points),
    )


def lying(
    patch: Patch,
    start: NDArray[np.intp],
    way: Callable[[NDArray[np.intp]], NDArray],
    length: NDArray,
    height: NDArray,
    ends: NDArray[np.bool_],
    profile: NDArray,
) -> Float:
    """(S, P, 3) mm: strands from the points ``start`` (S,) of ``patch`` along the skin.

    ``way`` gives the directions (S, 3) at points of the patch; ``length`` (S,) and ``height`` (S,)
    over the skin are mm; none goes on over points of the patch where ``ends`` (N,).  Their points
    are at the parts ``profile`` (P,) of that height, the root at 0.
    """
    count = len(profile)
    at = patch.points[start].astype(np.float64)
    here, going = start, way(start)
    path, end = [at], np.full(len(start), count - 1)
    for k in range(1, count):
        going = _INERTIA * going + (1 - _INERTIA) * way(here)
        going = unit(going - patch.normals[here] * tripled(dot(going, patch.normals[here])))
        at = at + going * (length / (count - 1))[:, None]
        here = patch.tree.query(at)[1]
        normal = patch.normals[here]
        at = at - normal * tripled(dot(at - patch.points[here], normal))
        path.append(at + normal * tripled(height * profile[k]))
        end = np.minimum(end, np.where(ends[here], k, count - 1))
    return resampled(np.stack(path, axis=1), end, count)
