"""A completion that only fills in what the store needs, for tests of the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from reconstruct_face.backend.model import FaceModel, load_model
from reconstruct_face.backend.model.importing import RawModel

from tests.bfm_files import nearest_mirror

MASKS = ("skin", "face")
TEXTURE = 64


@dataclass(frozen=True, eq=False)
class PlainCompleted:
    """As ``backend.model.completing.CompletedModel``."""

    model: FaceModel
    arkit_basis: NDArray[np.float32]
    arkit_names: tuple[str, ...]
    notes: tuple[str, ...] = ("Completed plainly.",)
    figures: dict[str, float] = field(default_factory=lambda: {"registration_mm": 0.25})
    extras: dict[str, NDArray] = field(default_factory=lambda: {"nearest": np.arange(5)})


def plain_complete(
    raw: RawModel, progress: Callable[[float, str], None] | None = None
) -> PlainCompleted:
    """What the file has; all else zeros and the like."""
    if progress is not None:
        progress(0.5, "Completing")
    count, names = len(raw.mean), load_model().expression_names[:52]
    flat = raw.mean[:, :2] - raw.mean[:, :2].min(axis=0)
    landmarks = raw.landmarks68 if raw.landmarks68 is not None else np.zeros(68, np.int32)
    ends = np.unique(np.sort(raw.triangles[:, :2], axis=1), axis=0)
    values: dict[str, Any] = {
        "name": raw.name,
        "mean": raw.mean.astype(np.float32),
        "identity_basis": raw.identity_basis,
        "expression_basis": raw.expression_basis,
        "expression_names": raw.expression_names,
        "expression_range": raw.expression_range,
        "polygons": raw.triangles,
        "polygon_material": np.zeros(len(raw.triangles), np.uint8),
        "material_kinds": ("skin",),
        "uv": (flat / flat.max(axis=0)).astype(np.float32),
        "uv_polygons": raw.triangles,
        "symmetry": nearest_mirror(raw.mean).astype(np.int32),
        "edges": ends.astype(np.int32),
        "landmarks68": landmarks,
        "landmarks68_triangles": np.repeat(landmarks[:, None], 3, axis=1),
        "landmarks68_barycentric": np.tile(np.float32([1, 0, 0]), (68, 1)),
        "contour_candidates": np.full((17, 4), -1, np.int32),
        "albedo_mean": np.full((TEXTURE, TEXTURE, 3), 0.3, np.float32),
        "albedo_basis": np.zeros((4, TEXTURE, TEXTURE, 3), np.float32),
        "mask_names": MASKS,
        "vertex_masks": np.zeros((len(MASKS), count), np.uint8),
        "uv_masks": np.zeros((len(MASKS), TEXTURE, TEXTURE), np.uint8),
        "eye_centers": np.zeros((2, 3), np.float32),
        "eye_radius": 12.0,
        "header": {},
    }
    arkit = np.zeros((52, count, 3), np.float32)
    arkit[names.index("jawOpen"), :, 1] = -1
    return PlainCompleted(FaceModel(**values), arkit, names)
