"""A head and what is on and around it, as one mesh."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...geometry.triangles import vertex_normals
from ...model import FaceModel
from ...raster import occluded
from .props import Prop

Float = NDArray[np.float32]

#: mm: over what length hollows darken.
_HOLLOW_MM = 40.0
_HOLLOW_RAYS = 48
_PROP_ROUGHNESS = 0.45


@dataclass(frozen=True, eq=False)
class Assembly:
    """N vertices and M triangles of P parts; part 0 is the head, whose vertices come first."""

    vertices: Float  #: (N, 3) mm, the posed head's coordinates
    faces: NDArray[np.int32]  #: (M, 3)
    part_of_vertex: NDArray[np.int32]  #: (N,)
    part_of_face: NDArray[np.int32]  #: (M,)
    colours: Float  #: (N, 3) linear albedo; 0 on the head, whose skin is a texture
    openness: Float  #: (N,) how much of the surroundings is seen, 0..1
    gloss: Float  #: (P,) strength of the reflection; 0 for the head
    roughness: Float  #: (P,)
    opacity: Float  #: (P,) 1 solid; less for lenses

    def solid(self) -> Assembly:
        """Without the triangles one sees through."""
        kept = self.opacity[self.part_of_face] == 1
        return replace(self, faces=self.faces[kept], part_of_face=self.part_of_face[kept])


def assemble(model: FaceModel, vertices: NDArray, props: list[Prop]) -> Assembly:
    """The posed ``vertices`` (V, 3) mm of ``model`` with ``props``."""
    head = np.asarray(vertices, np.float32)
    counts = [len(head), *(len(prop.vertices) for prop in props)]
    starts = np.cumsum(counts)
    opening = np.ones(starts[-1], np.float32)
    opening[: len(head)] = openness(model)
    parts = np.arange(len(counts), dtype=np.int32)
    return Assembly(
        vertices=np.concatenate([head, *(prop.vertices for prop in props)]),
        faces=np.concatenate(
            [model.faces, *(p.faces + at for p, at in zip(props, starts, strict=False))]
        ).astype(np.int32),
        part_of_vertex=np.repeat(parts, counts),
        part_of_face=np.repeat(parts, [len(model.faces), *(len(p.faces) for p in props)]),
        colours=np.concatenate([np.zeros_like(head), *(prop.colours for prop in props)]),
        openness=opening,
        gloss=np.array([0.0, *(prop.gloss for prop in props)], np.float32),
        roughness=np.array([1.0, *(_PROP_ROUGHNESS for _ in props)], np.float32),
        opacity=np.array([1.0, *(prop.opacity for prop in props)], np.float32),
    )


@lru_cache(maxsize=2)
def openness(model: FaceModel) -> Float:
    """(V,) how much of the sky above it each vertex of the mean head sees, 0..1.

    Ambient occlusion by rays of at most 40 mm (Landis 2002, "Production-ready global
    illumination"): eye sockets, nostrils, the corners of the lips.
    """
    rng = np.random.default_rng(0)
    normals = vertex_normals(model.mean, model.faces)
    count = np.zeros(len(model.mean))
    for _ in range(_HOLLOW_RAYS):
        # Cosine-distributed: a unit vector added to the normal (Malley's method).
        direction = rng.normal(size=normals.shape)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        direction += normals
        direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-6)
        start = (model.mean + 0.5 * normals).astype(np.float32)
        end = (start + _HOLLOW_MM * direction).astype(np.float32)
        count += ~occluded(start, model.mean, model.faces, end, 0.5)
    return (count / _HOLLOW_RAYS).astype(np.float32)
