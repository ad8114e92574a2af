"""A ``Reconstruction`` of the default face model without a photo, for tests of what hangs on it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from reconstruct_face.backend.bench.models import random_head
from reconstruct_face.backend.exchange import Reconstruction
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.photo.encode import encode_png


def head_of(seed: int, texture: np.ndarray | None = None, mode: str = "albedo") -> Reconstruction:
    """A random person with a random expression; ``texture`` (S, S, 3) uint8, plain skin if None."""
    light = np.zeros((9, 3), np.float32)
    light[:4] = np.array([2.4, 0.4, 1.0, 0.3])[:, None]
    if texture is None:
        texture = np.full((128, 128, 3), (205, 160, 140), np.uint8)
    return replace(
        random_head("default", seed=seed),
        albedo=np.zeros(len(load_model().albedo_basis), np.float32),
        sh_light=light,
        texture_mode=mode,
        texture=encode_png(texture) if mode != "none" else np.empty(0, np.uint8),
    ).validate()


def smooth_noise(size: int, seed: int) -> np.ndarray:
    """(size, size, 3) uint8 colours that differ from place to place, a tenth of the side wide."""
    noise = np.random.default_rng(seed).uniform(60, 220, (12, 12, 3)).astype(np.float32)
    return (
        cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC).clip(1, 254).astype(np.uint8)
    )
