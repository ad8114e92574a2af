"""Where in the default head each kind of part of a mesh takes its colours and masks from.

Skin from skin, eyeballs from eyeballs: where lids and eyes lie on each other the nearest point is
as often the wrong one.  Teeth and tongues of different heads have no counterparts; they get one
colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from ...raster.atlas import texel_coordinates
from ..face_model import fit_sphere
from .surface import LookupMesh
from .template import OUTER, Template

Float = NDArray[np.float32]
Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Eyes:
    """Two eyeballs, right and left."""

    centres: Double  #: (2, 3) mm
    radius: float


@dataclass(frozen=True, eq=False)
class Sources:
    """The default head laid over a mesh as ``registered`` (D, 3), part by part."""

    template: Template
    registered: Double
    #: The mesh's own eyeballs; None: its eyes are one surface with the skin, if it has any.
    eyes: Eyes | None

    @cached_property
    def _outside(self) -> NDArray[np.intp]:
        """Triangles of the template that skin comes from."""
        kinds = [OUTER.index(kind) for kind in OUTER if kind != "eye" or self.eyes is None]
        return np.flatnonzero(np.isin(self.template.kind, kinds) & ~self.template.hidden())

    @cached_property
    def _skin(self) -> LookupMesh:
        return LookupMesh(self.registered, self.template.triangles[self._outside])

    def of_skin(self, points: NDArray, normals: NDArray) -> tuple[NDArray[np.intp], Double]:
        """(N,) triangles of the template and (N, 3) weights for points of the skin."""
        hits = self._skin.nearest(points, normals, 1)
        return self._outside[hits.triangle], hits.weights

    def of_eyes(self, points: NDArray) -> tuple[NDArray[np.intp], Double]:
        """The same for points of eyeballs, by their direction from the middle."""
        assert self.eyes is not None
        template, eyes = self.template, self.eyes
        triangles = np.zeros(len(points), np.intp)
        weights = np.zeros((len(points), 3))
        side = np.linalg.norm(points[:, None] - eyes.centres, axis=2).argmin(axis=1)
        for k, (ids, globe) in enumerate(zip(template.eyes(), template.model.globes, strict=True)):
            mine = side == k
            there = np.flatnonzero(np.isin(template.triangles, ids).all(axis=1))
            middle, size = fit_sphere(self.registered[globe])
            away = points[mine] - eyes.centres[k]
            away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
            mesh = LookupMesh(self.registered, template.triangles[there])
            hits = mesh.nearest(middle + size * away, away, 1)
            triangles[mine], weights[mine] = there[hits.triangle], hits.weights
        return triangles, weights

    def texture(self, picture: NDArray, triangles: NDArray[np.intp], weights: Double) -> Float:
        """(N, 3) what the default's ``picture`` (T, T, 3) shows at points of the template."""
        template = self.template
        model = template.model
        corners = model.uv[model.uv_faces[template.faces[triangles]]]
        uv = np.einsum("nk,nkd->nd", weights, corners)
        place = texel_coordinates(uv, len(picture)).astype(np.float32)
        out = np.empty((len(place), 3), np.float32)
        rows = 16384  # OpenCV's remap takes at most 32767 of them
        for start in range(0, len(place), rows):
            part = place[start : start + rows]
            out[start : start + rows] = cv2.remap(
                picture, part[:, :1], part[:, 1:], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )[:, 0]
        return out

    def at_vertices(self, values: NDArray, triangles: NDArray[np.intp], weights: Double) -> NDArray:
        """(N, ...) the per-vertex ``values`` (D, ...) of the default at points of the template."""
        corners = values[self.template.triangles[triangles]]
        return np.einsum("nk,nk...->n...", weights, corners)

    def plain(self, picture: NDArray, kind: str) -> Float | None:
        """(3,) the mean of the default's ``picture`` over its parts of a ``kind``; None: no such"""
        model = self.template.model
        if kind not in model.mask_names:
            return None
        inside = picture[model.uv_mask(kind) > 0.95]
        return inside.mean(axis=0) if len(inside) else None
