"""A full beard: a shell on the cheeks and chin, and ribbons that grow from it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...geometry.triangles import vertex_normals
from ...model import FaceModel
from .hair import as_ribbons
from .pieces import Mesh, join, waves
from .skull import Skull

_RIBBONS = 170
_STEPS = 5


@lru_cache(maxsize=4)
def _ground(model: FaceModel) -> tuple[NDArray, NDArray, NDArray]:
    """Vertex ids (N,), triangles (M, 3) among them and how bearded each vertex is (N,)."""
    grown = model.mask("beard") * (1 - model.mask("lips"))
    inside = (grown > 0.25) & (model.mask("mouth") < 0.5)
    faces = model.faces[inside[model.faces].all(axis=1)]
    ids, faces = np.unique(faces, return_inverse=True)
    return ids, faces.reshape(-1, 3).astype(np.int32), grown[ids]


def grow_beard(
    model: FaceModel,
    skull: Skull,
    vertices: NDArray,
    colour: NDArray,
    skin_tone: NDArray,
    rng: np.random.Generator,
) -> Mesh:
    """A beard of 3 to 15 mm, now and then a long one."""
    ids, faces, grown = _ground(model)
    skin = vertices[ids].astype(np.float64)
    normal = vertex_normals(skin, faces)
    nose = vertices[model.landmarks68[33], 1]
    mouth = vertices[model.landmarks68[[48, 54]], 1].mean()
    # Short on the upper lip, long on the chin, out at the edge of the cheeks.
    low = np.clip((mouth - skin[:, 1]) / 30, 0, 1)
    thick = rng.uniform(3, 12)
    height = grown * (1.2 + thick * (0.25 + 0.75 * low))
    height *= np.clip((nose - skin[:, 1]) / 12 + 1.5, 0.3, 1)
    height *= 1 + 0.3 * waves(skin / 100, rng, 0.25)[:, 0]
    base = skin + normal * (0.6 * height)[:, None]
    base[:, 1] -= 0.3 * height * low
    tones = colour * np.exp(rng.normal(-0.15, 0.25, len(ids)))[:, None]
    # Thin at its border: the skin shines through.
    bare = np.clip(1 - grown, 0, 0.7)[:, None]
    tones += (skin_tone * 0.85 - tones) * bare
    root = rng.choice(len(ids), _RIBBONS, p=grown / grown.sum())
    length = (height[root] + 2) * rng.uniform(0.9, 2, _RIBBONS)
    length += low[root] * (rng.uniform(20, 90) if rng.random() < 0.2 else 4)
    fall = normal[root] * 0.7 + rng.normal(0, 0.25, (_RIBBONS, 3))
    fall[:, 1] -= rng.uniform(0.5, 1.2)
    fall /= np.linalg.norm(fall, axis=1, keepdims=True)
    share = np.linspace(0, 1, _STEPS)[:, None, None]
    path = skin[root] + fall * length[:, None] * share
    path[..., 1] -= 0.3 * length * share[..., 0] ** 2
    width = rng.uniform(2, 6, _RIBBONS)
    return join([(base, faces, tones), as_ribbons(skull, path, width, colour, rng)])
