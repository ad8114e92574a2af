"""The original's light: ambient, directional and specular, then a gain and an offset."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Double = NDArray[np.float64]


def phong(albedo: Double, normals: Double, illumination: Double, colour: Double) -> Double:
    """(V, 3) colours in 0..255 of ``albedo`` (V, 3), 0..255.

    ``normals`` (V, 3) are unit vectors of the *unposed* mesh, so that the light turns with the
    head.  ``illumination`` (10,) and ``colour`` (7,) as in :class:`~.stats.Coefficients`.

    L = ambient t + directional (n.l) t + specular (n.h)^e, with l = (cos theta sin phi, sin theta,
    cos theta cos phi) and h = normalise(l + (0, 0, 1)); colour = gain contrast L + offset.  As in
    the original neither n.l nor n.h is kept from being negative.
    """
    ambient, directional = illumination[0:3], illumination[3:6]
    theta, phi, specular, exponent = illumination[6:10]
    light = np.array(
        [np.cos(theta) * np.sin(phi), np.sin(theta), np.cos(theta) * np.cos(phi)], np.float64
    )
    half = light + (0.0, 0.0, 1.0)
    length = np.linalg.norm(half)
    half = half / length if length > 0 else half
    diffuse = (normals @ light)[:, None]
    shine = ((normals @ half) ** exponent)[:, None]
    lit = ambient * albedo + directional * diffuse * albedo + specular * shine
    gain, offset, contrast = colour[0:3], colour[3:6], colour[6]
    return np.clip(gain * contrast * lit + offset, 0.0, 255.0)
