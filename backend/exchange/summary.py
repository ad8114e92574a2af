"""A ``Reconstruction`` in words and numbers, for ``NAME.json``."""

from __future__ import annotations

from typing import Any

import numpy as np

from .reconstruction import Reconstruction

SUMMARY_FORMAT = "reconstruct_face.summary"
SUMMARY_VERSION = 1


def summarise(reconstruction: Reconstruction) -> dict[str, Any]:
    """What a script wants to read without numpy: JSON types only, conventions as in the ``.npz``.

    Pixels are those of the upright photo, lengths are mm, identity and albedo are in standard
    deviations, expressions by name; those at zero are left out.
    """
    r = reconstruction
    expression = {
        name: round(float(value), 5)
        for name, value in zip(r.expression_names, r.expression, strict=True)
        if abs(value) > 1e-5
    }
    return {
        "format": SUMMARY_FORMAT,
        "version": SUMMARY_VERSION,
        "photo": r.photo_name,
        "face": r.face_index,
        "image_size": list(r.image_size),
        "face_box": _numbers(r.face_box, 2),
        "landmarks": {
            "detected": _numbers(r.landmarks2d_detected, 2),
            "fitted": _numbers(r.landmarks2d, 2),
            "points": _numbers(r.landmarks3d, 3),
            "vertices": r.landmarks68.tolist(),
            "mean_error_px": round(r.landmark_error, 3),
        },
        "coefficients": {
            "identity": _numbers(r.identity, 5),
            "expression": expression,
            "albedo": _numbers(r.albedo, 5),
        },
        "camera": {
            "camera_matrix": r.camera_matrix.tolist(),
            "rotation": r.rotation.tolist(),
            "translation": r.translation.tolist(),
        },
        "sh_light": _numbers(r.sh_light, 5),
        "texture": r.texture_mode,
        "warnings": list(r.warnings),
        "timings": {step: round(seconds, 4) for step, seconds in r.timings.items()},
        "model": r.model,
        "versions": r.versions,
        "provenance": r.provenance,
    }


def _numbers(array: np.ndarray, digits: int) -> list[Any]:
    return np.round(np.asarray(array, dtype=np.float64), digits).tolist()
