"""Points of a face without its pose: what is left when a rigid head is laid over them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Double = NDArray[np.float64]


def without_pose(pixels: NDArray, template: NDArray, weights: NDArray) -> tuple[Double, Double]:
    """By how many mm ``pixels`` (N, P, 2) miss ``template`` (P, 3), and how it is turned.

    The template's scaled orthographic view that fits best, points counting by ``weights`` (P,)
    (the first step of POSIT: DeMenthon and Davis 1995), is taken away: (N, P, 2) mm at the
    template's scale, x right and y down in a picture in which the head stands upright, and
    (N, 2, 3), the first two rows of its rotation there.
    """
    pixels, template = np.asarray(pixels, np.float64), np.asarray(template, np.float64)
    share = np.asarray(weights, np.float64) / np.sum(weights)
    shape = template - share @ template
    seen = pixels - np.einsum("p,npx->nx", share, pixels)[:, None]
    root = np.sqrt(share)
    inverse = np.linalg.pinv(shape * root[:, None]) * root  # (3, P)
    left, scales, right = np.linalg.svd(
        np.einsum("kp,npx->nxk", inverse, seen), full_matrices=False
    )
    scale = scales.mean(axis=1)
    turn = left @ right
    missed = seen / scale[:, None, None] - np.einsum("pk,nxk->npx", shape, turn)
    # The head's y axis straight up in the picture.
    up = turn[:, :, 1]
    length = np.maximum(np.linalg.norm(up, axis=1), 1e-9)
    sine, cosine = up[:, 0] / length, -up[:, 1] / length
    level = np.stack([np.stack([cosine, sine], -1), np.stack([-sine, cosine], -1)], -2)
    return np.einsum("nxy,npy->npx", level, missed), level @ turn
