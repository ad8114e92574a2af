"""The albedo benchmark's heads: expressions with folds, lashes, hard and coloured light.

As :mod:`.accuracy_set`, whose renderer draws them.  What differs: the albedo in the file is the
truth, brows that lie elsewhere than the face model's included, and ``fold_mm`` says how deep the
skin is folded where the expression shortens it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry import srgb
from ..model import FaceModel
from ..model.contour import seen_landmarks
from ..model.lids import EDGE
from ..model.own import own_head
from ..raster import rasterize_uv
from .accuracy_set import Report, Truth, accuracy_set, default_folder, draw_camera, draw_head
from .expressions import KINDS

KIND = "albedo_set"
SEED, HEADS, SIZE = 51900, 10, 640
#: Head after head.
EXPRESSIONS = ("smile", "anger", "laugh", "sorrow", "surprise")
#: |yaw| in degrees.
YAW_BINS = ((0.0, 12.0), (12.0, 32.0))
#: mm at full expression, half widths; and what is there without expression, as of middle age.
FOLD_MM, FOLD_WIDTH, RESTING = 1.6, 1.3, 0.25
#: Which shapes fold which lines.
FOLDS = {
    "nasolabial": ("mouthSmile", "cheekSquint", "noseSneer"),
    "glabella": ("browDown",),
    "forehead": ("browInnerUp", "browOuterUp"),
}
#: mm that the brows lie higher than the face model's, at most.
BROWS_MM = 4.0


def albedo_set(
    folder: Path | None, model: FaceModel, heads: int, size: int, seed: int, report: Report
) -> list[Truth]:
    """See :func:`.accuracy_set.accuracy_set`; ``folder`` None is the user's cache."""
    folder = folder or default_folder().with_name(KIND)
    return accuracy_set(folder, model, heads, size, seed, report, draw=draw_known, kind=KIND)


def true_albedo(truth: Truth) -> NDArray[np.float64]:
    """(T, T, 3) linear RGB in the face model's UV layout."""
    with np.load(truth.picture.with_suffix(".npz"), allow_pickle=False) as data:
        return srgb.decode(data["albedo"] / 255)


def draw_known(model: FaceModel, number: int, size: int, seed: int) -> dict[str, Any]:
    """Arrays of head ``number``, for the renderer's ``known.py``."""
    head = draw_head(model, number, size, seed)
    rng = np.random.default_rng([seed, number, 2])
    expression = _expression(model, EXPRESSIONS[number % len(EXPRESSIONS)], rng)
    shape = own_head(model, head["identity"], expression)
    camera = draw_camera(YAW_BINS, number, shape.posed[model.landmarks68], size, rng)
    side = rng.choice([-1.0, 1.0])
    warm = rng.choice([-1.0, 1.0])
    return head | {
        "expression": expression,
        "expression_kind": EXPRESSIONS[number % len(EXPRESSIONS)],
        "vertices_neutral": shape.neutral,
        "vertices_posed": shape.posed,
        "camera_matrix": camera.camera_matrix,
        "rotation": camera.rotation,
        "translation": camera.translation,
        "landmarks2d": camera.project(seen_landmarks(model, shape.posed, camera)),
        "yaw": camera.euler_degrees[0],
        "albedo": _brows_moved(model, head["albedo"], rng.uniform(-BROWS_MM, BROWS_MM)),
        "fold_mm": _folds(model, expression),
        "lid_edges": _upper_edges(model),
        "lamp": np.array([side * rng.uniform(25, 65), rng.uniform(-45, -10)]),
        "stage": np.exp(warm * np.array([0.7, 0.0, -0.7]) * rng.uniform(0.3, 1.0)),
    }


def _expression(model: FaceModel, kind: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """(E,) weights: the upper half of what :data:`KINDS` has."""
    weights = np.zeros(len(model.expression_names))
    for name, (low, high) in KINDS[kind].items():
        weight = rng.uniform((low + high) / 2, high)
        for full in (name, f"{name}Left", f"{name}Right"):
            if full in model.expression_names:
                weights[model.expression_names.index(full)] = weight
    return np.clip(weights, *model.expression_range.T)


def _brows_moved(model: FaceModel, albedo: NDArray, up: float) -> NDArray[np.uint8]:
    """``albedo`` (T, T, 3) sRGB with its brows ``up`` mm higher."""
    size = len(albedo)
    log = np.log(np.maximum(srgb.decode(albedo / 255), 1e-3)).astype(np.float32)
    grown = cv2.dilate(model.uv_mask("brows").astype(np.float32), np.ones((9, 9)))
    soft = cv2.GaussianBlur(grown, (0, 0), 2.0)[..., None]
    known = (1 - grown)[..., None] * model.uv_mask("skin")[..., None]
    total = np.maximum(cv2.GaussianBlur(known, (0, 0), size / 40), 1e-3)[..., None]
    plain = cv2.GaussianBlur(log * known, (0, 0), size / 40) / total
    hair = np.minimum(log - plain, 0) * soft
    per_texel = _mm_per_texel(model)
    shift = np.array([[1, 0, 0], [0, 1, -up / per_texel]], np.float32)
    moved = cv2.warpAffine(hair, shift, (size, size))
    return srgb.encode_bytes(np.exp(log + soft * (plain - log) + moved))


def _mm_per_texel(model: FaceModel) -> float:
    """Height of a texel at the brows."""
    at = model.landmarks68[[19, 37]]
    first = np.zeros(len(model.mean), np.int64)
    first[model.polygons.ravel()[::-1]] = model.uv_polygons.ravel()[::-1]
    texels = np.abs(np.diff(model.uv[first[at], 1]))[0] * len(model.albedo_mean)
    return float(np.linalg.norm(np.diff(model.mean[at], axis=0)) / texels)


def _lines(model: FaceModel) -> dict[str, list[NDArray]]:
    """Polylines (N, 3) mm on the mean head."""
    marks = model.mean[model.landmarks68]
    smile = []
    for wing, corner, out in ((31, 48, -1.0), (35, 54, 1.0)):
        smile.append(
            np.stack(
                [
                    marks[wing] + (out * 5, 4, -6),
                    marks[wing] + (out * 13, -9, -8),
                    marks[corner] + (out * 8, 8, -6),
                    marks[corner] + (out * 10, -6, -8),
                ]
            )  # fmt: skip
        )
    between = [marks[k] + (0, -3, 0) for k in (21, 22)]
    frown = [np.stack([point + (0, -6, 1), point + (0, 10, 1)]) for point in between]
    brows = [(marks[k] + (0, up, -1)) for up in (14, 22, 30) for k in (18, 20, 23, 25)]
    across = [np.stack(brows[k : k + 4]) for k in (0, 4, 8)]
    return {"nasolabial": smile, "glabella": frown, "forehead": across}


def line_distance(model: FaceModel, kind: str) -> NDArray[np.float64]:
    """(T, T) mm from the folds ``kind`` of :data:`FOLDS`, mean head; infinite off its skin."""
    points = texel_field(model, model.mean)
    best = np.full(points.shape[:2], np.inf)
    for line in _lines(model)[kind]:
        for start, end in zip(line[:-1], line[1:], strict=True):
            way = end - start
            along = np.clip((points - start) @ way / (way @ way), 0, 1)
            away = points - start - along[..., None] * way
            best = np.minimum(best, np.linalg.norm(away, axis=-1))
    return np.where(model.uv_mask("skin") > 0.5, best, np.inf)


def texel_field(model: FaceModel, values: NDArray) -> NDArray[np.float32]:
    """(T, T, ...) of per-vertex ``values`` (V, ...); 0 where no triangle is."""
    size = len(model.albedo_mean)
    atlas = rasterize_uv(model.uv, model.uv_faces, size, 1)
    face, weights = atlas.face_id[atlas.mask], atlas.barycentric[atlas.mask]
    out = np.zeros((size, size, *values.shape[1:]), np.float32)
    corners = values[model.faces[face]]
    out[atlas.mask] = np.einsum("nc,nc...->n...", weights, corners)
    return out


def _folds(model: FaceModel, expression: NDArray) -> NDArray[np.float32]:
    """(T, T) mm of depth under ``expression`` (E,)."""
    depth = np.zeros(model.albedo_mean.shape[:2])
    for kind, shapes in FOLDS.items():
        found = [
            weight
            for name, weight in zip(model.expression_names, expression, strict=True)
            if name.startswith(shapes)
        ]
        strength = RESTING + (FOLD_MM - RESTING) * min(1.0, max(found, default=0.0))
        if kind != "nasolabial":
            strength *= 0.7
        # The lines run a few millimetres under the skin of the mean head.
        away = np.maximum(line_distance(model, kind) - 2.0, 0)
        depth = np.maximum(depth, strength * np.exp(-0.5 * (away / FOLD_WIDTH) ** 2))
    lids = cv2.dilate(model.uv_mask("lips").astype(np.float32), np.ones((5, 5)))
    return (depth * (1 - lids)).astype(np.float32)


def _upper_edges(model: FaceModel) -> NDArray[np.int32]:
    """(2, N) vertices of the upper lids' edges, from the inner corner outwards."""
    if model.lid_rings is None:
        return np.zeros((0, 0), np.int32)
    return model.lid_rings[:, EDGE, : model.lid_rings.shape[2] // 2]
