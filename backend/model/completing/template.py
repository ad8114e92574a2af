"""The default model as what is laid over others: its skin, eyes and mouth, and what they carry."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from ...geometry.triangles import vertex_normals
from ..face_model import FaceModel
from ..lids import SEAM
from ..load import load_model

Double = NDArray[np.float64]
Int = NDArray[np.int32]

ARKIT_COUNT = 52
#: Parts of the default head that lie on or continue the outer surface.
OUTER = ("skin", "eye", "mouth")
#: Kinds of the default that count as another one here.
PART_OF = {"iris": "eye"}


@dataclass(frozen=True, eq=False)
class Template:
    """The default head; V vertices, F triangles of its skin, eyes and mouth cavity."""

    model: FaceModel
    faces: NDArray[np.intp] = field(init=False)  #: (F,) which of the model's faces they are
    triangles: Int = field(init=False)  #: (F, 3)
    kind: NDArray[np.uint8] = field(init=False)  #: (F,) index into OUTER
    skin: NDArray[np.bool_] = field(init=False)  #: (V,)

    def __post_init__(self) -> None:
        model = self.model
        names = [PART_OF.get(kind, kind) for kind in model.material_kinds]
        table = np.array([OUTER.index(kind) if kind in OUTER else -1 for kind in names])
        kind = table[model.polygon_material[model.polygon_of_face]]
        kept = np.flatnonzero(kind >= 0)
        skin = np.zeros(len(model.mean), bool)
        skin[model.faces[kind == OUTER.index("skin")]] = True
        object.__setattr__(self, "faces", kept)
        object.__setattr__(self, "triangles", model.faces[kept])
        object.__setattr__(self, "kind", kind[kept].astype(np.uint8))
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
        return self.model.eyeballs

    def hidden(self) -> NDArray[np.bool_]:
        """(F,) skin behind the lids, which lies around the eyeballs."""
        rings = self.model.lid_rings
        assert rings is not None
        edges = self.model.edges[~np.isin(self.model.edges, rings[:, SEAM]).any(axis=1)]
        count = len(self.model.mean)
        graph = sp.coo_matrix((np.ones(len(edges), np.int8), edges.T), (count, count))
        label = connected_components(graph, False)[1]
        behind = np.isin(label, label[rings[:, 0]])
        behind[rings[:, SEAM]] = True
        return behind[self.triangles].any(axis=1) & (self.kind == 0)

    def without_eyes(self) -> Template:
        """Itself with no eyeballs among its ``triangles``: lids find their counterparts in lids."""
        kept = self.kind != OUTER.index("eye")
        other = Template(self.model)
        for name in ("faces", "triangles", "kind"):
            object.__setattr__(other, name, getattr(self, name)[kept])
        return other

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
