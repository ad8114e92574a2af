"""The pictures of a bust: its colour runs on from the neck's and becomes that of plain skin.

No photo is looked at: what it shows below the neck is clothes.  The texture of a bust is made of
circles about its middle (:class:`~..model.bust.Bust`), so what the head's texture has along the
neck's lower rim is carried outwards from the inner circle, weaker and smoother with the distance.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.fading import faded
from ..kept import kept
from ..model import FaceModel
from ..model.bust import Bust
from ..raster.atlas import texel_coordinates
from .build import log_albedo_of, log_shading_of
from .compose import encode
from .layout import Float, Layout, layout_of, sample
from .skin import LARGEST, plain_normals
from .trust import log_linear

Bytes = NDArray[np.uint8]

#: mm below the neck at which 1 / e of the rim's own colour is left.
FADE_MM = 60.0
#: Places along each edge of the rim where its colour is taken, and circles that the colour is
#: worked out on: closer than texels at the neck, and than anything changes.
_PER_EDGE, _CIRCLES = 16, 96
#: Log contrast of the skin's unevenness, by its width in mm; by eye, as the neck's.
_MOTTLED = ((1.2, 0.007), (7.0, 0.008))
#: What of it each channel has: blood shows in green and blue.
_MOTTLED_RGB = np.array([0.6, 1.1, 1.2], np.float32)


def bust_texture(
    model: FaceModel,
    bust: Bust,
    image: Bytes,
    albedo: NDArray,
    normals: NDArray,
    sh_light: NDArray | None,
) -> Bytes:
    """(S / 2, S / 2, 3) sRGB for a head of ``model`` with the texture ``image`` (S, S, 3) sRGB.

    ``albedo`` (A,) are the head's coefficients, ``normals`` (V + B, 3) those of head and bust.
    ``sh_light`` (9, 3) is the light in ``image``; None where it was divided out.
    """
    layout = layout_of(model, len(image))
    count, columns = len(model.mean), len(bust.ring)
    light = np.zeros((len(normals), 3), np.float32)
    if sh_light is not None:
        front = np.r_[layout.regions.core > 0.5, np.zeros(len(normals) - count, bool)]
        light = log_shading_of(normals, sh_light, front)
    on_grid = np.r_[light[bust.ring], light[count:]].reshape(-1, columns, 3)
    places = _rim(model, bust)
    rim = log_linear(sample(image, texel_coordinates(places, len(image)).astype(np.float32)))
    rim = rim - _along_ring(on_grid[0])
    tone = _tone(model, layout, image, albedo, light[:count])
    depth = np.interp(
        np.linspace(bust.radii[0], bust.radii[-1], _CIRCLES), bust.radii, _depths(bust)
    )
    spacing = _circumference(bust) / len(rim)
    circles = tone + faded(rim - tone, depth, spacing, FADE_MM)
    side = max(len(image) // 2, 1)
    radius, turn = _polar(side)
    whole = np.interp(radius, bust.radii, np.arange(len(bust.radii)))
    fine = (radius - bust.radii[0]) / (bust.radii[-1] - bust.radii[0]) * (_CIRCLES - 1)
    colour = _drawn(circles, fine, turn) + _drawn(on_grid, whole, turn)
    colour += _mottled(side, texel_mm(bust, side))[..., None] * _MOTTLED_RGB
    return encode(colour.astype(np.float32))


def bust_normals(bust: Bust, size: int) -> Bytes:
    """(S, S, 3) tangent-space normals of the bust's skin beside a head's texture of ``size``."""
    side = min(size, LARGEST)
    return plain_normals(side, texel_mm(bust, side))


def texel_mm(bust: Bust, size: int) -> float:
    """Side of a texel in mm half-way down the bust; its area's root, as rows and columns differ."""
    rows = bust.mean.reshape(-1, len(bust.ring), 3)
    half = len(rows) // 2
    around = np.linalg.norm(rows[half] - np.roll(rows[half], 1, axis=0), axis=1).sum()
    texels = 2 * np.pi * bust.radii[half + 1] * size
    down = np.diff(_depths(bust)).sum() / ((bust.radii[-1] - bust.radii[0]) * size)
    return float(np.sqrt(around / texels * down))


def _depths(bust: Bust) -> Float:
    """(R + 1,) mm from the neck loop down to each row of the mean bust, 0 first."""
    rows = np.r_[bust.ring_mean, bust.mean].reshape(-1, len(bust.ring), 3)
    steps = np.linalg.norm(np.diff(rows, axis=0), axis=2).mean(axis=1)
    return np.append(0, np.cumsum(steps)).astype(np.float32)


def _circumference(bust: Bust) -> float:
    ring = bust.ring_mean
    return float(np.linalg.norm(ring - np.roll(ring, 1, axis=0), axis=1).sum())


@kept(maxsize=1)
def _rim(model: FaceModel, bust: Bust) -> Float:
    """(L * _PER_EDGE, 2) places of the neck's rim in the head's texture, in the ring's order."""
    of_corner = {
        (a, b): (u, v)
        for corners, places in (
            (model.polygons[rows], model.uv_polygons[rows])
            for rows in [np.isin(model.polygons, bust.ring).sum(axis=1) >= 2]
        )
        for vertices, uvs in zip(corners.tolist(), places.tolist(), strict=True)
        for a, b, u, v in zip(
            vertices, vertices[1:] + vertices[:1], uvs, uvs[1:] + uvs[:1], strict=True
        )
    }
    ring = bust.ring.tolist()
    part = (np.arange(_PER_EDGE) / _PER_EDGE)[:, None]
    edges = []
    for a, b in zip(ring, ring[1:] + ring[:1], strict=True):
        start, end = of_corner[a, b] if (a, b) in of_corner else of_corner[b, a][::-1]
        edges.append(model.uv[start] * (1 - part) + model.uv[end] * part)
    return np.concatenate(edges).astype(np.float32)


def _along_ring(values: Float) -> Float:
    """(L * _PER_EDGE, C) of ``values`` (L, C) at the ring's vertices."""
    part = (np.arange(_PER_EDGE) / _PER_EDGE)[None, :, None]
    after = np.roll(values, -1, axis=0)
    return (values[:, None] * (1 - part) + after[:, None] * part).reshape(-1, values.shape[1])


def _tone(
    model: FaceModel, layout: Layout, image: Bytes, albedo: NDArray, light: Float
) -> NDArray[np.float64]:
    """(3,) log linear colour of plain skin below the neck: the face's, and as much darker or
    lighter as the model's neck is than its face."""
    first = np.zeros(len(model.mean), np.int32)
    first[model.polygons.ravel()[::-1]] = model.uv_polygons.ravel()[::-1]
    sure = layout.regions.sure > 0.5
    places = texel_coordinates(model.uv[first[sure]], len(image)).astype(np.float32)
    face = np.median(log_linear(sample(image, places)) - light[sure], axis=0)
    fitted = log_albedo_of(layout, albedo)
    neck = (model.mask("neck") > 0.5) & layout.skin_vertex
    return face + np.median(fitted[neck], axis=0) - np.median(fitted[sure], axis=0)


@kept(maxsize=1)
def _polar(side: int) -> tuple[Float, Float]:
    """(S, S) distance from the middle in parts of the side, and turns from the top to the right."""
    across = (np.arange(side, dtype=np.float32) + 0.5) / side - 0.5
    x, y = np.meshgrid(across, -across)
    return np.hypot(x, y), (np.arctan2(x, y) / (2 * np.pi) % 1).astype(np.float32)


def _drawn(circles: NDArray, row: NDArray, turn: Float) -> Float:
    """(S, S, C) of ``circles`` (R, L, C) at rows ``row`` (S, S) and turns ``turn`` (S, S)."""
    table = np.concatenate([circles, circles[:, :1]], axis=1).astype(np.float32)
    column = turn * np.float32(circles.shape[1])
    return cv2.remap(
        table, column, row.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


@kept(maxsize=1)
def _mottled(side: int, texel_mm: float) -> Float:
    """(S, S) log brightness of unevenness, the same on every bust."""
    out = np.zeros((side, side), np.float32)
    for seed, (width, contrast) in enumerate(_MOTTLED, 8):
        sigma = width / 2 / texel_mm
        if sigma < 0.5:  # finer than texels
            continue
        # Coarse noise is blurred small: it takes a tenth of the time.
        small = max(round(side / max(sigma / 2, 1)), 8)
        noise = np.random.default_rng(seed).standard_normal((small, small), np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), sigma * small / side)
        noise = cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)
        out += noise * (contrast / float(noise.std()))
    return out
