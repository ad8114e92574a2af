"""dlib's face descriptor (King 2017, a ResNet trained by metric learning): who somebody is."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import dlib as _dlib  # has no type information
import numpy as np
from numpy.typing import NDArray

from .weights import RECOGNITION, load_weights

dlib: Any = _dlib

Double = NDArray[np.float64]


def descriptor(picture: NDArray[np.uint8], landmarks: NDArray) -> Double:
    """(128,) of the face with 68 ``landmarks`` (68, 2) in ``picture`` (H, W, 3) uint8 sRGB.

    Raises :class:`ModelError` where dlib's weights are missing or damaged.
    """
    points = [dlib.point(*(round(float(value)) for value in point)) for point in landmarks]
    low, high = (np.rint(end).astype(int).tolist() for end in (landmarks.min(0), landmarks.max(0)))
    shape = dlib.full_object_detection(dlib.rectangle(*low, *high), points)
    return np.array(_recogniser().compute_face_descriptor(picture, shape))


def cosine_distances(a: NDArray, b: NDArray) -> Double:
    """(N, M) 1 - cosine between the rows of (N, D) and (M, D)."""
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    return np.asarray(1 - a @ b.T, np.float64)


@lru_cache(maxsize=1)
def _recogniser() -> Any:
    return load_weights(RECOGNITION, dlib.face_recognition_model_v1)
