"""A ``Reconstruction`` of the default face model without a photo, for tests of what hangs on it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from reconstruct_face.backend.exchange import MaterialSlot, Reconstruction
from reconstruct_face.backend.model import FaceModel, load_model

from tests.synthetic_reconstruction import encode_png, make_reconstruction


def head_of(
    seed: int,
    texture: np.ndarray | None = None,
    mode: str = "albedo",
    model: FaceModel | None = None,
) -> Reconstruction:
    """A random person with a random expression; ``texture`` (S, S, 3) uint8, plain skin if None."""
    model = model or load_model()
    rng = np.random.default_rng(seed)
    identity = rng.normal(size=len(model.identity_basis)).astype(np.float32)
    expression = rng.uniform(0, 0.4, len(model.expression_names)).astype(np.float32)
    posed = model.vertices(identity, expression)
    if texture is None:
        texture = np.full((128, 128, 3), (205, 160, 140), np.uint8)
    return replace(
        make_reconstruction(rows=8, columns=10, texture_mode=mode),
        vertices_neutral=model.vertices(identity),
        vertices_posed=posed,
        faces=model.faces,
        polygons=model.polygons,
        polygon_material=model.polygon_material,
        uv=model.uv,
        uv_polygons=model.uv_polygons,
        identity=identity,
        expression=expression,
        expression_names=model.expression_names,
        expression_range=model.expression_range,
        expression_basis=model.expression_basis,
        albedo=np.zeros(len(model.albedo_basis), np.float32),
        landmarks68=model.landmarks68,
        landmarks3d=posed[model.landmarks68],
        texture=encode_png(texture) if mode != "none" else np.empty(0, np.uint8),
        materials=tuple(MaterialSlot(kind, kind) for kind in model.material_kinds),
    ).validate()


def smooth_noise(size: int, seed: int) -> np.ndarray:
    """(size, size, 3) uint8 colours that differ from place to place, a tenth of the side wide."""
    noise = np.random.default_rng(seed).uniform(60, 220, (12, 12, 3)).astype(np.float32)
    return (
        cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC).clip(1, 254).astype(np.uint8)
    )
