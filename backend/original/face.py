"""The face that the original's coefficients tell: vertices, pose, colours, in its own units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from ..geometry.rotation import about
from ..geometry.triangles import vertex_normals
from ..model.importing import RawModel, read_model
from .shading import phong
from .stats import Coefficients

Double = NDArray[np.float64]
Float = NDArray[np.float32]
Int = NDArray[np.int32]

MICROMETRES = 1000.0  #: in a millimetre
SHAPE, EXPRESSION, TEXTURE = 100, 79, 40  #: components that the network tells


@dataclass(frozen=True, eq=False)
class OriginalFace:
    """``BFM.mat`` with ``exp_80k.npz``, as far as the network uses it; V vertices, F triangles.

    Vertices are in mm, bases per unit of the file's own coefficients, colours 0..255.
    """

    mean: Double  #: (V, 3) shapeMU + expMU
    shape_basis: Float  #: (100, V, 3)
    expression_basis: Float  #: (79, V, 3)
    texture_mean: Double  #: (V, 3)
    texture_basis: Float  #: (40, V, 3)
    triangles: Int  #: (F, 3) counter-clockwise from outside
    landmarks68: Int  #: (68,)

    def vertices(self, found: Coefficients) -> Double:
        """(V, 3) mm in the model's axes: x to the head's left, y up, z forward.

        shapeMU + expMU + shapePC @ shape + expPC @ expression
        """
        return (
            self.mean
            + _mixed(found.shape, self.shape_basis)
            + _mixed(found.expression, self.expression_basis)
        )

    def colours(self, found: Coefficients, vertices: Double) -> Double:
        """(V, 3) 0..255: the lit colours of the unposed ``vertices`` (V, 3)."""
        albedo = self.texture_mean + _mixed(found.texture, self.texture_basis)
        normals = vertex_normals(vertices, self.triangles)
        return phong(albedo, normals, found.illumination, found.colour)


def original_face(model: RawModel) -> OriginalFace:
    """The part of ``model`` that the network tells.

    Raises :class:`ModelError` unless it is ``BFM.mat`` with the 79 expressions of ``exp_80k.npz``.
    """
    if model.name != "bfm2009":
        raise ModelError(
            f"The original's network is for BFM.mat with exp_80k.npz, not for {model.kind}."
        )
    assert model.albedo_mean is not None and model.albedo_basis is not None
    assert model.albedo_scale is not None and model.landmarks68 is not None
    counts = (len(model.identity_basis), len(model.expression_basis), len(model.albedo_basis))
    for what, count, wanted in zip(
        ("identity", "expression", "albedo"), counts, (SHAPE, EXPRESSION, TEXTURE), strict=True
    ):
        if count < wanted:
            raise ModelError(
                f"{model.kind} has {count} {what} components; the network tells {wanted}."
            )
    return OriginalFace(
        mean=np.asarray(model.mean, np.float64),
        shape_basis=_unscaled(model.identity_basis, model.identity_scale, SHAPE),
        expression_basis=_unscaled(model.expression_basis, model.expression_scale, EXPRESSION),
        texture_mean=255.0 * np.asarray(model.albedo_mean, np.float64),
        texture_basis=_unscaled(model.albedo_basis, model.albedo_scale / 255.0, TEXTURE),
        triangles=model.triangles,
        landmarks68=model.landmarks68,
    )


def read_face(paths: Sequence[str | Path]) -> OriginalFace:
    """The face in ``BFM.mat`` and ``exp_80k.npz``, in any order.  Raises :class:`ModelError`."""
    return original_face(read_model(paths))


def _unscaled(basis: Float, scale: Double, count: int) -> Float:
    """The first ``count`` of ``basis``, per standard deviation, per unit of its coefficients."""
    return basis[:count] / np.asarray(scale[:count], np.float32)[:, None, None]


def _mixed(coefficients: Double, basis: Float) -> Float:
    """(V, 3); in float32, whose rounding is a ten-thousandth of a millimetre here."""
    flat = basis.reshape(len(basis), -1)
    return (np.asarray(coefficients, np.float32) @ flat).reshape(basis.shape[1:])


def rotation(pitch: float, yaw: float, roll: float) -> Double:
    """(3, 3) Rz(roll) Ry(yaw) Rx(pitch), as tensorflow_graphics' ``from_euler``; for columns."""
    return about(roll, 2) @ about(yaw, 1) @ about(pitch, 0)


def posed(vertices: Double, pose: Double) -> Double:
    """(V, 3) in pixels, y up, z to the viewer: p = scale v R + (tx, ty, 0), v a row.

    ``vertices`` (V, 3) mm; ``pose`` (6,) as in :class:`Coefficients`.
    """
    pitch, yaw, roll, tx, ty, scale = pose
    turned = np.asarray(vertices, np.float64) @ rotation(pitch, yaw, roll)
    return MICROMETRES * scale * turned + np.array([tx, ty, 0.0])


def to_image(points: Double, image_size: int) -> Double:
    """(N, 3) posed ``points`` as x right, y down in pixels, z away from the viewer."""
    return np.stack([points[:, 0], (image_size - 1) - points[:, 1], -points[:, 2]], axis=1)
