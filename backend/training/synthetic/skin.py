"""Random skin of a training picture: the model's albedo (the label) and what it cannot hold.

Over the label's texture come make-up, hair of brows and beard, freckles, moles, wrinkles and noise
(:mod:`.skin_paint`).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ...geometry.srgb import SRGB_TO_LINEAR
from ...model import FaceModel
from .skin_map import SkinMap, fields, skin_map
from .skin_paint import HAEMOGLOBIN, MELANIN, Canvas, paint

Float = NDArray[np.float32]

#: The Monk scale's ten lightnesses with the chroma of photographed skin, 8-bit sRGB: those that
#: tools/build_face_model/albedo.py painted the model's albedo from.
MONK_TONES = np.array(
    [(240, 207, 190), (233, 193, 172), (223, 177, 152), (207, 157, 129), (187, 136, 106),
     (162, 112, 84), (133, 89, 65), (103, 68, 51), (78, 53, 42), (58, 41, 35)]
)  # fmt: skip
HAIR = np.array([(18, 15, 14), (38, 27, 22), (66, 46, 33), (104, 72, 46), (150, 112, 72),
                 (120, 58, 32), (142, 138, 134)])  # fmt: skip


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
    folds: Float | None = None  #: (512, 512, 3) as :func:`~.folds.sample_folds` has them


def sample_skin(model: FaceModel, rng: np.random.Generator) -> Skin:
    """Skin of a random person; the tone is uniform over the Monk scale."""
    where = skin_map(model)
    step = rng.random()
    tone = _tone(step, rng).astype(np.float32)
    albedo = _coefficients(where, tone, rng).astype(np.float32)
    hair = _hair(step, rng).astype(np.float32)
    planes = _label_texture(where, albedo, tone, step)
    noise = fields(rng)
    beard = paint(Canvas(planes, where, noise, tone, hair, rng))
    gloss, roughness = float(rng.beta(2, 2.2)), float(rng.uniform(0.38, 0.62))
    surface = _surface(where, noise, gloss, roughness, beard, rng)
    texture = cv2.merge(list(np.clip(planes, 0.003, 0.95)))
    return Skin(albedo, texture, surface, tone, gloss, roughness, hair)


def _tone(step: float, rng: np.random.Generator) -> NDArray:
    """(3,) linear skin colour at ``step`` 0..1 of the Monk scale, with some more or less blood."""
    path = np.log(SRGB_TO_LINEAR[MONK_TONES])
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
    """(3, 256, 256) the texture of ``albedo``, put right where the additive basis leaves skin."""
    planes = where.mean + np.tensordot(albedo, where.basis, 1)
    # It misses the darkest and palest tones by a few percent.
    ratio = tone / np.maximum(where.tone_mean + albedo @ where.tone_basis, 0.004)
    # Far from the mean, on dark skin, features turn pale or red: keep them near the skin's colour.
    calm = 0.6 * float(np.clip((step - 0.55) / 0.45, 0, 1))
    for plane, gain, colour in zip(planes, ratio, tone, strict=True):
        factor = (1 - calm) * float(gain) - 1
        plane *= 1 + where.skin * np.float32(factor)
        plane += where.skin * np.float32(calm * colour)
        np.clip(plane, 0.003, 2 + where.skin * np.float32(1.25 * colour - 2), out=plane)
    return planes


def _hair(step: float, rng: np.random.Generator) -> NDArray:
    """(3,) linear; dark where the skin is."""
    if rng.random() < 0.08:
        return SRGB_TO_LINEAR[HAIR[-1]] * rng.uniform(0.4, 1.2)
    if rng.random() < 0.06 * (step < 0.5):
        return SRGB_TO_LINEAR[HAIR[-2]]
    shade = np.clip(rng.beta(1, 2) * (1.3 - 1.4 * step), 0, 1) * 4
    return np.array([np.interp(shade, range(5), SRGB_TO_LINEAR[HAIR[:5]][:, c]) for c in range(3)])


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
