"""Random skin of a training picture: the model's albedo (the label) and what it cannot hold.

Over the label's texture come make-up, hair of brows and beard, freckles, moles, wrinkles and noise.
Pigment is added in -log RGB along melanin and haemoglobin (Jimenez et al. 2010, "A practical
appearance model for dynamic facial color").
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..model import FaceModel
from .skin_map import SIZE, SkinMap, fields, skin_map

Float = NDArray[np.float32]

#: The Monk scale's ten lightnesses with the chroma of photographed skin, 8-bit sRGB: those that
#: tools/build_face_model/albedo.py painted the model's albedo from.
MONK_TONES = np.array(
    [(240, 207, 190), (233, 193, 172), (223, 177, 152), (207, 157, 129), (187, 136, 106),
     (162, 112, 84), (133, 89, 65), (103, 68, 51), (78, 53, 42), (58, 41, 35)]
)  # fmt: skip
MELANIN = np.array([0.30, 0.47, 0.83], np.float32)
HAEMOGLOBIN = np.array([0.21, 0.75, 0.63], np.float32)
GREY = np.ones(3, np.float32)
HAIR = np.array([(18, 15, 14), (38, 27, 22), (66, 46, 33), (104, 72, 46), (150, 112, 72),
                 (120, 58, 32), (142, 138, 134)])  # fmt: skip
LIPSTICK = np.array([(176, 24, 38), (128, 14, 34), (196, 52, 74), (214, 108, 116), (168, 92, 80),
                     (120, 40, 70), (206, 70, 48), (70, 24, 30)])  # fmt: skip
EYE_SHADOW = np.array([(92, 60, 46), (60, 46, 42), (120, 84, 96), (70, 90, 140), (40, 80, 150),
                       (70, 110, 84), (150, 110, 70), (36, 32, 36)])  # fmt: skip
IRIS = np.array([(46, 28, 18), (70, 44, 26), (100, 70, 38), (110, 104, 70), (92, 112, 92),
                 (88, 116, 142), (124, 138, 148)])  # fmt: skip
IRIS_SHARES = np.array([0.27, 0.25, 0.14, 0.08, 0.08, 0.11, 0.07])


@dataclass(frozen=True, eq=False)
class Skin:
    """How a head's surface looks."""

    albedo: Float  #: (A,) coefficients of the model's albedo basis, std. deviations: the label
    texture: Float  #: (256, 256, 3) linear albedo of the whole UV layout, row 0 at v = 1
    surface: Float  #: (256, 256, 2) gloss and roughness, as ``light.shade_pixels`` takes them
    tone: Float  #: (3,) linear, mean colour of the bare skin
    gloss: float  #: strength of the skin's reflection, 0..1
    roughness: float  #: of the skin, 0..1
    hair: Float  #: (3,) linear colour of brows and beard


def linear(srgb: NDArray | tuple[float, ...]) -> Float:
    """8-bit sRGB values to linear light 0..1 (IEC 61966-2-1)."""
    value = np.asarray(srgb, np.float32) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def sample_skin(model: FaceModel, rng: np.random.Generator) -> Skin:
    """Skin of a random person; the tone is uniform over the Monk scale."""
    where = skin_map(model)
    step = rng.random()
    tone = _tone(step, rng).astype(np.float32)
    albedo = _coefficients(where, tone, rng).astype(np.float32)
    texture = _label_texture(where, albedo, tone, step)
    hair = _hair(step, rng)
    noise = fields(rng)
    texture *= _pigment(where, noise, rng)
    _scalp(texture, where, noise, tone, hair, rng)
    _freckles(texture, where, rng)
    _lips(texture, where, noise, rng)
    _eyes(texture, where, noise, rng)
    beard = _beard(texture, where, noise, tone, hair, rng)
    _brows(texture, where, noise, tone, hair, rng)
    _make_up(texture, where, hair, rng)
    _teeth(texture, where, rng)
    np.clip(texture, 0.003, 0.95, out=texture)

    gloss, roughness = float(rng.beta(2, 2.2)), float(rng.uniform(0.38, 0.62))
    surface = _surface(where, noise, gloss, roughness, beard, rng)
    return Skin(
        albedo,
        texture,
        surface,
        tone,
        gloss,
        roughness,
        hair.astype(np.float32),
    )


def _tone(step: float, rng: np.random.Generator) -> NDArray:
    """(3,) linear skin colour at ``step`` 0..1 of the Monk scale, with some more or less blood."""
    path = np.log(linear(MONK_TONES))
    at = np.array([np.interp(step * 9, range(10), path[:, c]) for c in range(3)])
    return np.exp(at - rng.normal(0, 0.05) * MELANIN - rng.normal(0, 0.06) * HAEMOGLOBIN)


def _coefficients(where: SkinMap, tone: NDArray, rng: np.random.Generator) -> NDArray:
    """(A,) N(0, 1) given that the mean skin colour is ``tone``, to about 6 %.

    The posterior of a Gaussian (perturb, then correct), with a wide prior for the first component,
    which is the tone itself.
    """
    prior = np.ones(len(where.tone_basis))
    prior[0] = 2.0
    draw = prior * rng.normal(size=len(prior))
    seen = where.tone_basis / tone
    gain = (prior[:, None] ** 2 * seen) @ np.linalg.inv(
        seen.T @ (prior[:, None] ** 2 * seen) + 0.06**2 * np.eye(3)
    )
    return draw + gain @ ((tone - where.tone_mean) / tone - seen.T @ draw)


def _label_texture(where: SkinMap, albedo: Float, tone: Float, step: float) -> Float:
    """(256, 256, 3) the texture of ``albedo``, put right where the additive basis leaves skin."""
    texture = where.mean + np.tensordot(albedo, where.basis, 1)
    # It misses the darkest and palest tones by a few percent.
    ratio = tone / np.maximum(where.tone_mean + albedo @ where.tone_basis, 0.004)
    texture *= cv2.transform(where.skin, np.stack([ratio - 1, np.ones(3)], axis=1))
    # Far from the mean, on dark skin, features turn pale or red: keep them near the skin's colour.
    calm = 0.6 * np.clip((step - 0.55) / 0.45, 0, 1)
    if calm > 0:
        flat = cv2.transform(where.skin, calm * tone[:, None].astype(float))
        texture = texture * (1 - calm * where.skin)[..., None] + flat
    cap = cv2.transform(where.skin, np.stack([1.25 * tone - 2, np.full(3, 2.0)], axis=1))
    return np.clip(texture, 0.003, cap)


def _hair(step: float, rng: np.random.Generator) -> NDArray:
    """(3,) linear; dark where the skin is."""
    if rng.random() < 0.08:
        return linear(HAIR[-1]) * rng.uniform(0.4, 1.2)
    if rng.random() < 0.06 * (step < 0.5):
        return linear(HAIR[-2])
    shade = np.clip(rng.beta(1, 2) * (1.3 - 1.4 * step), 0, 1) * 4
    return np.array([np.interp(shade, range(5), linear(HAIR[:5])[:, c]) for c in range(3)])


def _pigment(where: SkinMap, noise: Float, rng: np.random.Generator) -> Float:
    """(256, 256, 3) the factor of everything smooth that darkens, reddens or mottles the skin."""
    blotch, fine, pores, patches = noise[:4]
    blood = rng.gamma(1.2, 0.1) * where.flush + rng.gamma(1.5, 0.025) * blotch
    blood += rng.normal(0, 0.05) * where.nose_end + rng.uniform(0, 0.04) * fine
    brown = rng.gamma(1.5, 0.06) * where.under_eye + rng.gamma(1.2, 0.03) * patches
    brown += rng.normal(0, 0.07) * where.forehead + rng.normal(0, 0.08) * where.neck
    grey = rng.uniform(0.01, 0.04) * pores + rng.uniform(0, 0.025) * fine
    age = rng.normal(0.1, 0.35)
    if age > 0:
        crease = age * rng.uniform(0.2, 0.5) * where.creases(rng)
        grey += crease
        brown += 0.5 * crease
        blood += 0.5 * crease
    layers = cv2.merge([brown * where.skin, blood * where.skin, grey * where.skin])
    return np.exp(cv2.transform(layers, -np.stack([MELANIN, HAEMOGLOBIN, GREY], axis=1)))


def _blend(texture: Float, above: NDArray, opacity: Float, window: tuple[slice, slice]) -> None:
    """Lays the colour ``above`` (3,) or (h, w, 3) over a window of the texture."""
    part = texture[window]
    part += opacity[window][..., None] * (above - part)


def _freckles(texture: Float, where: SkinMap, rng: np.random.Generator) -> None:
    """Freckles on nose and cheeks, moles anywhere."""
    count = int(rng.integers(30, 160)) if rng.random() < 0.14 else 0
    spots = np.zeros((SIZE, SIZE), np.float32)
    for index in range(count + rng.poisson(1.4)):
        mole = index >= count
        row, column = where.random_texel("face" if mole else "freckles", rng)
        radius = rng.uniform(0.5, 1.4) if mole else rng.uniform(0.35, 0.8)
        dark = rng.uniform(0.3, 1.3) if mole else rng.uniform(0.1, 0.5)
        centre = (int(column * 16), int(row * 16))
        cv2.circle(spots, centre, int(radius * 16), dark, -1, cv2.LINE_AA, 4)
    window = where.windows["face"]
    spots = cv2.GaussianBlur(spots[window], (3, 3), 0)
    texture[window] *= np.exp(cv2.transform(spots, -(0.4 + MELANIN)[:, None]))


def _lips(texture: Float, where: SkinMap, noise: Float, rng: np.random.Generator) -> None:
    window, mask = where.windows["lips"], where.masks["lips"]
    kind = rng.random()
    if kind < 0.72:
        depth = rng.normal(0, 0.12) * HAEMOGLOBIN + rng.normal(0, 0.08) * MELANIN
        texture[window] *= np.exp(-(mask[window] * (1 + noise[1][window]))[..., None] * depth)
        return
    colour = linear(LIPSTICK[rng.integers(len(LIPSTICK))]) * rng.uniform(0.8, 1.2)
    cover = mask * (rng.uniform(0.25, 0.6) if kind < 0.85 else rng.uniform(0.6, 0.92))
    _blend(texture, colour * (1 + 0.1 * noise[1][window][..., None]), cover, window)


def _eyes(texture: Float, where: SkinMap, noise: Float, rng: np.random.Generator) -> None:
    """Colour of the iris, independent of the label in half of the pictures; the eye's white."""
    window = where.windows["iris"]
    part, iris = texture[window], where.masks["iris"][window]
    if rng.random() < 0.5:
        colour = linear(IRIS[rng.choice(len(IRIS), p=IRIS_SHARES)])
        colour = colour * np.exp(rng.normal(0, 0.15))
        # Keep the ring and the pupil that the texture has, relative to its own mean.
        level = part @ np.array([0.3, 0.5, 0.2], np.float32)
        level /= max(float((level * iris).sum() / iris.sum()), 1e-3)
        streaks = np.clip(level * (1 + 0.25 * noise[2][window]), 0.05, 1.8)
        part += iris[..., None] * (streaks[..., None] * colour - part)
    # Lids shade the eyeball: never paper white in a photograph.
    sclera = where.masks["sclera"][window][..., None]
    red = rng.gamma(1.2, 0.08) * HAEMOGLOBIN + rng.gamma(1.2, 0.03) * MELANIN
    part *= np.exp(-sclera * (red + rng.uniform(0.3, 0.95)))


def _beard(
    texture: Float,
    where: SkinMap,
    noise: Float,
    tone: NDArray,
    hair: NDArray,
    rng: np.random.Generator,
) -> Float:
    """Beard shadow, stubble, moustache or full beard; returns its opacity (256, 256)."""
    kind = rng.random()
    if kind < 0.52:
        return np.zeros((SIZE, SIZE), np.float32)
    area = where.beard_area(rng.choice(["full", "goatee", "moustache", "full"]), rng)
    ragged = np.clip(area * (1.1 + 0.5 * noise[3]) + 0.35 * noise[0] * (area < 0.95), 0, 1)
    if kind < 0.68:  # shaved: the roots show blue-grey through the skin
        cover, colour = 0.05 + 0.22 * rng.random(), 0.5 * hair + tone * [0.30, 0.36, 0.42]
        opacity = area * cover
    elif kind < 0.85:  # stubble
        opacity, colour = ragged * rng.uniform(0.2, 0.6), 0.75 * hair + 0.18 * tone
        opacity *= np.clip(0.75 + 0.8 * noise[2], 0, 1.3)
    else:
        opacity, colour = ragged * rng.uniform(0.65, 0.97), hair
        opacity *= np.clip(0.95 + 0.25 * noise[4], 0, 1)
    window = where.windows["beard"]
    opacity = np.clip(opacity, 0, 1)
    shade = np.clip(1 + 0.5 * noise[4][window], 0.3, 2)[..., None]
    _blend(texture, colour.astype(np.float32) * shade, opacity, window)
    return opacity


def _scalp(
    texture: Float,
    where: SkinMap,
    noise: Float,
    tone: NDArray,
    hair: NDArray,
    rng: np.random.Generator,
) -> None:
    """Cropped hair on some heads."""
    if rng.random() < 0.75:
        return
    area = where.masks["scalp"]
    cover = np.clip(area * (1.1 + 0.3 * noise[4]) + 0.3 * noise[0] * (area < 0.95), 0, 1)
    cover *= (area > 0.02) * rng.uniform(0.3, 0.97)
    _blend(texture, 0.85 * hair + 0.1 * tone, cover, where.windows["scalp"])


def _brows(
    texture: Float,
    where: SkinMap,
    noise: Float,
    tone: NDArray,
    hair: NDArray,
    rng: np.random.Generator,
) -> None:
    """Repaints the brows: thin to bushy, fair to black; a few are missing."""
    window = where.windows["brows"]
    inside = where.brow_depth[window]
    skin = tone * np.exp(rng.normal(0, 0.03))
    erase = np.clip(inside + 1.5, 0, 1) * rng.choice([0.0, 0.6, 1.0], p=[0.35, 0.25, 0.4])
    texture[window] += erase[..., None] * (skin.astype(np.float32) - texture[window])
    if rng.random() < 0.04:
        return
    edge = inside + rng.uniform(-1.6, 1.6) + 0.5 * noise[4][window]
    soft = rng.uniform(1.2, 3)
    cover = np.clip(edge / soft + 0.2, 0, 1) * rng.uniform(0.25, 0.97)
    cover *= np.clip(0.85 + 0.4 * noise[4][window], 0, 1)
    colour = hair * rng.uniform(0.6, 1.2) + 0.02 * tone
    part = texture[window]
    part += cover[..., None] * (colour.astype(np.float32) - part)


def _make_up(texture: Float, where: SkinMap, hair: NDArray, rng: np.random.Generator) -> None:
    """Lashes or liner along the lid's edge always, eye shadow on some."""
    window = where.windows["lids"]
    made_up = rng.random() < 0.3
    if made_up:
        colour = linear(EYE_SHADOW[rng.integers(len(EYE_SHADOW))]) * rng.uniform(0.7, 1.3)
        cover = where.upper_lid(rng.uniform(4, 14)) * rng.uniform(0.15, 0.75)
        _blend(texture, colour, cover, window)
    lash = where.lash_line(rng.uniform(1.2, 2.6) if made_up else rng.uniform(0.6, 1.4))
    dark = rng.uniform(0.6, 0.97) if made_up else rng.uniform(0.15, 0.75)
    _blend(texture, (0.4 * hair + 0.004).astype(np.float32), lash * dark, window)


def _teeth(texture: Float, where: SkinMap, rng: np.random.Generator) -> None:
    """From bleached to tea, and darkness between and behind them."""
    window = where.windows["teeth"]
    stain = rng.gamma(1.3, 0.15) * MELANIN + rng.uniform(0.0, 0.8)
    texture[window] *= np.exp(-where.masks["teeth"][window][..., None] * stain)
    for name in ("mouth", "tongue"):
        window = where.windows[name]
        depth = rng.uniform(0, 1.2) if name == "mouth" else rng.uniform(-0.1, 0.5)
        texture[window] *= np.exp(-where.masks[name][window][..., None] * depth)


def _surface(
    where: SkinMap,
    noise: Float,
    gloss: float,
    roughness: float,
    beard: Float,
    rng: np.random.Generator,
) -> Float:
    """(256, 256, 2) gloss and roughness: an oily T-zone, moist lips, wet eyes and teeth."""
    shine = gloss * (1 + rng.uniform(0, 0.6) * where.oily + 0.25 * noise[1]) * (1 - 0.8 * beard)
    rough = roughness - 0.06 * where.oily
    lips, wet = where.masks["lips"], where.wet
    for mask, strong, width in (
        (lips, rng.uniform(0.2, 1.6), rng.uniform(0.28, 0.5)),
        (wet, rng.uniform(0.7, 1.2), rng.uniform(0.2, 0.32)),
    ):
        shine += mask * (strong - shine)
        rough += mask * (width - rough)
    return cv2.merge([np.maximum(shine, 0).astype(np.float32), rough.astype(np.float32)])
