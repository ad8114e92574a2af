"""The default model as what is laid over others: its skin, eyes and mouth, and what they carry."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from ...geometry.triangles import vertex_normals
from ..face_model import FaceModel
from ..load import load_model

Double = NDArray[np.float64]
Int = NDArray[np.int32]

ARKIT_COUNT = 52
#: Parts of the default head that lie on or continue the outer surface.
OUTER = ("skin", "eye", "mouth")
#: Skin so near the middle of an eyeball, in its radii, is not seen.
HIDDEN = 1.02


@dataclass(frozen=True, eq=False)
class Template:
    """The default head; V vertices, F triangles of its skin, eyes and mouth cavity."""

    model: FaceModel
    triangles: Int = field(init=False)  #: (F, 3)
    kind: NDArray[np.uint8] = field(init=False)  #: (F,) index into OUTER
    skin: NDArray[np.bool_] = field(init=False)  #: (V,)

    def __post_init__(self) -> None:
        model = self.model
        kinds = [model.material_kinds.index(kind) for kind in OUTER]
        material = model.polygon_material[model.polygon_of_face]
        kept = np.isin(material, kinds)
        skin = np.zeros(len(model.mean), bool)
        skin[model.faces[material == kinds[0]]] = True
        table = np.zeros(len(model.material_kinds), np.uint8)
        table[kinds] = range(len(kinds))
        object.__setattr__(self, "triangles", model.faces[kept])
        object.__setattr__(self, "kind", table[material[kept]])
        object.__setattr__(self, "skin", skin)

    @cached_property
    def mean(self) -> Double:
        """(V, 3) mm."""
        return self.model.mean.astype(np.float64)

    @cached_property
    def normals(self) -> Double:
        """(V, 3) of the skin, eyes and mouth; 0 elsewhere."""
        return vertex_normals(self.mean, self.triangles)

    @cached_property
    def landmarks(self) -> Double:
        """(68, 3) the exact landmarks of the mean head."""
        return self.landmarks_of(self.mean)

    def landmarks_of(self, vertices: NDArray) -> Double:
        """(68, 3) the exact landmarks of the head ``vertices`` (V, 3)."""
        corners = vertices[self.model.landmarks68_triangles]
        return np.einsum("lk,lkd->ld", self.model.landmarks68_barycentric, corners)

    def face_points(self) -> tuple[Double, Double]:
        """Vertices of the face, without lids and mouth, and their normals: (N, 3) each."""
        chosen = self.skin & (self.model.mask("face") > 0.5)
        for name in ("lips", "lids", "mouth"):
            chosen &= self.model.mask(name) < 0.5
        ids = np.flatnonzero(chosen)[::2]
        return self.mean[ids], self.normals[ids]

    def eyes(self) -> list[NDArray[np.intp]]:
        """Vertex ids of the right and the left eyeball."""
        eye = self.model.material_kinds.index("eye")
        ids = np.unique(self.model.polygons[self.model.polygon_material == eye])
        side = self.model.mean[ids, 0] > 0
        return [ids[~side], ids[side]]

    def hidden(self) -> NDArray[np.bool_]:
        """(F,) skin behind the lids, which lies on the eyeballs or within them."""
        away = np.linalg.norm(self.mean[:, None] - self.model.eye_centers, axis=2).min(axis=1)
        within = (away < HIDDEN * self.model.eye_radius)[self.triangles].any(axis=1)
        return within & (self.kind == 0)

    @property
    def arkit(self) -> NDArray[np.float32]:
        """(52, V, 3) ARKit's shapes."""
        return self.model.expression_basis[:ARKIT_COUNT]

    @property
    def arkit_names(self) -> tuple[str, ...]:
        return self.model.expression_names[:ARKIT_COUNT]


@lru_cache(maxsize=1)
def default_template() -> Template:
    """The model that comes along."""
    return Template(load_model())
