"""What the last fit gave a head, kept with it, so that what an artist changed since can be told.

It lies on the shape keys' data-block, which exporters leave alone and copies of the head take
along.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ..backend.exchange import Reconstruction
from ..backend.exchange.reconstruction import OWN_EXPRESSIONS
from .coordinates import to_blender

#: Custom properties of the shape keys: the neutral head's points as float32, packed, in base64
#: (Blender cuts bytes that replace others at their first zero), ...
_POINTS = "reconstruct_face_points"
#: ... what those expressions that are the head's own add to them, likewise, ...
_OWN = "reconstruct_face_own_expressions"
#: ... which other expressions were added to them, and which polygons they make.
_EXPRESSIONS, _TOPOLOGY = "reconstruct_face_expressions", "reconstruct_face_topology"


@dataclass(frozen=True)
class FittedShape:
    """Shape keys as the fit made them; metres, Blender's axes."""

    basis: NDArray[np.float32]  #: (V, 3)
    deltas: dict[str, NDArray[np.float32]]  #: (V, 3) by name

    @classmethod
    def of(cls, reconstruction: Reconstruction) -> FittedShape:
        """As ``build_mesh`` makes them."""
        basis = to_blender(reconstruction.vertices_neutral.astype(np.float32, copy=False))
        deltas = to_blender(reconstruction.expression_basis.astype(np.float32, copy=False))
        return cls(basis, dict(zip(reconstruction.expression_names, deltas, strict=True)))


def keep_fitted(head: bpy.types.Object, reconstruction: Reconstruction) -> None:
    """Keep with ``head``, which has shape keys, what the fit ``reconstruction`` gives it."""
    keys = head.data.shape_keys
    assert keys is not None
    fitted = FittedShape.of(reconstruction)
    own = [fitted.deltas[name] for name in _own(reconstruction)]
    keys[_POINTS] = _encoded(fitted.basis)
    keys[_OWN] = _encoded(np.array(own, np.float32))
    keys[_EXPRESSIONS] = _expressions(reconstruction)
    keys[_TOPOLOGY] = _topology(reconstruction.polygons)


def fitted_shape(head: bpy.types.Object, new: Reconstruction) -> FittedShape | None:
    """What the last fit gave ``head``; None where it is not known: a head of an earlier version.

    But for the head's own, expressions are the face model's and the same for everybody, so those of
    ``new`` were the last fit's too; not known where the model has changed since.
    """
    keys = head.data.shape_keys
    if keys is None or keys.get(_EXPRESSIONS) != _expressions(new):
        return None
    names, count = _own(new), len(new.vertices_neutral)
    basis, own = _decoded(keys, _POINTS, 1, count), _decoded(keys, _OWN, len(names), count)
    if basis is None or own is None:
        return None
    return FittedShape(basis[0], FittedShape.of(new).deltas | dict(zip(names, own, strict=True)))


def has_own_topology(head: bpy.types.Object) -> bool:
    """Whether the polygons of ``head`` are those of its fit, as far as that is known."""
    mesh, keys = head.data, head.data.shape_keys
    known = None if keys is None else keys.get(_TOPOLOGY)
    if known is None:
        return True
    corners = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", corners)
    return known == _topology(corners)


def points_of(key: bpy.types.ShapeKey) -> NDArray[np.float32]:
    """(V, 3) metres."""
    points = np.empty(3 * len(key.points), np.float32)
    key.points.foreach_get("co", points)
    return points.reshape(-1, 3)


def _own(reconstruction: Reconstruction) -> list[str]:
    return [name for name in OWN_EXPRESSIONS if name in reconstruction.expression_names]


def _encoded(points: NDArray[np.float32]) -> str:
    return base64.b64encode(zlib.compress(np.ascontiguousarray(points).tobytes(), 1)).decode()


def _decoded(
    keys: bpy.types.Key, name: str, shapes: int, vertices: int
) -> NDArray[np.float32] | None:
    """(N, V, 3) of what :func:`_encoded` made; None where it is something else."""
    try:
        packed = base64.b64decode(keys.get(name, ""), validate=True)
        points = zlib.decompressobj().decompress(packed, 12 * shapes * vertices + 1)
    except (TypeError, ValueError, zlib.error):  # a user's own work, or an earlier version's
        return None
    if len(points) != 12 * shapes * vertices:
        return None
    return np.frombuffer(points, np.float32).reshape(shapes, vertices, 3)


def _expressions(reconstruction: Reconstruction) -> str:
    names = reconstruction.expression_names
    digest = hashlib.sha256("\n".join(names).encode())
    for name, shape in zip(names, reconstruction.expression_basis, strict=True):
        if name not in OWN_EXPRESSIONS:
            digest.update(np.ascontiguousarray(shape, np.float32).data)
    return digest.hexdigest()[:32]


def _topology(polygons: NDArray) -> str:
    corners = np.ascontiguousarray(polygons, np.int32).ravel()
    return hashlib.sha256(corners.tobytes()).hexdigest()[:32]
