"""What the last fit gave a head, kept with it, so that what an artist changed since can be told.

It lies on the shape keys' data-block, which exporters leave alone and copies of the head take
along.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ..backend.exchange import Reconstruction
from .coordinates import to_blender

#: Custom properties of the shape keys: the neutral head's points as float32 in base64 (Blender cuts
#: bytes that replace others at their first zero), ...
_POINTS = "reconstruct_face_points"
#: ... which expressions were added to them, and which polygons they make.
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
    basis = np.ascontiguousarray(FittedShape.of(reconstruction).basis)
    keys[_POINTS] = base64.b64encode(basis.tobytes()).decode()
    keys[_EXPRESSIONS] = _expressions(reconstruction)
    keys[_TOPOLOGY] = _topology(reconstruction.polygons)


def fitted_shape(head: bpy.types.Object, new: Reconstruction) -> FittedShape | None:
    """What the last fit gave ``head``; None where it is not known: a head of an earlier version.

    Expressions are the face model's and the same for everybody, so those of ``new`` were the last
    fit's too; not known where the model has changed since.
    """
    keys = head.data.shape_keys
    if keys.get(_EXPRESSIONS) != _expressions(new):
        return None
    try:
        points = base64.b64decode(keys.get(_POINTS, ""), validate=True)
    except (TypeError, ValueError):  # a user's own work
        return None
    if len(points) != 12 * len(new.vertices_neutral):
        return None
    basis = np.frombuffer(points, np.float32).reshape(-1, 3)
    return FittedShape(basis, FittedShape.of(new).deltas)


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


def _expressions(reconstruction: Reconstruction) -> str:
    digest = hashlib.sha256("\n".join(reconstruction.expression_names).encode())
    digest.update(np.ascontiguousarray(reconstruction.expression_basis, np.float32).data)
    return digest.hexdigest()[:32]


def _topology(polygons: NDArray) -> str:
    corners = np.ascontiguousarray(polygons, np.int32).ravel()
    return hashlib.sha256(corners.tobytes()).hexdigest()[:32]
