"""Points of a face without its pose: what is left when a rigid head is laid over them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Double = NDArray[np.float64]


def rigid_view(pixels: NDArray, template: NDArray, weights: NDArray) -> tuple[Double, Double]:
    """Scale (N,) and rotation's first two rows (N, 2, 3) with which ``template`` is seen.

    The scaled orthographic view of ``template`` (P, 3) that fits ``pixels`` (N, P, 2) best, points
    counting by ``weights`` (P,): the first step of POSIT (DeMenthon and Davis 1995).  Pixels' y is
    down, so the second row is that of a head whose y points down.
    """
    pixels, shape, share = _centred(pixels, template, weights)
    root = np.sqrt(share)
    inverse = np.linalg.pinv(shape * root[:, None]) * root  # (3, P)
    left, scales, right = np.linalg.svd(
        np.einsum("kp,npx->nxk", inverse, pixels), full_matrices=False
    )
    return scales.mean(axis=1), left @ right


def levelling(turns: NDArray) -> Double:
    """(N, 2, 2) turns of the picture after which heads seen with ``turns`` (N, 2, 3) are upright.

    Then the head's y axis goes straight up in the picture.
    """
    up = turns[:, :, 1]
    length = np.maximum(np.linalg.norm(up, axis=1), 1e-9)
    sine, cosine = up[:, 0] / length, -up[:, 1] / length
    return np.stack([np.stack([cosine, sine], -1), np.stack([-sine, cosine], -1)], -2)


def without_pose(pixels: NDArray, template: NDArray, weights: NDArray) -> tuple[Double, Double]:
    """By how many mm ``pixels`` (N, P, 2) miss ``template`` (P, 3), and how it is turned.

    The view of :func:`rigid_view` is taken away: (N, P, 2) mm at the template's scale, x right and
    y down in a picture in which the head stands upright, and (N, 2, 3), the first two rows of its
    rotation there.
    """
    scale, turn = rigid_view(pixels, template, weights)
    seen, shape, _ = _centred(pixels, template, weights)
    missed = seen / scale[:, None, None] - np.einsum("pk,nxk->npx", shape, turn)
    level = levelling(turn)
    return np.einsum("nxy,npy->npx", level, missed), level @ turn


def _centred(pixels: NDArray, template: NDArray, weights: NDArray) -> tuple[Double, Double, Double]:
    """Both about their weighted means, and the weights with sum 1."""
    pixels, template = np.asarray(pixels, np.float64), np.asarray(template, np.float64)
    share = np.asarray(weights, np.float64) / np.sum(weights)
    centre = np.einsum("p,npx->nx", share, pixels)
    return pixels - centre[:, None], template - share @ template, share
