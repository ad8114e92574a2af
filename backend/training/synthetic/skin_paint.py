"""Painting on a skin texture: pigment, hair, make-up, eyes and teeth.

Pigment is added in -log RGB along melanin and haemoglobin (Jimenez et al. 2010, "A practical
appearance model for dynamic facial color").
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ...geometry.srgb import SRGB_TO_LINEAR
from .skin_map import SIZE, SkinMap, Window

Float = NDArray[np.float32]

MELANIN = np.array([0.30, 0.47, 0.83], np.float32)
HAEMOGLOBIN = np.array([0.21, 0.75, 0.63], np.float32)
LIPSTICK = np.array([(176, 24, 38), (128, 14, 34), (196, 52, 74), (214, 108, 116), (168, 92, 80),
                     (120, 40, 70), (206, 70, 48), (70, 24, 30)])  # fmt: skip
EYE_SHADOW = np.array([(92, 60, 46), (60, 46, 42), (120, 84, 96), (70, 90, 140), (40, 80, 150),
                       (70, 110, 84), (150, 110, 70), (36, 32, 36)])  # fmt: skip
IRIS = np.array([(46, 28, 18), (70, 44, 26), (100, 70, 38), (110, 104, 70), (92, 112, 92),
                 (88, 116, 142), (124, 138, 148)])  # fmt: skip
IRIS_SHARES = np.array([0.27, 0.25, 0.14, 0.08, 0.08, 0.11, 0.07])


@dataclass(frozen=True, eq=False)
class Canvas:
    """A texture being painted, and whose it is."""

    planes: Float  #: (3, 256, 256) linear, changed in place; planar because numpy is faster so
    where: SkinMap
    noise: Float  #: (5, 256, 256) of skin_map.fields
    tone: Float  #: (3,) bare skin
    hair: Float  #: (3,)
    rng: np.random.Generator

    def lay(self, colour: NDArray, opacity: Float, window: Window, shade: Float | None = None):
        """Lays ``colour`` (3,), times ``shade`` (h, w), over a window with ``opacity`` (h, w)."""
        for plane, value in zip(self.planes, colour, strict=True):
            part = plane[window]
            above = np.float32(value) if shade is None else np.float32(value) * shade
            part += opacity * (above - part)

    def darken(self, depth: NDArray, amount: Float, window: Window) -> None:
        """Multiplies a window by exp(-depth (3,) * amount (h, w))."""
        for plane, value in zip(self.planes, depth, strict=True):
            plane[window] *= np.exp(np.float32(-value) * amount)


def paint(canvas: Canvas) -> Float:
    """Paints everything; returns the beard's opacity (256, 256)."""
    _pigment(canvas)
    _scalp(canvas)
    _freckles(canvas)
    _lips(canvas)
    _eyes(canvas)
    beard = _beard(canvas)
    _brows(canvas)
    _make_up(canvas)
    _teeth(canvas)
    return beard


def _pigment(canvas: Canvas) -> None:
    """Everything smooth that darkens, reddens or mottles the skin."""
    where, rng = canvas.where, canvas.rng
    blotch, fine, pores, patches = canvas.noise[:4]
    blood = _times(rng.gamma(1.2, 0.1), where.flush) + _times(rng.gamma(1.5, 0.025), blotch)
    blood += _times(rng.normal(0, 0.05), where.nose_end) + _times(rng.uniform(0, 0.04), fine)
    brown = _times(rng.gamma(1.5, 0.06), where.under_eye) + _times(rng.gamma(1.2, 0.03), patches)
    brown += _times(rng.normal(0, 0.07), where.forehead) + _times(rng.normal(0, 0.08), where.neck)
    grey = _times(rng.uniform(0.01, 0.04), pores) + _times(rng.uniform(0, 0.025), fine)
    age = rng.normal(0.1, 0.35)
    if age > 0:
        crease = _times(age * rng.uniform(0.2, 0.5), where.creases(rng))
        grey += crease
        brown += 0.5 * crease
        blood += 0.5 * crease
    for plane, melanin, haemoglobin in zip(canvas.planes, MELANIN, HAEMOGLOBIN, strict=True):
        plane *= np.exp(-where.skin * (melanin * brown + haemoglobin * blood + grey))


def _freckles(canvas: Canvas) -> None:
    """Freckles on nose and cheeks, moles anywhere."""
    where, rng = canvas.where, canvas.rng
    freckles = int(rng.integers(30, 160)) if rng.random() < 0.14 else 0
    spots = np.zeros((SIZE, SIZE), np.float32)
    for index in range(freckles + rng.poisson(1.4)):
        mole = index >= freckles
        row, column = where.random_texel("face" if mole else "freckles", rng)
        radius = rng.uniform(0.5, 1.4) if mole else rng.uniform(0.35, 0.8)
        dark = rng.uniform(0.3, 1.3) if mole else rng.uniform(0.1, 0.5)
        centre = (int(column * 16), int(row * 16))
        cv2.circle(spots, centre, int(radius * 16), dark, -1, cv2.LINE_AA, 4)
    window = where.windows["face"]
    canvas.darken(0.4 + MELANIN, cv2.GaussianBlur(spots[window], (3, 3), 0), window)


def _lips(canvas: Canvas) -> None:
    """Natural lips, or lipstick from a breath to opaque."""
    rng, window = canvas.rng, canvas.where.windows["lips"]
    mask, fine = canvas.where.masks["lips"][window], canvas.noise[1][window]
    kind = rng.random()
    if kind < 0.72:
        depth = rng.normal(0, 0.12) * HAEMOGLOBIN + rng.normal(0, 0.08) * MELANIN
        canvas.darken(depth, mask * (1 + 0.3 * fine), window)
        return
    colour = SRGB_TO_LINEAR[LIPSTICK[rng.integers(len(LIPSTICK))]] * rng.uniform(0.8, 1.2)
    cover = rng.uniform(0.25, 0.6) if kind < 0.85 else rng.uniform(0.6, 0.92)
    canvas.lay(colour, _times(cover, mask), window, 1 + 0.1 * fine)


def _eyes(canvas: Canvas) -> None:
    """The iris, independent of the label in half of the pictures; the eye's white."""
    rng, window = canvas.rng, canvas.where.windows["iris"]
    iris, sclera = (canvas.where.masks[name][window] for name in ("iris", "sclera"))
    if rng.random() < 0.5:
        colour = SRGB_TO_LINEAR[IRIS[rng.choice(len(IRIS), p=IRIS_SHARES)]]
        colour = colour * np.exp(rng.normal(0, 0.15))
        # Keep the ring and the pupil that the texture has, relative to its own mean.
        level = canvas.planes[(slice(None), *window)].mean(axis=0)
        level /= max(float((level * iris).sum() / iris.sum()), 1e-3)
        streaks = np.clip(level * (1 + 0.25 * canvas.noise[2][window]), 0.05, 1.8)
        canvas.lay(colour, iris, window, streaks)
    red = rng.gamma(1.2, 0.08) * HAEMOGLOBIN + rng.gamma(1.2, 0.03) * MELANIN
    # Lids shade the eyeball: never paper white in a photograph.
    canvas.darken(red + rng.uniform(0.3, 0.95), sclera, window)


def _beard(canvas: Canvas) -> Float:
    """Beard shadow, stubble, moustache or full beard; returns its opacity (256, 256)."""
    where, rng, hair, tone = canvas.where, canvas.rng, canvas.hair, canvas.tone
    opacity = np.zeros((SIZE, SIZE), np.float32)
    kind = rng.random()
    if kind < 0.52:
        return opacity
    window = where.windows["beard"]
    _, _, pores, patches, strands = (field[window] for field in canvas.noise)
    shape = str(rng.choice(["full", "goatee", "moustache"], p=[0.55, 0.2, 0.25]))
    area = where.beard_area(shape, rng)[window]
    ragged = np.clip(area * (1.1 + 0.3 * patches) + area * (1 - area) * strands, 0, 1)
    if kind < 0.68:  # shaved: the roots show blue-grey through the skin
        cover, colour = (0.05 + 0.22 * rng.random()) * area, 0.5 * hair + tone * [0.30, 0.36, 0.42]
    elif kind < 0.85:  # stubble
        cover, colour = ragged * rng.uniform(0.2, 0.6), 0.75 * hair + 0.18 * tone
        cover *= np.clip(0.75 + 0.6 * pores, 0, 1.3)
    else:
        cover, colour = ragged * rng.uniform(0.65, 0.97), hair
        cover *= np.clip(0.95 + 0.25 * strands, 0, 1)
    opacity[window] = np.clip(cover, 0, 1)
    canvas.lay(colour, opacity[window], window, np.clip(1 + 0.4 * strands, 0.3, 2))
    return opacity


def _scalp(canvas: Canvas) -> None:
    """Cropped hair on some heads."""
    rng, window = canvas.rng, canvas.where.windows["scalp"]
    if rng.random() < 0.75:
        return
    area, strands = canvas.where.masks["scalp"][window], canvas.noise[4][window]
    ragged = np.clip(area * (1.1 + 0.3 * strands) + 2 * area * (1 - area) * strands, 0, 1)
    colour = 0.85 * canvas.hair + 0.1 * canvas.tone
    canvas.lay(colour, _times(rng.uniform(0.3, 0.97), ragged), window, 1 + 0.15 * strands)


def _brows(canvas: Canvas) -> None:
    """Repaints the brows: thin to bushy, fair to black; a few are missing."""
    rng, window = canvas.rng, canvas.where.windows["brows"]
    inside, strands = canvas.where.brow_depth[window], canvas.noise[4][window]
    erase = np.clip(inside + 1.5, 0, 1) * np.float32(rng.choice([0.0, 0.6, 1], p=[0.35, 0.25, 0.4]))
    canvas.lay(canvas.tone * np.exp(rng.normal(0, 0.03)), erase, window)
    if rng.random() < 0.04:
        return
    edge = inside + np.float32(rng.uniform(-1.6, 1.6)) + 0.5 * strands
    cover = np.clip(edge / np.float32(rng.uniform(1.2, 3)) + 0.2, 0, 1)
    cover *= np.clip(0.85 + 0.35 * strands, 0, 1) * np.float32(rng.uniform(0.25, 0.97))
    canvas.lay(canvas.hair * rng.uniform(0.6, 1.2) + 0.02 * canvas.tone, cover, window)


def _make_up(canvas: Canvas) -> None:
    """Lashes or liner along the lid's edge always, eye shadow on some."""
    where, rng, window = canvas.where, canvas.rng, canvas.where.windows["lids"]
    made_up = rng.random() < 0.3
    if made_up:
        colour = SRGB_TO_LINEAR[EYE_SHADOW[rng.integers(len(EYE_SHADOW))]] * rng.uniform(0.7, 1.3)
        cover = where.upper_lid(rng.uniform(4, 14), window)
        canvas.lay(colour, _times(rng.uniform(0.15, 0.75), cover), window)
    width = rng.uniform(1.2, 2.6) if made_up else rng.uniform(0.6, 1.4)
    dark = rng.uniform(0.6, 0.97) if made_up else rng.uniform(0.15, 0.75)
    lash = _times(dark, where.lash_line(width, window))
    canvas.lay(0.4 * canvas.hair + 0.004, lash, window)


def _teeth(canvas: Canvas) -> None:
    """From bleached to tea, and the mouth's darkness around them."""
    where, rng = canvas.where, canvas.rng
    depths = {
        "teeth": rng.gamma(1.3, 0.15) * MELANIN + rng.uniform(0, 0.8),
        "mouth": np.full(3, rng.uniform(0, 1.2)),
        "tongue": np.full(3, rng.uniform(-0.1, 0.5)),
    }
    for name, depth in depths.items():
        window = where.windows[name]
        canvas.darken(depth, where.masks[name][window], window)


def _times(factor: float, field: Float) -> Float:
    """In float32, whatever the factor is."""
    return np.float32(factor) * field
