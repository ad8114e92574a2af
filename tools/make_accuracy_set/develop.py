"""From linear light to a picture as a camera gives it: exposure, tint, curve, blur, noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from reconstruct_face.backend.geometry import srgb
from reconstruct_face.backend.geometry.srgb import luminance


def develop(
    linear: NDArray,
    face: NDArray,
    tone: float,
    rng: np.random.Generator,
    noise_rng: np.random.Generator | None = None,
) -> NDArray:
    """(H, W, 3) sRGB 0..1 of scene-linear ``linear`` (H, W, 3).

    ``face`` (H, W) bool says where to expose for; dark ``tone`` (Monk 0..9) is kept dark.
    ``noise_rng`` draws the pixels' noise, ``rng`` all else (and that too unless given).
    """
    bright = luminance(linear)
    grey = np.median(bright[face]) if face.any() else np.median(bright)
    target = np.interp(tone, (0, 5, 9), (0.42, 0.22, 0.075)) * np.exp(rng.normal() * 0.2)
    cast = np.exp(rng.normal(size=3) * (0.06, 0.02, 0.08))
    exposed = linear * cast * target / max(grey, 1e-6)
    # A shoulder above 0.7 keeps highlights from being cut off at once (Reinhard et al. 2002).
    over = np.maximum(exposed - 0.7, 0.0)
    curved = np.minimum(exposed, 0.7) + 0.3 * over / (0.3 + over)
    curved = _blur(curved, rng.uniform(0.3, 0.9))
    noise = (noise_rng or rng).normal(size=curved.shape)
    noise *= 0.002 + rng.uniform(0, 0.02) * np.sqrt(curved)
    return srgb.encode(curved + noise * 0.5)


def _blur(picture: NDArray, sigma: float) -> NDArray:
    """A small Gaussian, edges repeated."""
    offsets = np.arange(-3, 4)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        wide = np.pad(picture, [(3, 3) if k == axis else (0, 0) for k in range(3)], mode="edge")
        parts = [np.take(wide, range(3 + o, 3 + o + picture.shape[axis]), axis) for o in offsets]
        picture = np.sum([w * part for w, part in zip(weights, parts, strict=True)], axis=0)
    return picture
